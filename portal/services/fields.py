"""What an account may be called and where it may be reached."""

from __future__ import annotations

import re
import secrets

from portal.models import LANGUAGES, Consent
from portal.services.core import free_text
from portal.services.core.errors import InvalidInput

CONSENT_VERSION = "2026-11"
"""The version of the sentences that an owner agrees to; kept with each consent."""

_USERNAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{1,39}")
BIO_LENGTH = 2000


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


def clean_consent(value: int) -> Consent:
    """A consent that lets an account live; InvalidInput for none."""
    if value not in (Consent.PROCESSING, Consent.OPEN_DATA):
        raise InvalidInput("consentRequired", "consent")
    return Consent(value)


def first_username() -> str:
    """The name of an account whose owner has not chosen one."""
    return f"user-{secrets.token_hex(4)}"
