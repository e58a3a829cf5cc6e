"""Where a request comes from, told only by hops that are trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from config import Settings
from portal.http.kept import kept_if_short

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LONGEST_ADDRESS = 80
"""Characters, with brackets, port and zone."""
_MOST_HOPS = 20
_UNBELIEVED = frozenset(
    {
        "HTTP_CLIENT_IP",
        "HTTP_FORWARDED",
        "HTTP_TRUE_CLIENT_IP",
        "HTTP_UPGRADE",
        "HTTP_X_CLIENT_IP",
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PORT",
        "HTTP_X_FORWARDED_PREFIX",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_SCHEME",
        "HTTP_X_FORWARDED_SERVER",
        "HTTP_X_FORWARDED_SSL",
        "HTTP_X_HTTP_METHOD",
        "HTTP_X_HTTP_METHOD_OVERRIDE",
        "HTTP_X_METHOD_OVERRIDE",
        "HTTP_X_ORIGINAL_URL",
        "HTTP_X_REAL_IP",
        "HTTP_X_REQUEST_ID",
        "HTTP_X_REWRITE_URL",
        "HTTP_X_SCRIPT_NAME",
    }
)
"""What nothing below looks at. Of Upgrade, which only hops speak, Flask would make another route."""


class TrustedProxies:
    """Sets ``REMOTE_ADDR`` and ``wsgi.url_scheme``, and drops what anybody could have written.

    X-Forwarded-For is walked from the right, over the trusted hops, to the first that is
    not: what stands left of it is the client's own word. Without a trusted peer nothing of
    it is believed.
    """

    def __init__(self, application: WSGIApplication, settings: Settings) -> None:
        self._application = application
        self._networks = settings.trusted_proxies
        self._is_trusted = lru_cache(4096)(self._is_within)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on with its true address and scheme."""
        peer = canonical_address(environ.get("REMOTE_ADDR") or "")
        if self._networks and self._is_trusted(peer):
            peer = self._walk(peer, environ.get("HTTP_X_FORWARDED_FOR", ""))
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in {"http", "https"}:
                environ["wsgi.url_scheme"] = scheme
        environ["REMOTE_ADDR"] = peer
        for name in _UNBELIEVED & environ.keys():
            del environ[name]
        return self._application(environ, start_response)

    def _walk(self, peer: str, forwarded: str) -> str:
        client = peer
        for hop in reversed(forwarded.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]):
            address = canonical_address(hop)
            if not address:
                break
            client = address
            if not self._is_trusted(address):
                break
        return client

    def _is_within(self, address: str) -> bool:
        return bool(address) and any(ipaddress.ip_address(address) in network for network in self._networks)


@kept_if_short(4096, LONGEST_ADDRESS)
def canonical_address(text: str) -> str:
    """One way to write an address: no port, no brackets, no zone, IPv4 where it is mapped.

    Empty when it is none.
    """
    text = text.strip().strip('"')
    if len(text) > LONGEST_ADDRESS:
        return ""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)
