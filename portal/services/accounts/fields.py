"""What an account may be called and where it may be reached."""

from __future__ import annotations

import re
import secrets
from threading import Lock
from time import monotonic

from pydantic import SecretStr

from portal.extensions import settings
from portal.models import LANGUAGES
from portal.services.core import free_text
from portal.services.core.emails import clean_email
from portal.services.core.errors import InvalidInput

_USERNAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{1,39}")
BIO_LENGTH = 2000

KNOWN_FOR = 600.0
"""Seconds that the server's word counts."""
UNKNOWN_FOR = 30.0
"""Seconds until a server that could not be asked is asked again."""
_lock = Lock()
_known: dict[SecretStr, tuple[bool, float]] = {}


def clean_username(text: str) -> str:
    """A name of 2 to 40 letters, digits, dots, underscores and hyphens; not digits alone.

    It can't look like a mail address or an account's number, since both sign in too.
    """
    if not text.strip():
        raise InvalidInput("usernameMissing", "username")
    if not _USERNAME.fullmatch(text.strip()):
        raise InvalidInput("usernameInvalid", "username")
    return text.strip()


def clean_language(text: str) -> str:
    """One of the known languages; InvalidInput otherwise."""
    if not text:
        raise InvalidInput("languageMissing", "language")
    if text not in LANGUAGES:
        raise InvalidInput("unsupportedLanguage", "language")
    return text


def clean_bio(text: str) -> str:
    """Free text of up to 2000 characters that can be shown; InvalidInput otherwise."""
    if len(text) > BIO_LENGTH:
        raise InvalidInput("bioTooLong", "bio", maximum=BIO_LENGTH)
    if not text.strip():
        return ""
    free_text.check(text, "bioNotPrintable", "bio", lines=True)
    return text


def first_username() -> str:
    """The name of an account whose owner has not chosen one."""
    return f"user-{secrets.token_hex(4)}"


def clean_reachable(text: str) -> str:
    """A mail address as it is kept, which mail from here can go to.

    Raises InvalidInput: ``emailUnreachable`` where the mail server does not take its letters,
    or could not be asked.
    """
    email = clean_email(text)
    if not (email.rpartition("@")[0].isascii() or _server_takes_utf8()):
        raise InvalidInput("emailUnreachable", "email")
    return email


def _server_takes_utf8() -> bool:
    """Ask the mail server, unless it said so lately; one asks, and whoever comes meanwhile waits for that."""
    from portal.transports import DeliveryFailed, create_transport  # noqa: PLC0415  # seldom needed here

    with _lock:
        takes, until = _known.get(settings.mail_url, (False, 0.0))
        if monotonic() < until:
            return takes
        try:
            takes, known_for = create_transport(settings).takes_utf8(), KNOWN_FOR
        except DeliveryFailed:
            takes, known_for = False, UNKNOWN_FOR
        _known[settings.mail_url] = takes, monotonic() + known_for
        return takes
