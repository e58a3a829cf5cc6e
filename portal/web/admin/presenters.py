"""Acts as operators see them: with everybody's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import gettext
from flask_babel import gettext as _

from portal.labels import ACTIONS, ACTOR_KINDS
from portal.models import Action, ActorKind, AuditEvent
from portal.services.operators import audit_search
from portal.services.operators.exports import Whose
from portal.web.activity.presenters import BY_LINK
from portal.web.admin.details import in_words


@dataclass(frozen=True, slots=True)
class Party:
    """An account that acted, or that something was done to."""

    id: int
    email: str
    """Empty where it was removed."""
    name: str


@dataclass(frozen=True, slots=True)
class AuditLogRow:
    """Who did what, on what, when, from where and why."""

    at: datetime
    what: str
    by: Party | None
    through: str
    by_key_id: UUID | None
    account: Party | None
    key_id: UUID | None
    ip_address: str | None
    request_id: str | None
    reason: str | None
    details: str


def rows(events: Sequence[AuditEvent]) -> list[AuditLogRow]:
    """Make the rows of acts; emails and names are those of today."""
    accounts = audit_search.accounts_of(events)
    return [_row(event, accounts) for event in events]


def file_rows(portions: Iterable[audit_search.Portion]) -> Iterator[dict[str, Any]]:
    """The acts as a file has them: values, and words beside them."""
    for events, accounts in portions:
        for event in events:
            yield _file_row(event, accounts)


COLUMNS = (
    "at", "action", "what", "actorKind", "actorAccount", "actorEmail", "actorKey", "account", "email", "key",
    "address", "requestId", "reason", "details",
)  # fmt: skip
"""Of a file, in their order."""


def _file_row(event: AuditEvent, accounts: dict[int, Whose]) -> dict[str, Any]:
    def email(number: int | None) -> str | None:
        known = accounts.get(number or 0)
        return known.email if known else None

    return {
        "at": f"{event.at:%Y-%m-%dT%H:%M:%S}.{event.at.microsecond // 1000:03}Z",
        "action": event.action.value,
        "what": str(gettext(ACTIONS[event.action])),
        "actorKind": event.actor_kind.value,
        "actorAccount": event.actor_account_id,
        "actorEmail": email(event.actor_account_id),
        "actorKey": event.actor_key_id and str(event.actor_key_id),
        "account": event.account_id,
        "email": email(event.account_id),
        "key": event.key_id and str(event.key_id),
        "address": event.ip_address,
        "requestId": event.request_id,
        "reason": event.reason,
        "details": event.details,
    }


def _row(event: AuditEvent, accounts: dict[int, Whose]) -> AuditLogRow:
    return AuditLogRow(
        at=event.at,
        what=gettext(ACTIONS[event.action]),
        by=_party(event.account_id if _is_sign_in(event) else event.actor_account_id, accounts),
        through=_through(event),
        by_key_id=event.actor_key_id,
        account=_party(event.account_id, accounts),
        key_id=event.key_id,
        ip_address=event.ip_address,
        request_id=event.request_id,
        reason=event.reason,
        details=in_words(event),
    )


def _is_sign_in(event: AuditEvent) -> bool:
    """Whether somebody, who was nobody yet, proved to be the account's owner."""
    return event.action is Action.SESSION_STARTED and event.actor_kind is ActorKind.ANONYMOUS


def _through(event: AuditEvent) -> str:
    if _is_sign_in(event):
        return str(_("by signing in"))
    if event.actor_kind is ActorKind.ANONYMOUS and event.action in BY_LINK:
        return str(_("with the link from an email"))
    return str(gettext(ACTOR_KINDS[event.actor_kind]))


def _party(account_id: int | None, accounts: dict[int, Whose]) -> Party | None:
    if account_id is None:
        return None
    known = accounts.get(account_id, Whose(None, ""))
    return Party(account_id, known.email or "", known.username)
