"""Whether mail from here can go to an address: letters before the @ that are not ASCII need SMTPUTF8.

Only the mail server knows whether it takes them (RFC 6531). It is asked when such an address is
given, and what it says counts for a while.
"""

from __future__ import annotations

from threading import Lock
from time import monotonic

from portal.extensions import settings
from portal.services.core.emails import clean_email
from portal.services.core.errors import InvalidInput

KNOWN_FOR = 600.0
"""Seconds that the server's word counts."""
UNKNOWN_FOR = 30.0
"""Seconds until a server that could not be asked is asked again."""

_lock = Lock()
_known: dict[str, tuple[bool, float]] = {}


def clean_reachable(text: str) -> str:
    """A mail address as it is kept, which mail from here can go to.

    Raises InvalidInput: ``emailUnreachable`` where the mail server does not take its letters,
    or could not be asked.
    """
    address = clean_email(text)
    if not (address.rpartition("@")[0].isascii() or _server_takes_utf8()):
        raise InvalidInput("emailUnreachable", "email")
    return address


def forget() -> None:
    """Forget what the server said."""
    _known.clear()


def _server_takes_utf8() -> bool:
    """Ask the mail server, unless it said so lately; one asks, and whoever comes meanwhile waits for that."""
    from portal.transports import DeliveryFailed, make_transport  # noqa: PLC0415  # seldom needed here

    with _lock:
        takes, until = _known.get(settings.mail_url, (False, 0.0))
        if monotonic() < until:
            return takes
        try:
            takes, known_for = make_transport(settings).takes_utf8(), KNOWN_FOR
        except DeliveryFailed:
            takes, known_for = False, UNKNOWN_FOR
        _known[settings.mail_url] = takes, monotonic() + known_for
        return takes
