"""What an operator puts on the portal as their own: its name, and whom people write to.

Part of :class:`config.Settings`; how each text is read and checked stands here as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ValidationInfo

from config_levels import levels_of
from config_looks import Accent, Logo, accent_of, logo_of
from config_values import ConfigurationError, name_of, told

DEFAULT_NAME = "Chatelaine"
LONGEST_NAME, LONGEST_NOTE = 40, 300
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


def note_of(text: str, info: ValidationInfo) -> str:
    """A sentence or two."""
    if len(text) > LONGEST_NOTE:
        raise ConfigurationError(f"{name_of(info)} must be {LONGEST_NOTE} characters or fewer.")
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
        "What the portal is called on its pages, in its emails and in the description of its API: "
        "up to 40 characters.",
    )
    support_contact: Annotated[str, BeforeValidator(support_of)] = told(
        "",
        "Whom people write to when they need help: an email, or the address of a page (https://…). It is "
        "shown wherever the portal says to write to the people who run it, to a blocked owner too.",
    )

    logo: Annotated[Logo | None, BeforeValidator(logo_of)] = told(
        "",
        "File with a PNG or SVG of up to 256 kB that stands beside the name; a square one in the browser's "
        "tab too. An SVG must hold no script and take nothing from elsewhere. Default: Chatelaine's mark.",
    )
    accent: Annotated[Accent | None, BeforeValidator(accent_of)] = told(
        "",
        "Colour of links and of the one main button (#3d3a8c), or two with a comma: for light pages and for "
        "dark ones. Its contrast to each ground must be 4.5 at least. Default: Chatelaine's.",
    )
    terms_url: Annotated[str, BeforeValidator(page_of)] = told(
        "", "Address of the terms of use (https://…), linked at the foot of every page."
    )
    privacy_url: Annotated[str, BeforeValidator(page_of)] = told(
        "", "Address of the privacy policy (https://…), linked at the foot of every page."
    )
    api_docs_url: Annotated[str, BeforeValidator(page_of)] = told(
        "",
        "Address of the documentation of the API that the keys are for (https://…), linked beside the "
        "portal's own.",
    )
    sign_in_note: Annotated[str, BeforeValidator(note_of)] = told(
        "", "A sentence for the page where people sign in, of up to 300 characters."
    )

    levels: Annotated[Mapping[int, str], BeforeValidator(levels_of)] = told(
        "",
        "What the levels open at your API, each in a sentence of up to 60 characters, as JSON "
        '({"3": "Write patterns"}) or TOML (3 = "Write patterns"); PORTAL_LEVELS_FILE names a file that '
        "holds them. A level that is not named keeps the portal's sentence.",
    )

    @property
    def support_link(self) -> str:
        """Where a link to the support leads; empty when nobody is named."""
        if "@" in self.support_contact and not self.support_contact.startswith("https://"):
            return "mailto:" + quote(self.support_contact, safe="@")
        return self.support_contact
