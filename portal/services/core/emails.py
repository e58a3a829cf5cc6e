"""Addresses of mail: what one is, and what it is found by."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from portal.services.core.errors import InvalidInput

_ENCODED_WORD = re.compile(r"=\?.*\?=")
"""What readers of headers take for other letters (RFC 2047), and so for another address."""


def clean_email(text: str) -> str:
    """A mail address as it is kept; InvalidInput when it is none, or no header can hold it.

    Names of machines and of private networks are fine: the portal runs there too. Whether the
    mail server takes its letters is another question (:mod:`portal.services.accounts.fields`).
    """
    if not text.strip():
        raise InvalidInput("emailMissing", "email")
    try:
        email: str = _validate_email()(
            text.strip(), check_deliverability=False, globally_deliverable=False
        ).normalized
    except ValueError as error:
        raise InvalidInput("emailInvalid", "email") from error
    if _ENCODED_WORD.search(email):
        raise InvalidInput("emailInvalid", "email")
    return email


@cache
def _validate_email() -> Callable[..., Any]:
    """The check of addresses; it takes what only private mail reaches: ``.local``, ``localhost``, ``.test``.

    What is left out by its name is ``.invalid``, which nothing ever reaches (RFC 6761). The list
    is the library's own way to say so.
    """
    import email_validator  # noqa: PLC0415  # 0.6 MB, seldom needed

    email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = ["invalid"]
    return email_validator.validate_email


def email_key(text: str) -> str:
    """What an address is kept and found by, in whichever way it is written.

    That is in any case, with a domain in its own letters or as xn--, composed or not. What is
    no address comes back in small letters, and is found by nothing.
    """
    try:
        return clean_email(text).lower()
    except InvalidInput:
        return text.strip().lower()
