"""Acts as operators see them: with everybody's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask_babel import gettext

from portal.models import AuditEvent
from portal.services import listings
from portal.words import ACTIONS, ACTOR_KINDS


@dataclass(frozen=True, slots=True)
class Party:
    """An account that acted, or that something was done to."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class RecordRow:
    """Who did what, on what, when, from where and why."""

    id: int
    at: datetime
    what: str
    action: str
    by: Party | None
    through: str
    account: Party | None
    key_id: UUID | None
    address: str | None
    request_id: str | None
    reason: str | None
    details: str


def rows(events: Sequence[AuditEvent]) -> list[RecordRow]:
    """Make the rows of acts; names are those of today."""
    ids = [event.actor_account_id for event in events] + [event.account_id for event in events]
    names = listings.names_of(ids)
    return [_row(event, names) for event in events]


def _row(event: AuditEvent, names: dict[int, str]) -> RecordRow:
    return RecordRow(
        id=event.id,
        at=event.at,
        what=gettext(ACTIONS[event.action]),
        action=event.action.value,
        by=_party(event.actor_account_id, names),
        through=gettext(ACTOR_KINDS[event.actor_kind]),
        account=_party(event.account_id, names),
        key_id=event.key_id,
        address=event.address,
        request_id=event.request_id,
        reason=event.reason,
        details=", ".join(f"{name}: {_plain(value)}" for name, value in event.details.items() if value != ""),
    )


def _party(account_id: int | None, names: dict[int, str]) -> Party | None:
    return None if account_id is None else Party(account_id, names.get(account_id, ""))


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
