"""Who acts: what the doors hand to the rules."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portal.models import ActorKind


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, through what and from where.

    ``key_level`` is set when a key asks: what it makes stays below that level.
    """

    kind: ActorKind
    account_id: int | None = None
    key_id: UUID | None = None
    key_level: int | None = None
    session_id: UUID | None = None
    address: str | None = None
    user_agent: str = ""
    request_id: str | None = None

    @classmethod
    def system(cls) -> Actor:
        """The portal itself, when nobody asked."""
        return cls(ActorKind.SYSTEM)

    @classmethod
    def command_line(cls) -> Actor:
        """An operator with a shell on the machine."""
        return cls(ActorKind.COMMAND_LINE)
