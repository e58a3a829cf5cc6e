"""Where a request comes from: told by one header, that the settings name, of hops that they trust.

The server makes one name of ``X-Forwarded-For`` and ``X_Forwarded_For``, and empties a value
with a byte above 127, before anything here can see it. So no header is believed whose name a
visitor could write in another way past the proxy: see ``docs/decisions/0017-proxies.md``.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from config import Settings
from config_addresses import FORWARDED_FOR
from portal.http.kept import kept_if_short

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

UNCLEAR = "portal.source_unclear"
"""Where in a request it stands that its proxy tells no address; the gate refuses it."""

VISITORS_METHOD = ("HTTP_X_FORWARDED_METHOD", "HTTP_X_ORIGINAL_METHOD")
"""Left in a request only where they can be believed."""

QUIET = 3600.0
"""Seconds between two complaints of a worker about its proxy."""

LONGEST_IP_ADDRESS = 80
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
        *VISITORS_METHOD,
    }
)
"""What nothing below looks at. Of Upgrade, which only hops speak, Flask would make another route."""

PEER = "portal.peer"
"""Where in a request the other end of its connection stands: the client, or the proxy before it."""

log = logging.getLogger(__name__)


class TrustedProxies:
    """Sets ``REMOTE_ADDR`` and ``wsgi.url_scheme``, and drops what anybody could have written.

    The one header that the settings name is walked from the right, over the trusted hops, to
    the first that is not: what stands left of it is the client's own word. It is read only of
    a trusted peer. Where it is not there, the peer itself asks; where it names no address,
    nobody knows who does, and the request is refused. The scheme is that of the base URL.
    """

    def __init__(self, application: WSGIApplication, settings: Settings) -> None:
        self._application = application
        self._networks = settings.trusted_proxies
        self._header = f"HTTP_{settings.proxy_header.upper().replace('-', '_')}"
        self._drops_twins = settings.proxy_header == FORWARDED_FOR
        self._scheme = urlsplit(settings.base_url).scheme
        self._is_trusted = kept_if_short(4096, LONGEST_IP_ADDRESS)(self._is_in_a_network)
        self._lock, self._next_complaint = threading.Lock(), 0.0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on with its true address and scheme."""
        peer = client = canonical_ip_address(environ.get("REMOTE_ADDR") or "")
        from_proxy = bool(self._networks) and self._is_trusted(peer)
        if from_proxy:
            told = environ.pop(self._header, None)
            client = peer if told is None else self._walk(peer, told)
            if told is None or not client:
                self._complain(peer, "is not there" if told is None else "names no address")
        environ["REMOTE_ADDR"], environ[PEER] = client or peer, peer
        environ["wsgi.url_scheme"] = self._scheme
        if peer and not client:
            environ[UNCLEAR] = True
        kept = VISITORS_METHOD if from_proxy and self._drops_twins else ()
        for name in _UNBELIEVED & environ.keys():
            if name not in kept:
                del environ[name]
        return self._application(environ, start_response)

    def _walk(self, peer: str, told: str) -> str:
        """The last address that a trusted hop tells; empty when one of them tells none."""
        client, rest = peer, told
        for _hop in range(_MOST_HOPS):
            rest, comma, hop = rest.rpartition(",")
            client = canonical_ip_address(hop)
            if not (comma and client and self._is_trusted(client)):
                break
        return client

    def _is_in_a_network(self, ip_address: str) -> bool:
        return bool(ip_address) and any(
            ipaddress.ip_address(ip_address) in network for network in self._networks
        )

    def _complain(self, peer: str, what: str) -> None:
        """Tell the operator that a proxy does not tell, once in a while and not for each request."""
        with self._lock:
            if monotonic() < self._next_complaint:
                return
            self._next_complaint = monotonic() + QUIET
        log.warning("a request through %s: the header of PORTAL_PROXY_HEADER %s", peer, what)


@kept_if_short(4096, LONGEST_IP_ADDRESS)
def canonical_ip_address(text: str) -> str:
    """One way to write an address: no port, no brackets, no zone, IPv4 where it is mapped.

    Empty when it is none.
    """
    text = text.strip().strip('"')
    if len(text) > LONGEST_IP_ADDRESS:
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
