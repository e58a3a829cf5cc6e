"""Acts as operators see them: with everybody's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import gettext, ngettext
from flask_babel import gettext as _

from portal.labels import ACTIONS, ACTOR_KINDS, REASONS, REPORTERS, ROLES, STATUSES
from portal.models import AccountStatus, Action, ActorKind, AuditEvent, RevocationReason
from portal.permissions import N_
from portal.services.operators import exports
from portal.web.activity.presenters import BY_LINK
from portal.web.filters import day, exact

OPERATORS_REASONS = REASONS | {RevocationReason.OWNER: N_("by its owner")}
"""Why a key was revoked, to somebody who is not its owner."""

STATES = {status.word: STATUSES[status] for status in AccountStatus}


@dataclass(frozen=True, slots=True)
class Party:
    """An account that acted, or that something was done to."""

    id: int
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
    """Make the rows of acts; names are those of today."""
    names = exports.names_of(
        [each for event in events for each in (event.actor_account_id, event.account_id)]
    )
    return [_row(event, names) for event in events]


def _row(event: AuditEvent, names: dict[int, str]) -> AuditLogRow:
    return AuditLogRow(
        at=event.at,
        what=gettext(ACTIONS[event.action]),
        by=_party(event.account_id if _is_sign_in(event) else event.actor_account_id, names),
        through=_through(event),
        by_key_id=event.actor_key_id,
        account=_party(event.account_id, names),
        key_id=event.key_id,
        ip_address=event.ip_address,
        request_id=event.request_id,
        reason=event.reason,
        details=", ".join(
            _detail(name, value) for name, value in event.details.items() if value not in ("", None, [])
        ),
    )


def _is_sign_in(event: AuditEvent) -> bool:
    """Whether somebody, who was nobody yet, proved to be the account's owner."""
    return event.action is Action.SESSION_STARTED and event.actor_kind is ActorKind.ANONYMOUS


def _through(event: AuditEvent) -> str:
    if _is_sign_in(event):
        return str(_("by signing in"))
    if event.actor_kind is ActorKind.ANONYMOUS and event.action in BY_LINK:
        return str(_("with the link from a mail"))
    return str(gettext(ACTOR_KINDS[event.actor_kind]))


def _party(account_id: int | None, names: dict[int, str]) -> Party | None:
    return None if account_id is None else Party(account_id, names.get(account_id, ""))


def _detail(name: str, value: Any) -> str:
    """One detail in words; one that has none yet as ``name: value``."""
    if name in ("before", "after"):
        known = {role.value: words for role, words in ROLES.items()} | STATES
        shown = gettext(known.get(value, value))
        return str(_("from %(what)s", what=shown) if name == "before" else _("to %(what)s", what=shown))
    if name in IN_WORDS:
        return IN_WORDS[name](value)
    return f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"


def _use(key: dict[str, Any]) -> str:
    """What a key did on a day of excess."""
    return str(_("%(name)s: %(calls)s of %(limit)s, %(refused)s above a limit", **key))


IN_WORDS: dict[str, Callable[[Any], str]] = {
    "cause": lambda value: gettext(OPERATORS_REASONS[value]),
    "reporter": lambda value: gettext(REPORTERS[value]),
    "found_at": lambda value: _("found at %(places)s", places=", ".join(value)),
    "line": lambda value: _("of the line of key %(key)s", key=value),
    "by_key": lambda value: "; ".join(map(_use, value)),
    "ended": lambda value: ngettext("%(num)d act", "%(num)d acts", value),
    "until": lambda value: _("until %(at)s", at=exact(datetime.fromisoformat(value))),
    "days": lambda value: _("kept are %(days)s days", days=value),
    "found": lambda value: ngettext("%(num)d account found", "%(num)d accounts found", value),
    "accounts": lambda value: _("shown: %(numbers)s", numbers=", ".join(map(str, value))),
    "os_user": lambda value: _("as the user %(name)s", name=value),
    "sudo_user": lambda value: _("with sudo from %(name)s", name=value),
    "host": lambda value: _("on the machine %(name)s", name=value),
    "keys": lambda value: ngettext("%(num)d key", "%(num)d keys", value),
    "level": lambda value: _("level %(level)s", level=value),
    "expires_at": lambda value: _("expires %(day)s", day=day(datetime.fromisoformat(value))),
    "retires_at": lambda value: _("works until %(at)s", at=exact(datetime.fromisoformat(value))),
    "answer": lambda value: _("answer %(code)s", code=value),
    "attempts": lambda value: ngettext("%(num)d attempt", "%(num)d attempts", value),
    "mail": lambda value: _("mail: %(kind)s", kind=value),
    "successor": lambda value: _("replaced by %(key)s", key=value),
}
"""Details that are told in words, by their name."""
