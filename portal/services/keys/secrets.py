"""The secret of a key: its format, its checksum and the digest that is kept.

``PREFIX_`` + 43 base62 characters (256 random bits) + 6 characters of checksum; between
prefix and characters ``live_`` or ``test_``, where the installation labels its keys. The
checksum is the CRC-32 of every byte before it, in base62 (``0-9A-Za-z``), left-padded
with ``0``. What is kept is HMAC-SHA-256(pepper, secret). A slow password hash would be
wrong here: the secret can't be guessed, and every request would pay for it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from binascii import crc32

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BODY_LENGTH = 43
CHECKSUM_LENGTH = 6
SECRET_BITS = 256
LABELS = ("live_", "test_")
LABEL_LENGTH = 5
_REST = rf"(?:live_|test_)?[0-9A-Za-z]{{{BODY_LENGTH + CHECKSUM_LENGTH}}}"
"""What follows the prefix, as a pattern."""


def base62(number: int, width: int) -> str:
    """Write a number in base62, left-padded with ``0`` to ``width``."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits.rjust(width, "0")


def checksum(text: str) -> str:
    """The six characters that end a secret whose other characters are ``text`` (ASCII)."""
    return base62(crc32(text.encode("ascii")), CHECKSUM_LENGTH)


def create_secret(prefix: str, label: str | None = None, bits: bytes | None = None) -> str:
    """Make a new secret of 256 random bits; ``label`` is ``live`` or ``test``, to be seen in it.

    ``bits`` are the 32 random bytes to make it of, where the same secret has to be made again.
    """
    start = f"{prefix}_{label}_" if label else f"{prefix}_"
    text = start + base62(int.from_bytes(bits or secrets.token_bytes(SECRET_BITS // 8)), BODY_LENGTH)
    return text + checksum(text)


def is_well_formed(secret: str, prefix: str) -> bool:
    """Whether a secret has our prefix, length and checksum; asks nothing of the database."""
    start = len(prefix) + 1
    more = len(secret) - start - BODY_LENGTH - CHECKSUM_LENGTH
    return (
        (more == 0 or (more == LABEL_LENGTH and secret.startswith(LABELS, start)))
        and secret.isascii()
        and secret.startswith(f"{prefix}_")
        and checksum(secret[:-CHECKSUM_LENGTH]) == secret[-CHECKSUM_LENGTH:]
    )


def pattern(prefix: str) -> re.Pattern[str]:
    """What our secrets look like in any text; the checksum tells them from look-alikes.

    Scanners in other languages take it as it is, so it needs no more than RE2 has.
    """
    return re.compile(rf"\b{prefix}_{_REST}\b", re.ASCII)


def hide(text: str, prefix: str) -> str:
    """The text with what looks like our secrets taken out, also from within a longer word."""
    return re.sub(f"{prefix}_{_REST}", f"{prefix}_…", text)


def digest(pepper: bytes, secret: str) -> bytes:
    """The 32 bytes that are kept of a secret: HMAC-SHA-256 under the pepper."""
    return hmac.digest(pepper, secret.encode("ascii"), "sha256")
