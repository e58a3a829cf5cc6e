"""Real proxies in front of the portal, by our files, against visitors who forge (row 74)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.gateways.conftest import FORWARDED_FOR, SECRET, Portal, Portals
from tests.support import forgeries
from tests.support.cast import CreatedKey
from tests.support.fronts import (
    HOST,
    Caddy,
    Envoy,
    Front,
    HAProxy,
    NewCaddy,
    NewHAProxy,
    NewNginx,
    Nginx,
    Traefik,
)
from tests.support.lanes import ways

FORGED = "127.0.0.7"
VISITORS = ("127.0.0.8", "::1")
EACH_OF = {"127.0.0.8": 1, "::1": 5}
"""By IPv6 each fifth forgery will do: the bytes of a request are read by the same code."""
AT_ONCE = 8
WHOAMI = "/api/authorize"
WAYS: dict[str, tuple[type[Front], str]] = {
    "nginx": (Nginx, FORWARDED_FOR),
    "nginx, by a name of its own": (Nginx, SECRET),
    "newer nginx": (NewNginx, FORWARDED_FOR),
    "Caddy": (Caddy, SECRET),
    "Caddy, by X-Forwarded-For": (Caddy, FORWARDED_FOR),
    "newer Caddy": (NewCaddy, SECRET),
    "newer Caddy, by X-Forwarded-For": (NewCaddy, FORWARDED_FOR),
    "Traefik": (Traefik, FORWARDED_FOR),
    "Envoy": (Envoy, SECRET),
    "Envoy, by X-Forwarded-For": (Envoy, FORWARDED_FOR),
    "HAProxy": (HAProxy, SECRET),
    "HAProxy, by X-Forwarded-For": (HAProxy, FORWARDED_FOR),
    "newer HAProxy": (NewHAProxy, SECRET),
}


class Told(NamedTuple):
    """An answer: its status (0 when there was none), and the portal's id of it, if it was the portal's."""

    status: int
    request_id: str = ""


@dataclass(frozen=True)
class Stand:
    """A proxy, with the portal behind it, and a key that works only from where nobody is."""

    front: Front
    portal: Portal
    header: bytes
    bound: CreatedKey

    def by_http1(self, lines: forgeries.Lines, source: str, key: CreatedKey | None = None) -> Told:
        """Send one request, its headers as these bytes, between those that are needed."""
        body = b"0\r\n%b: %b\r\n\r\n" % (self.header, FORGED.encode()) if b"chunked" in lines[-2:][0] else b""
        shown = (key or self.bound).headers["Authorization"].encode()
        closing = () if any(line.startswith(b"Connection:") for line in lines) else (b"Connection: close",)
        head = [
            b"%b %b HTTP/1.1" % (b"POST" if body else b"GET", WHOAMI.encode()),
            b"Host: " + HOST.encode(),
            *closing,
            b"Authorization: " + shown,
            *lines,
        ]
        with self.front.connect(source) as connection:
            return _answer(connection, b"\r\n".join([*head, b"", b""]) + body)

    def by_http2(
        self, headers: tuple[tuple[bytes, bytes], ...], source: str, key: CreatedKey | None = None
    ) -> Told:
        """Send one request by HTTP/2, its headers unchecked."""
        shown = (key or self.bound).headers["Authorization"].encode()
        asked = [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", HOST.encode()),
            (b":path", WHOAMI.encode()),
            (b"authorization", shown),
        ]
        with self.front.connect(source, "h2") as connection:
            return _answer_by_http2(connection, [*asked, *headers])


def _answer(connection: ssl.SSLSocket, written: bytes) -> Told:
    try:
        connection.sendall(written)
        response = HTTPResponse(connection)
        response.begin()
        return Told(response.status, response.headers.get("X-Request-Id", ""))
    except (HTTPException, OSError):
        return Told(0)


def _answer_by_http2(connection: ssl.SSLSocket, headers: list[tuple[bytes, bytes]]) -> Told:
    unchecked = H2Configuration(
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
    )
    spoken = H2Connection(unchecked)
    told = Told(0)
    try:
        spoken.initiate_connection()
        spoken.send_headers(1, headers, end_stream=True)
        connection.sendall(spoken.data_to_send())
        while received := connection.recv(65536):
            for event in spoken.receive_data(received):
                if isinstance(event, ResponseReceived):
                    found = dict(event.headers)
                    told = Told(int(found[b":status"]), found.get(b"x-request-id", b"").decode())
                elif isinstance(event, DataReceived | StreamEnded | StreamReset | ConnectionTerminated):
                    return told
            connection.sendall(spoken.data_to_send())
    except (ProtocolError, OSError):
        pass
    return told


@pytest.fixture(scope="module", params=ways(WAYS))
def stand(
    request: pytest.FixtureRequest, portals: Portals, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    kind, header = WAYS[request.param]
    portal = portals(header)
    front = kind(tmp_path_factory.mktemp("front") / "home", portal.server.port, header)
    front.start()
    bound = portal.make_key(networks=f"{FORGED}/32 127.0.0.1/32")
    yield Stand(front, portal, header.encode(), bound)
    front.stop()


def judge(stand: Stand, tried: Sequence[object], told: Sequence[Told], visitor: str) -> None:
    """Each answer is a refusal, by the proxy or by the portal, that knows where it came from."""
    let_in = [what for what, each in zip(tried, told, strict=True) if 0 < each.status < 400]
    assert let_in == []
    seen = {
        each.request_id: what
        for what, each in zip(tried, told, strict=True)
        if each == (403, each.request_id)
    }
    places = stand.portal.addresses(*seen)
    assert {str(seen[each]): place for each, place in places.items() if place != visitor} == {}
    assert len(seen) > len(tried) / 3, "most of the forgeries reach the portal"


@pytest.mark.parametrize("visitor", VISITORS)
def test_nobody_forges_an_address_by_http1(stand: Stand, visitor: str) -> None:
    tried = list(forgeries.by_http1(stand.header, FORGED.encode()))[:: EACH_OF[visitor]]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(lambda lines: stand.by_http1(lines, visitor), tried))

    judge(stand, tried, told, visitor)


@pytest.mark.parametrize("visitor", VISITORS)
def test_nobody_forges_an_address_by_http2(stand: Stand, visitor: str) -> None:
    tried = list(forgeries.by_http2(stand.header, FORGED.encode()))[:: EACH_OF[visitor]]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = list(pool.map(lambda headers: stand.by_http2(headers, visitor), tried))

    judge(stand, tried, told, visitor)


@pytest.mark.parametrize("visitor", VISITORS)
def test_who_forges_nothing_is_let_in_from_where_it_is(stand: Stand, visitor: str) -> None:
    own = stand.portal.make_key(networks=f"{visitor}/{128 if ':' in visitor else 32}")
    other = next(each for each in VISITORS if each != visitor)

    assert stand.by_http1((b"X-A: b",), visitor, own).status == 204
    assert stand.by_http2((), visitor, own).status == 204
    assert stand.by_http1((b"X-A: b",), other, own).status == 403


class KeepingUnderscores(HAProxy):
    """HAProxy with our file but for the line that drops names with underscores."""

    def command(self) -> list[str]:
        """Lay it out."""
        command = super().command()
        file = self._home / "haproxy.cfg"
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if "del-header" not in line), "utf-8")
        return command


@pytest.mark.parametrize(("header", "are_forged"), [(FORWARDED_FOR, True), (SECRET, False)])
def test_what_no_visitor_knows_holds_also_where_a_proxy_keeps_underscores(
    portals: Portals, tmp_path: Path, header: str, are_forged: bool
) -> None:
    portal = portals(header)
    front = KeepingUnderscores(tmp_path / "home", portal.server.port, header)
    front.start()
    stand = Stand(front, portal, header.encode(), portal.make_key(networks=f"{FORGED}/32 127.0.0.1/32"))
    forged = [
        lines
        for lines in forgeries.by_http1(header.encode(), FORGED.encode())
        if stand.by_http1(lines, VISITORS[0]).status == 204
    ]
    front.stop()

    assert bool(forged) == are_forged, "these forgeries are worth something"
