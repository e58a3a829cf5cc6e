"""What an account may be called and where it may be reached."""

from __future__ import annotations

import re
import secrets

from portal.models import LANGUAGES, Consent
from portal.services import free_text
from portal.services.errors import InvalidInput

CONSENT_VERSION = "2026-11"
"""The version of the sentences that an owner agrees to; kept with each consent."""

_USERNAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{1,39}")
BIO_LENGTH = 2000


def clean_email(text: str) -> str:
    """A mail address as it will be kept; InvalidInput when nothing can be sent to it.

    Names of machines and of private networks are fine: the portal runs there too.
    """
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  # 0.6 MB, seldom needed

    if not text.strip():
        raise InvalidInput("emailMissing", "email")
    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise InvalidInput("emailInvalid", "email") from error
    return found.normalized


def address_key(text: str) -> str:
    """What an address is kept and found by, in whichever way it is written.

    That is in any case, with a domain in its own letters or as xn--, composed or not. What is
    no address comes back in small letters, and is found by nothing.
    """
    try:
        return clean_email(text).lower()
    except InvalidInput:
        return text.strip().lower()


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
