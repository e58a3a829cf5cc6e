"""What a caller shows at the doors of keys: Basic (RFC 7617) or Bearer (RFC 6750), read strictly."""

from __future__ import annotations

from portal.http.basic import CHALLENGE, read_basic
from portal.services.doorkeeper import Credentials

BEARER = 'Bearer realm="Chatelaine"'
_SCHEME = "bearer "


def read_credentials(header: str) -> Credentials | None:
    """Key and secret of a Basic header, or the secret of a Bearer one; None for all else."""
    if header[:7].lower() == _SCHEME:
        token = read_bearer(header)
        return Credentials(None, token) if token else None
    pair = read_basic(header)
    return Credentials(*pair) if pair else None


def read_bearer(header: str) -> str | None:
    """The token of a Bearer header; None for everything that is not quite one."""
    scheme, _space, token = header.partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token.isascii() or " " in token:
        return None
    return token or None


def challenge_for(header: str) -> str:
    """What a 401 asks for: Basic, and of a tool that speaks Bearer also that its token be good."""
    if header[:7].lower() != _SCHEME:
        return CHALLENGE
    return f'{CHALLENGE}, {BEARER}, error="invalid_token"'
