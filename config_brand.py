"""What an operator puts on the portal as their own: its name, and whom people write to.

Part of :class:`config.Settings`; how each text is read and checked stands here as well.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ValidationInfo

from config_values import ConfigurationError, name_of, told

DEFAULT_NAME = "Chatelaine"
LONGEST_NAME = 40
EMAIL = re.compile(r"[!#-'*+\-/-9=?A-Z^-~.]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""An address without quotes, as people write it down (RFC 5322, dot-atom)."""


def brand_name_of(text: str, info: ValidationInfo) -> str:
    """A name that fits beside the mark, into a title and into the sender of a mail."""
    if len(text) > LONGEST_NAME or not any(letter.isalnum() for letter in text):
        raise ConfigurationError(
            f"{name_of(info)} must be a name of up to {LONGEST_NAME} characters, with a letter in it."
        )
    return text


def page_of(text: str, info: ValidationInfo) -> str:
    """The address of a page elsewhere, or nothing."""
    if text and not _is_page(text):
        raise ConfigurationError(f"{name_of(info)} must be the address of a page: https://…")
    return text


def support_of(text: str, info: ValidationInfo) -> str:
    """An email, bare, or the address of a page; nothing when nobody is named."""
    bare = text.removeprefix("mailto:")
    if text and not (EMAIL.fullmatch(bare) or _is_page(text)):
        raise ConfigurationError(f"{name_of(info)} must be an email or the address of a page: https://…")
    return bare


def _is_page(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _port = parts.port
    except ValueError:
        return False
    plain = text.isascii() and not re.search(r"""[\s"'<>\\^`{|}]""", text)
    return bool(plain and parts.scheme == "https" and parts.hostname and "@" not in parts.netloc)


class Brand(BaseModel):
    """The settings that people see."""

    name: Annotated[str, BeforeValidator(brand_name_of)] = told(
        DEFAULT_NAME,
        "What the portal is called on its pages, in its mails and in the description of its API: "
        "up to 40 characters.",
    )
    support_contact: Annotated[str, BeforeValidator(support_of)] = told(
        "",
        "Whom people write to when they need help: an email, or the address of a page (https://…). It is "
        "shown wherever the portal says to write to the people who run it, to a blocked owner too.",
    )

    @property
    def support_link(self) -> str:
        """Where a link to the support leads; empty when nobody is named."""
        if "@" in self.support_contact and not self.support_contact.startswith("https://"):
            return "mailto:" + quote(self.support_contact, safe="@")
        return self.support_contact
