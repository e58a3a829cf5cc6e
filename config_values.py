"""How the texts of settings are read and checked; :mod:`config` says which settings there are.

Each reader raises ConfigurationError with one sentence when a text can't be used. That passes
through pydantic as it is, at the first setting that is wrong; it is never raised while an error is
handled that holds a secret, for whoever prints errors may print what they hold.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import ssl
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from config_strength import FEWEST_BITS, estimate_bits
from portal.permissions import Role

PREFIX = "PORTAL_"
MINIMUM_SECRET_BYTES = 32
MINIMUM_SECRET_VARIETY = 10
OF_ANY_CHARACTERS = frozenset({"PORTAL_SECRET_KEY", "PORTAL_MAIL_CA", "PORTAL_LEVELS"})
"""They may have several lines, and no character in them is read as another."""
KEY_HEADER = re.compile(r"(?=.{1,40}$)(X(-[A-Z0-9]+)+|([A-Z0-9]+-)+(KEY|TOKEN))", re.IGNORECASE)


class ConfigurationError(Exception):
    """A setting is wrong, weak or missing; the message says which and what to do."""


def told(default: str, meaning: str) -> Any:
    """The default of a setting, written and read as an operator's text is, and its meaning."""
    return Field(default, description=meaning)


def name_of(info: ValidationInfo) -> str:
    """The environment variable of the setting that is being read."""
    return f"{PREFIX}{info.field_name}".upper()


def read_file(told: str, path: str, encoding: str = "utf-8") -> str:
    """The text of a file that a setting names; ``told`` begins the sentence when it can't be read."""
    try:
        return Path(path).read_text(encoding)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it holds no text in UTF-8"
    raise ConfigurationError(f"{told}: {reason}.")


def text_of(name: str, environ: Mapping[str, str]) -> str:
    """What a variable says, or else the file that is named for it; one that is empty was not set."""
    text, path = environ.get(name, "").strip(), environ.get(f"{name}_FILE", "").strip()
    if text or not path:
        return text
    text = read_file(f"{name}_FILE names a file that can't be read", path).strip()
    if not text:
        raise ConfigurationError(f"{name}_FILE names a file that is empty.")
    return text


def plain(text: str, info: ValidationInfo) -> str:
    """A text of one line; what the environment holds may be any bytes.

    A list may go over several lines, as files hold it; each line ends at a comma.
    """
    if name_of(info) in OF_ANY_CHARACTERS:
        return text
    text = re.sub(r",[\t ]*[\r\n]\s*", ", ", text)
    if not text.isprintable():
        raise ConfigurationError(
            f"{name_of(info)} holds a line's end, a control character, or what is no UTF-8."
        )
    return text


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or its address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(base_url: str) -> bool:
    """Whether a base URL names anything but this machine."""
    return not is_loopback(urlsplit(base_url).hostname or "")


def never_in_public(dangerous: bool, sentence: str) -> AfterValidator:
    """Refuse a switch that is set so where the base URL is public."""

    def check(value: bool, info: ValidationInfo) -> bool:
        if value == dangerous and is_public(info.data["base_url"]):
            raise ConfigurationError(sentence)
        return value

    return AfterValidator(check)


def kept(create: Callable[[], str]) -> BeforeValidator:
    """Have a secret that was not given created once, and kept; a public portal has to be given it."""

    def read(text: str, info: ValidationInfo) -> str:
        if not text and is_public(info.data["base_url"]):
            raise ConfigurationError(
                f"{name_of(info)} is missing, and PORTAL_BASE_URL is public. "
                f"Give it, for example with {name_of(info)}_FILE."
            )
        return text or keep_secret(info.data["instance_path"] / str(info.field_name), create)

    return BeforeValidator(read)


