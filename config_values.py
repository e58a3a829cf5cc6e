"""How the texts of settings are read and checked; :mod:`config` says which settings there are.

Each function raises ConfigurationError with one sentence when a text can't be used.
"""

from __future__ import annotations

import os
import re
import secrets
import ssl
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from config_strength import FEWEST_BITS, estimate_bits
from portal.permissions import Role

MINIMUM_SECRET_BYTES = 32
MINIMUM_SECRET_VARIETY = 10
KEY_HEADER = re.compile(r"(?=.{1,40}$)(X(-[A-Z0-9]+)+|([A-Z0-9]+-)+(KEY|TOKEN))", re.IGNORECASE)


class ConfigurationError(Exception):
    """A setting is wrong, weak or missing; the message says which and what to do."""


def plain(name: str, text: str) -> str:
    """A text of one line; what the environment holds may be any bytes.

    A list may go over several lines, as files hold it; each line ends at a comma.
    """
    text = re.sub(r",[\t ]*[\r\n]\s*", ", ", text)
    if not text.isprintable():
        raise ConfigurationError(f"{name} holds a line's end, a control character, or what is no UTF-8.")
    return text


def keep_secret(path: Path, make: Callable[[], str]) -> str:
    """Read a secret that was kept before, or make and keep it, mode 0600.

    Several processes may start at once: the first one to link its file wins, and all
    read that one.
    """
    if not path.exists():
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            Path(temporary).unlink()
    return path.read_text("ascii").strip()


def random_text() -> str:
    """A secret of 256 random bits as text."""
    return urlsafe_b64encode(secrets.token_bytes(MINIMUM_SECRET_BYTES)).decode().rstrip("=")


def strong(name: str, value: str) -> str:
    """The value, unless it is too weak to be a secret."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"PORTAL_{name} is no text in UTF-8.") from error
    is_short = size < MINIMUM_SECRET_BYTES or len(set(value)) < MINIMUM_SECRET_VARIETY
    if is_short or estimate_bits(value) < FEWEST_BITS:
        raise ConfigurationError(
            f"PORTAL_{name} is weak: give at least {MINIMUM_SECRET_BYTES} random characters, "
            "as from: openssl rand -base64 33."
        )
    return value


def pepper_ring(text: str) -> dict[str, bytes]:
    """The peppers by their ids, the first one first."""
    ring: dict[str, bytes] = {}
    for pair in text.split(","):
        name, colon, value = pair.strip().partition(":")
        if not colon or not name.isalnum() or len(name) > 16 or name in ring:
            raise ConfigurationError(
                "PORTAL_PEPPERS must be id:value pairs separated by commas, "
                "each id its own, of up to 16 letters and digits."
            )
        ring[name] = strong("PEPPERS", value).encode()
    return ring


def checked_prefix(value: str) -> str:
    """The prefix of secrets, if it is one."""
    plain = value.replace("_", "")
    if not (value.isascii() and plain.isalnum() and value == value.lower() and len(value) <= 16):
        raise ConfigurationError(
            "PORTAL_KEY_PREFIX must be up to 16 lower-case letters, digits and underscores."
        )
    return value


def key_headers_of(text: str) -> tuple[str, ...]:
    """Names of headers that nothing else has a meaning for, separated by commas, or none."""
    names = [] if text.lower() == "none" else [name.strip() for name in text.split(",")]
    for name in names:
        if not KEY_HEADER.fullmatch(name) or name.lower().startswith(("x-forwarded-", "x-original-")):
            raise ConfigurationError(
                "PORTAL_KEY_HEADERS must be names like X-API-Key, separated by commas: each begins with X- "
                "or ends in -Key or -Token, and is none that proxies set."
            )
    return tuple(names)


def by_role(name: str, text: str, default: str, highest: int) -> dict[str, int]:
    """The number of each role: ``user=90,support=365``; one without a role is for those not named.

    A role that neither names has its number of the ``default``.
    """
    given: dict[str, int] = {}
    for part in text.split(","):
        role, _, number = part.strip().rpartition("=")
        if role in given:
            raise ConfigurationError(f"PORTAL_{name} names {role or 'a number without a role'} twice.")
        if role.strip() not in {"", *Role}:
            raise ConfigurationError(f"PORTAL_{name} names a role that is none: {role.strip()}.")
        given[role.strip()] = whole_number(name, number.strip(), 1, highest)
    others = given.get("")
    if others is None:
        return by_role(name, default, default, highest) | given
    return {role.value: given.get(role.value, others) for role in Role}


def whole_number(name: str, text: str, low: int, high: int) -> int:
    """A whole number within its bounds."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or not low <= int(text) <= high:
        raise ConfigurationError(f"PORTAL_{name} must be a whole number from {low} to {high}.")
    return int(text)


def truth(name: str, text: str) -> bool:
    """Whether it says ``true`` and not ``false``."""
    return one_of(name, text.lower(), "true", "false") == "true"


def one_of(name: str, value: str, *allowed: str) -> str:
    """The value, if it is one of those that are allowed."""
    if value not in allowed:
        raise ConfigurationError(f"PORTAL_{name} must be one of: {', '.join(allowed)}.")
    return value


def contact_of(text: str) -> str:
    """Whom to write to, as security.txt has it; nothing when none is named."""
    if text and not (text.startswith(("mailto:", "https://")) and text.isprintable()):
        raise ConfigurationError("PORTAL_SECURITY_CONTACT must begin with mailto: or https://.")
    return text


def certificates_of(text: str) -> str:
    """Certificates in PEM; nothing when there are none."""
    try:
        if text:
            ssl.create_default_context(cadata=text)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            "PORTAL_MAIL_CA must be certificates in PEM; PORTAL_MAIL_CA_FILE names a file that holds them."
        ) from error
    return text


def bare_address(sender: str) -> str:
    """The mail address of a sender, without the name."""
    return sender.rpartition("<")[2].rstrip(">").strip()
