"""The credentials of HTTP basic authentication (RFC 7617), read strictly."""

from __future__ import annotations

from binascii import a2b_base64

LONGEST_CREDENTIALS = 512
"""Characters of base64; an id, a colon and a secret need less than 200."""

CHALLENGE = 'Basic realm="Chatelaine", charset="UTF-8"'


def read_basic(header: str) -> tuple[str, str] | None:
    """The id and the secret of a Basic header; None for everything that is not quite one.

    Strictly: the scheme in any case, base64 with its padding and nothing else, UTF-8 within,
    a colon, of which the first one splits, and no control characters.
    """
    scheme, _space, token = header.partition(" ")
    if scheme.lower() != "basic" or len(token) > LONGEST_CREDENTIALS:
        return None
    try:
        text = a2b_base64(token.strip(" "), strict_mode=True).decode()
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon and text.isprintable() else None