def keep_secret(path: Path, create: Callable[[], str]) -> str:
    """Read a secret that was kept before, or create and keep it, mode 0600.

    Several processes may start at once: the first one to link its file wins, and all
    read that one.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(create())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            Path(temporary).unlink()
    return path.read_text("utf-8", errors="surrogateescape").strip()


def random_text() -> str:
    """A secret of 256 random bits as text."""
    return urlsafe_b64encode(secrets.token_bytes(MINIMUM_SECRET_BYTES)).decode().rstrip("=")


def strong(text: str, info: ValidationInfo) -> str:
    """The text, unless it is too weak to be a secret."""
    encoded = text.encode(errors="replace")
    if encoded.decode() != text:
        raise ConfigurationError(f"{name_of(info)} is no text in UTF-8.")
    is_short = len(encoded) < MINIMUM_SECRET_BYTES or len(set(text)) < MINIMUM_SECRET_VARIETY
    if is_short or estimate_bits(text) < FEWEST_BITS:
        raise ConfigurationError(
            f"{name_of(info)} is weak: give at least {MINIMUM_SECRET_BYTES} random characters, "
            "as from: openssl rand -base64 33."
        )
    return text


def pepper_ring(text: str, info: ValidationInfo) -> dict[str, bytes]:
    """The peppers by their ids, the first one first."""
    ring: dict[str, bytes] = {}
    for pair in text.split(","):
        name, colon, value = pair.strip().partition(":")
        if not colon or not name.isalnum() or len(name) > 16 or name in ring:
            raise ConfigurationError(
                "PORTAL_PEPPERS must be id:value pairs separated by commas, "
                "each id its own, of up to 16 letters and digits."
            )
        ring[name] = strong(value, info).encode()
    return ring


def checked_prefix(text: str) -> str:
    """The prefix of secrets, if it is one."""
    bare = text.replace("_", "")
    if not (text.isascii() and bare.isalnum() and text == text.lower() and len(text) <= 16):
        raise ConfigurationError(
            "PORTAL_KEY_PREFIX must be up to 16 lower-case letters, digits and underscores."
        )
    return text


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


def by_role(text: str, info: ValidationInfo, default: str, highest: int) -> dict[str, int]:
    """The number of each role: ``user=90,support=365``; one without a role is for those not named.

    A role that neither names has its number of the ``default``.
    """
    given: dict[str, int] = {}
    for part in text.split(","):
        role, _, number = part.strip().rpartition("=")
        if role in given:
            raise ConfigurationError(f"{name_of(info)} names {role or 'a number without a role'} twice.")
        if role.strip() not in {"", *Role}:
            raise ConfigurationError(f"{name_of(info)} names a role that is none: {role.strip()}.")
        given[role.strip()] = whole_number(1, highest)(number.strip(), info)
    others = given.get("")
    if others is None:
        return by_role(default, info, default, highest) | given
    return {role.value: given.get(role.value, others) for role in Role}


def whole_number(low: int, high: int) -> Callable[[str, ValidationInfo], int]:
    """Read a whole number within its bounds."""

    def read(text: str, info: ValidationInfo) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20) or not low <= int(text) <= high:
            raise ConfigurationError(f"{name_of(info)} must be a whole number from {low} to {high}.")
        return int(text)

    return read


def or_zero(read: Callable[[str, ValidationInfo], int]) -> Callable[[str, ValidationInfo], int]:
    """Read a number that may be left out; it is 0 then."""
    return lambda text, info: read(text, info) if text else 0


def truth(text: str, info: ValidationInfo) -> bool:
    """Whether it says ``true`` and not ``false``."""
    return one_of("true", "false")(text, info) == "true"


def one_of(*allowed: str) -> Callable[[str, ValidationInfo], str]:
    """Read a word, in any letters, that is one of those that are allowed."""

    def read(text: str, info: ValidationInfo) -> str:
        if text.lower() not in allowed:
            raise ConfigurationError(f"{name_of(info)} must be one of: {', '.join(allowed)}.")
        return text.lower()

    return read


def contact_of(text: str, info: ValidationInfo) -> str:
    """Whom to write to, as security.txt has it: the sender of the mails when nobody is named."""
    if text and not (text.startswith(("mailto:", "https://")) and text.isprintable()):
        raise ConfigurationError("PORTAL_SECURITY_CONTACT must begin with mailto: or https://.")
    return text or "mailto:" + info.data["mail_from"].rpartition("<")[2].rstrip(">").strip()


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
