"""A picture for each kind of event, and the kinds that a list can be narrowed to."""

from __future__ import annotations

from enum import StrEnum

from portal.models import Action
from portal.permissions import N_


class Kind(StrEnum):
    """What events are about, as addresses say it."""

    KEYS = "keys"
    SIGN_IN = "sign-in"
    ACCOUNT = "account"
    LIMITS = "limits"


KINDS: dict[Kind, str] = {
    Kind.KEYS: N_("Keys"),
    Kind.SIGN_IN: N_("Sign-in and password"),
    Kind.ACCOUNT: N_("Account and consent"),
    Kind.LIMITS: N_("Rate limits"),
}
"""What each kind is called."""

_SUBJECTS = {
    "key": Kind.KEYS,
    "session": Kind.SIGN_IN,
    "password": Kind.SIGN_IN,
    "excess": Kind.LIMITS,
}
_ICONS = {
    Action.KEY_CREATED: ("plus", "thread"),
    Action.KEY_ROTATED: ("refresh-cw", "brass"),
    Action.KEY_REUSED: ("shield-x", "bad"),
    Action.KEY_REVOKED: ("ban", ""),
    Action.KEYS_REVOKED: ("ban", "bad"),
    Action.SESSION_REFUSED: ("shield-x", "warn"),
    Action.ACCOUNT_LOCKED: ("lock", "warn"),
    Action.ACCOUNT_BLOCKED: ("lock", "bad"),
    Action.MAIL_REFUSED: ("mail", "bad"),
    Action.EXCESS_WARNED: ("gauge", "warn"),
    Action.EXCESS_THROTTLED: ("gauge", "bad"),
    Action.EXCESS_REVOKED: ("gauge", "bad"),
}
_BY_SUBJECT = {
    "key": "key-round",
    "session": "monitor",
    "password": "lock",
    "consent": "file-check",
    "mail": "mail",
    "account": "user",
}


def kind_of(action: Action) -> Kind:
    """What an event is about."""
    return _SUBJECTS.get(_subject(action), Kind.ACCOUNT)


def actions_of(kind: Kind) -> list[Action]:
    """The actions of a kind."""
    return [action for action in Action if kind_of(action) is kind]


def picture_of(action: Action) -> tuple[str, str]:
    """The icon of an event, and its tone."""
    return _ICONS.get(action, (_BY_SUBJECT.get(_subject(action), "info"), ""))


def _subject(action: Action) -> str:
    return action.value.partition(":")[0]
