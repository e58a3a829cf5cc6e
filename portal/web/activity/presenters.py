"""An act as its owner may see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from markupsafe import Markup

from portal.labels import ACTIONS, REASONS, REPORTERS, ROLES
from portal.models import Action, ActorKind, AuditEvent
from portal.permissions import N_, Role
from portal.web.activity.pictures import picture_of
from portal.web.filters import exact

BY_LINK = frozenset(
    {
        Action.ACCOUNT_CONFIRMED,
        Action.ACCOUNT_EMAIL_CHANGE_CANCELLED,
        Action.ACCOUNT_EMAIL_CHANGED,
        Action.ACCOUNT_UNLOCKED,
        Action.CONSENT_GIVEN,
        Action.PASSWORD_RESET,
        Action.SESSIONS_ENDED,
    }
)
"""What somebody who is not signed in can only do with a mailed link."""

WITH_NAME: dict[Action, str] = {
    Action.KEY_CREATED: N_("%(name)s created"),
    Action.KEY_ROTATED: N_("%(name)s rotated"),
    Action.KEY_REVOKED: N_("%(name)s revoked"),
    Action.KEY_REUSED: N_("Old secret of %(name)s used"),
}
"""What was done to a key, where its name is known."""

EXCESS = frozenset({Action.EXCESS_WARNED, Action.EXCESS_THROTTLED, Action.EXCESS_REVOKED})


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """What was done, by whom, from where and when."""

    what: str
    more: str
    by: str
    by_key_id: UUID | None
    ip_address: str | None
    at: datetime
    key_id: UUID | None
    request_id: str | None
    short: str
    icon: str
    tone: str


def row(event: AuditEvent, account_id: int) -> ActivityRow:
    """Make the row of an act.

    The name and the address of an operator are not the owner's to see, nor is the address of
    whoever reported a leak.
    """
    own = event.actor_account_id == account_id
    icon, tone = picture_of(event.action)
    nobody = event.actor_account_id is None and "reporter" not in event.details
    return ActivityRow(
        what=_(ACTIONS[event.action]),
        more=_more(event, account_id),
        by=_by(event, own),
        by_key_id=event.actor_key_id if own else None,
        ip_address=event.ip_address if own or nobody else None,
        at=event.at,
        key_id=event.key_id if event.account_id == account_id else None,
        request_id=event.request_id if own or nobody else None,
        short=_short(event),
        icon=icon,
        tone=tone,
    )


def _short(event: AuditEvent) -> str:
    """What was done, with the name of the key that it was done to."""
    words = _(WITH_NAME[event.action]) if event.action in WITH_NAME and event.details.get("name") else ""
    if not words:
        return str(_(ACTIONS[event.action]))
    return Markup(words) % {"name": Markup("<bdi>{}</bdi>").format(event.details["name"])}  # noqa: S704  # ours


def _by(event: AuditEvent, own: bool) -> str:
    by = _("An operator")
    if event.actor_kind is ActorKind.SYSTEM:
        by = _("The portal")
    elif event.actor_kind is ActorKind.COMMAND_LINE:
        by = _("An operator, on the command line")
    elif event.actor_account_id is None and event.action is Action.SESSION_STARTED:
        by = _("You")
    elif event.actor_account_id is None and event.action in BY_LINK:
        by = _("Somebody with the link from the email")
    elif event.actor_account_id is None:
        by = _("Somebody not signed in")
    elif own and event.actor_kind is ActorKind.KEY:
        by = _("One of your keys")
    elif own:
        by = _("You, with a token") if event.actor_kind is ActorKind.JWT else _("You")
    return str(by)


def _more(event: AuditEvent, account_id: int) -> str:
    """What is worth knowing besides: the name, the cause, the reason."""
    details, parts = event.details, []
    if event.account_id not in (None, account_id):
        parts.append(_("account %(number)s", number=event.account_id))
    if "name" in details:
        parts.append(str(details["name"]))
    if event.action is Action.KEY_CREATED:
        parts.append(_("level %(level)s", level=details["level"]))
    if event.action is Action.KEYS_REVOKED:
        parts.append(ngettext("%(num)s key", "%(num)s keys", details["keys"]))
    parts += _extent(event)
    if "cause" in details:
        parts.append(_(REASONS[details["cause"]]))
    if "reporter" in details:
        parts += _leak(details)
    if event.action is Action.ACCOUNT_ROLE_CHANGED:
        before, after = (_(ROLES[Role(details[side])]) for side in ("before", "after"))
        parts.append(_("from %(before)s to %(after)s", before=before, after=after))
    if event.reason:
        parts.append(event.reason)
    return ", ".join(parts)


def _extent(event: AuditEvent) -> list[str]:
    """How long, or how much."""
    details = event.details
    if event.action is Action.KEY_ROTATED and details["retires_at"]:
        return [_("works until %(at)s", at=exact(datetime.fromisoformat(details["retires_at"])))]
    if event.action in EXCESS:
        calls, above = format_decimal(details["calls"]), format_decimal(details["refused"])
        return [_("%(calls)s calls, %(above)s above a limit", calls=calls, above=above)]
    return []


def _leak(details: dict[str, Any]) -> list[str]:
    """How a leak came to be known."""
    told = [_(REPORTERS[details["reporter"]])]
    if details.get("found_at"):
        told.append(_("found at %(places)s", places=", ".join(details["found_at"])))
    return told
