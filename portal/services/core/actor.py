"""Who acts: what the doors hand to the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from portal.models import ActorKind
from portal.services.core.sent_forms import Form


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, through what and from where.

    ``form`` is the form of a page that asks for the act; it is done once.
    """

    kind: ActorKind
    account_id: int | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None
    ip_address: str | None = None
    user_agent: str = ""
    request_id: str | None = None
    form: Form | None = None
    shell: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Of the command line: who called it on which machine, as the operating system tells it."""

    @classmethod
    def system(cls) -> Actor:
        """The portal itself, when nobody asked."""
        return cls(ActorKind.SYSTEM)

    @classmethod
    def command_line(cls, shell: Mapping[str, str] | None = None) -> Actor:
        """An operator with a shell on the machine; ``shell`` stands in the record of each act."""
        return cls(ActorKind.COMMAND_LINE, shell=shell or {})
