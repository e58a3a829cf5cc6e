"""The credentials of HTTP basic authentication (RFC 7617), read strictly."""

from __future__ import annotations

from binascii import a2b_base64
from urllib.parse import unquote_plus

LONGEST_CREDENTIALS = 512
"""Characters of base64; an id, a colon and a secret need less than 200."""

CHALLENGE = 'Basic realm="Chatelaine", charset="UTF-8"'


def read_basic(header: str) -> tuple[str, str] | None:
    """The id and the secret of a Basic header; None for everything that is not quite one.

    Strictly: the scheme in any case, base64 with its padding and nothing else, UTF-8 within,
    a colon, of which the first one splits, and no control characters. Clients of OAuth write
    both parts as in a form before that (RFC 6749, 2.3.1); no id and no secret has a ``%``.
    """
    scheme, _space, token = header.partition(" ")
    if scheme.lower() != "basic" or len(token) > LONGEST_CREDENTIALS:
        return None
    try:
        text = a2b_base64(token.strip(" "), strict_mode=True).decode()
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    if "%" in text:
        user, password = unquote_plus(user), unquote_plus(password)
    return (user, password) if colon and (user + password).isprintable() else None
