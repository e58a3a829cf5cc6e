"""The details of an act, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from flask_babel import format_decimal, gettext, ngettext
from flask_babel import gettext as _

from portal.labels import REASONS, REPORTERS, ROLES, STATUSES
from portal.models import AccountStatus, Action, AuditEvent, RevocationReason
from portal.permissions import N_
from portal.web.filters import at, day

OPERATORS_REASONS = REASONS | {RevocationReason.OWNER: N_("by its owner")}
"""Why a key was revoked, to somebody who is not its owner."""

_STATES = {role.value: words for role, words in ROLES.items()} | {
    status.word: STATUSES[status] for status in AccountStatus
}
_KINDS = {
    "browser": N_("in the browser"),
    "jwt": N_("for an API token"),
    "service": N_("a service key"),
}
_CONSENTS = {0: N_("none"), 1: N_("to process data"), 2: N_("to process data, and to open data")}


def in_words(event: AuditEvent) -> str:
    """What is worth knowing besides who did what."""
    return ", ".join(_told(event))


def _told(event: AuditEvent) -> Iterator[str]:
    for name, value in event.details.items():
        if value in ("", None, []):
            continue
        words = BY_ACT.get((event.action, name)) or IN_WORDS.get(name)
        told = words(value) if words else f"{name}: {value}"
        if told:
            yield str(told)


def _keys(value: Any) -> str:
    """How many keys, or which."""
    if isinstance(value, list):
        return str(_("shown: %(keys)s", keys=", ".join(f"{each[:8]}…{each[-4:]}" for each in value)))
    return str(ngettext("%(num)d key", "%(num)d keys", value))


def _use(key: dict[str, Any]) -> str:
    """What a key did on a day of excess."""
    return str(_("%(name)s: %(calls)s of %(limit)s, %(refused)s above a limit", **key))


BY_ACT: dict[tuple[Action, str], Callable[[Any], str]] = {
    (Action.KEYS_SEARCHED, "found"): lambda value: ngettext("%(num)d key found", "%(num)d keys found", value),
    (Action.AUDIT_LOG_ENDED, "before"): lambda value: _("before number %(number)s", number=value),
    (Action.EXCESS_WARNED, "rung"): lambda value: _("at %(percent)s %% of a limit", percent=value),
}
"""Details that mean something else in one act than in others."""

IN_WORDS: dict[str, Callable[[Any], str]] = {
    "name": lambda value: f"“{value}”",
    "before": lambda value: _("from %(what)s", what=gettext(_STATES.get(value, str(value)))),
    "after": lambda value: _("to %(what)s", what=gettext(_STATES.get(value, str(value)))),
    "role": lambda value: _("as %(role)s", role=gettext(_STATES.get(value, str(value)))),
    "fields": lambda value: _("changed: %(fields)s", fields=", ".join(value)),
    "kind": lambda value: gettext(_KINDS.get(value, value)),
    "consent": lambda value: gettext(_CONSENTS.get(value, str(value))),
    "version": lambda value: _("version %(version)s", version=value),
    "most": lambda value: _("more than %(most)s at a time", most=value),
    "cause": lambda value: gettext(OPERATORS_REASONS[value]),
    "reporter": lambda value: gettext(REPORTERS[value]),
    "found_at": lambda value: _("found at %(places)s", places=", ".join(value)),
    "line": lambda value: _("with key %(key)s, which it came of", key=value),
    "by_key": lambda value: "; ".join(map(_use, value)),
    "calls": lambda value: ngettext("%(num)s call", "%(num)s calls", value),
    "refused": lambda value: _("%(number)s above a limit", number=format_decimal(value)),
    "rung": lambda value: _("from %(number)s on", number=format_decimal(value)),
    "revoked": lambda value: ngettext("%(num)s key revoked", "%(num)s keys revoked", value),
    "ended": lambda value: ngettext("%(num)d act", "%(num)d acts", value),
    "until": lambda value: _("until %(at)s", at=at(datetime.fromisoformat(value))),
    "kept": lambda value: _("after %(at)s had been told", at=value),
    "days": lambda value: _("%(days)s days are kept", days=value),
    "found": lambda value: ngettext("%(num)d account found", "%(num)d accounts found", value),
    "page": lambda value: _("page %(number)s", number=value) if value != 1 else "",
    "accounts": lambda value: _("shown: %(numbers)s", numbers=", ".join(map(str, value))),
    "span": lambda value: _("over %(span)s", span=value),
    "checked": lambda value: _("tried whether it would pass") if value else "",
    "by": lambda _value: _("by a leaked secret"),
    "exported": lambda value: _("taken out as %(form)s", form=value.upper()),
    "query": lambda value: _("looked for %(words)s", words=value),
    "os_user": lambda value: _("as the user %(name)s", name=value),
    "sudo_user": lambda value: _("with sudo from %(name)s", name=value),
    "host": lambda value: _("on the machine %(name)s", name=value),
    "keys": _keys,
    "level": lambda value: _("level %(level)s", level=value),
    "expires_at": lambda value: _("expires %(day)s", day=day(datetime.fromisoformat(value))),
    "retires_at": lambda value: _("the old secret works until %(at)s", at=at(datetime.fromisoformat(value))),
    "answer": lambda value: _("answer %(code)s", code=value),
    "attempts": lambda value: ngettext("%(num)d attempt", "%(num)d attempts", value),
    "mail": lambda value: _("email: %(kind)s", kind=value),
    "successor": lambda value: _("replaced by %(key)s", key=value),
}
"""Details by their name."""
