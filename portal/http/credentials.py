"""What a caller shows at the doors of keys: Basic (RFC 7617), Bearer (RFC 6750) or a header of its own.

Each is read strictly. A request shows one key: where it shows two, which may be two people's,
none counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.http.basic import CHALLENGE, read_basic
from portal.services.keys.secrets import is_well_formed
from portal.services.verify.doorkeeper import Credentials

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BEARER = 'Bearer realm="Chatelaine"'
INVALID_TOKEN = f'{BEARER}, error="invalid_token"'
_SCHEME = "bearer "


def read_credentials(header: str) -> Credentials | None:
    """Key and secret of a Basic header, or the secret of a Bearer one; None for all else."""
    if header[:7].lower() == _SCHEME:
        token = read_bearer(header)
        return Credentials(None, token) if token else None
    pair = read_basic(header)
    return Credentials(*pair) if pair else None


class KeyHeaders:
    """Reads what a request shows: in ``Authorization``, or in one of the headers that are set for keys.

    What stands there and does not look like a secret of this portal is for somebody else.
    """

    def __init__(self, names: tuple[str, ...], prefix: str) -> None:
        """``names`` are those of ``PORTAL_KEY_HEADERS``, ``prefix`` is that of secrets."""
        self._names = tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in names)
        self._prefix = prefix

    def read(self, environ: WSGIEnvironment) -> Credentials | None:
        """The credentials of a request; None where it shows none, what is none, or several that differ."""
        header = environ.get("HTTP_AUTHORIZATION", "")
        shown = [found for name in self._names if (found := self._read_bare(environ.get(name, "")))]
        if not shown:
            return read_credentials(header)
        told = read_credentials(header) if header else shown[0]
        return told if all(are_same(told, other) for other in shown) else None

    def are_there(self, environ: WSGIEnvironment) -> bool:
        """Whether a request shows anything at all."""
        return bool(environ.get("HTTP_AUTHORIZATION")) or any(
            self._read_bare(environ.get(name, "")) for name in self._names
        )

    def _read_bare(self, text: str) -> Credentials | None:
        """A secret alone, or key, colon and secret, as introspection takes them."""
        before, colon, after = text.strip(" ").rpartition(":")
        if not is_well_formed(after, self._prefix):
            return None
        return Credentials(before, after) if colon else Credentials(None, after)


def are_same(one: Credentials | None, other: Credentials | None) -> bool:
    """Whether two are of one key: the secret alone tells that, and ids may not contradict each other."""
    if one is None or other is None:
        return False
    is_free = None in (one.key_id, other.key_id)
    return one.secret == other.secret and (is_free or one.key_id == other.key_id)


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
    return f"{CHALLENGE}, {INVALID_TOKEN}"
