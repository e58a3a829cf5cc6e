"""What an account may be called and where it may be reached."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import cache
from typing import Any

from portal.models import LANGUAGES, Consent
from portal.services import free_text
from portal.services.errors import InvalidInput

CONSENT_VERSION = "2026-11"
"""The version of the sentences that an owner agrees to; kept with each consent."""

_USERNAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{1,39}")
_ENCODED_WORD = re.compile(r"=\?.*\?=")
"""What readers of headers take for other letters (RFC 2047), and so for another address."""
BIO_LENGTH = 2000


def clean_email(text: str) -> str:
    """A mail address as it is kept; InvalidInput when it is none, or no header can hold it.

    Names of machines and of private networks are fine: the portal runs there too. Whether the
    mail server takes its letters is another question (:mod:`portal.services.reach`).
    """
    if not text.strip():
        raise InvalidInput("emailMissing", "email")
    try:
        address: str = _validate_email()(
            text.strip(), check_deliverability=False, globally_deliverable=False
        ).normalized
    except ValueError as error:
        raise InvalidInput("emailInvalid", "email") from error
    if _ENCODED_WORD.search(address):
        raise InvalidInput("emailInvalid", "email")
    return address


@cache
def _validate_email() -> Callable[..., Any]:
    """The check of addresses; it takes what only private mail reaches: ``.local``, ``localhost``, ``.test``.

    What is left out by its name is ``.invalid``, which nothing ever reaches (RFC 6761). The list
    is the library's own way to say so.
    """
    import email_validator  # noqa: PLC0415  # 0.6 MB, seldom needed

    email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = ["invalid"]
    return email_validator.validate_email


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
