"""Forward auth behind the real gateways, configured as we hand it out (row 54)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPException, HTTPResponse
from itertools import product
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest

from portal.services.keys import revocation, secrets
from tests.gateways.conftest import FORWARDED_FOR, SECRET, MakeKey, Portal, Portals
from tests.support import forgeries
from tests.support.cast import CreatedKey
from tests.support.databases import ROOT
from tests.support.gateways import (
    HANDED_OUT,
    HOST,
    Caddy,
    Envoy,
    Gateway,
    Headers,
    NewCaddy,
    NewNginx,
    Nginx,
    Service,
    Traefik,
)
from tests.support.lanes import ways
from tests.support.ports import free_port

Start = Callable[..., Gateway]
Shown = Callable[[CreatedKey], Headers]
COPIED = Path(__file__).parent / "copied"
"""The files as they were before PORTAL_PROXY_HEADER was there; somebody has copied them."""


class Way(NamedTuple):
    """A kind of gateway, where its file stands, and what it tells the visitor's address in."""

    kind: type[Gateway]
    header: str
    folder: Path = HANDED_OUT

    def make(self, home: Path, portal: int, service: int, terms: str = "3") -> Gateway:
        """Lay one out; it is not started yet."""
        return self.kind(home, portal, service, terms, header=self.header, folder=self.folder)


WAYS = {
    "nginx": Way(Nginx, FORWARDED_FOR),
    "nginx, by a name of its own": Way(Nginx, SECRET),
    "newer nginx": Way(NewNginx, FORWARDED_FOR),
    "Caddy": Way(Caddy, SECRET),
    "Caddy, by X-Forwarded-For": Way(Caddy, FORWARDED_FOR),
    "newer Caddy": Way(NewCaddy, SECRET),
    "Traefik": Way(Traefik, FORWARDED_FOR),
    "Envoy": Way(Envoy, SECRET),
    "nginx, copied": Way(Nginx, FORWARDED_FOR, COPIED),
    "Caddy, copied": Way(Caddy, FORWARDED_FOR, COPIED),
    "Traefik, copied": Way(Traefik, FORWARDED_FOR, COPIED),
    "Envoy, copied": Way(Envoy, FORWARDED_FOR, COPIED),
}
TOLD_IN = ("Forwarded", "Original")
FORGED: Headers = [
    ("Portal-Account", "1"),
    ("portal-username", "root"),
    ("PORTAL-ROLE", "admin"),
    ("Portal-Level", "9"),
    ("portal-level", "8"),
    ("Portal-Key", "0" * 36),
    ("Portal-Superuser", "yes"),
    ("Portal_Level", "9"),
    ("Portal.Level", "9"),
    ("Portal-Level_", "9"),
    ("Portal!Level", "9"),
]


@pytest.fixture(scope="module", params=ways(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.fixture(scope="module")
def portal(way: Way, portals: Portals) -> Portal:
    return portals(way.header)


@pytest.fixture
def make_key(portal: Portal) -> MakeKey:
    """Make a key: ``make_key(level=2, networks="192.0.2.0/24")``."""
    return portal.make_key


@pytest.fixture(scope="module")
def gateway(
    way: Way, portal: Portal, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    created = way.make(tmp_path_factory.mktemp("gateway") / "home", portal.server.port, service.port)
    created.start()
    yield created
    created.stop()


@pytest.fixture
def start(way: Way, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start one more that asks for other terms: ``start(port_of_the_portal, "5")``."""
    started: list[Gateway] = []

    def run(portal: int, terms: str = "3") -> Gateway:
        created = way.make(tmp_path_factory.mktemp("gateway") / "home", portal, service.port, terms)
        created.start()
        started.append(created)
        return created

    yield run
    for created in started:
        created.stop()


def basic(created: CreatedKey) -> Headers:
    return list(created.headers.items())


def bearer(created: CreatedKey) -> Headers:
    return [("Authorization", f"Bearer {created.secret}")]


def identity(portal: Portal, created: CreatedKey, level: int = 4) -> dict[str, str]:
    return {
        "Portal-Account": str(portal.cast.alice.account_id),
        "Portal-Username": "alice",
        "Portal-Role": "user",
        "Portal-Level": str(level),
        "Portal-Key": created.id,
    }


@pytest.mark.parametrize("shown", [basic, bearer], ids=["basic", "bearer"])
def test_a_good_key_gets_through_and_the_service_sees_who_it_is(
    portal: Portal, gateway: Gateway, service: Service, make_key: MakeKey, shown: Shown
) -> None:
    created = make_key(level=3)

    answer = gateway.ask("PUT", "/v1/orders/7?level=9&x=%20y", [*shown(created), ("X-Own", "kept")])

    assert (answer.status, answer.json) == (200, {"from": "the service"})
    seen = service.seen[-1]
    assert (seen.method, seen.path) == ("PUT", "/v1/orders/7?level=9&x=%20y")
    assert seen.named_like("portal") == identity(portal, created, level=3)
    assert seen.named_like("x-own") == {"X-Own": "kept"}
    assert seen.named_like("authorization") == {}
    limits = (answer.headers.get("RateLimit-Policy", ""), answer.headers.get("RateLimit", ""))
    assert limits[0].startswith('"minute";q=') == gateway.tells_limits
    assert bool(re.fullmatch(r'"minute";r=\d+;t=\d+, "day";r=\d+;t=\d+', limits[1])) == gateway.tells_limits


def test_a_key_in_its_own_header_gets_through_and_stays_here(
    way: Way, portal: Portal, gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    created, other = make_key(level=3), make_key(level=3)
    before = len(service.seen)

    answer = gateway.ask("GET", "/v1/orders", [("X-API-Key", created.secret)])
    two = gateway.ask("GET", "/v1/orders", [("X-API-Key", created.secret), *bearer(other)])

    if way.folder == COPIED:  # of before there was such a header: Caddy passes all on, the others none
        assert answer.status == (200 if way.kind is Caddy else 401)
        return
    assert (answer.status, two.status) == (200, 401)
    [seen] = service.seen[before:]
    assert seen.named_like("portal") == identity(portal, created, level=3)
    assert seen.named_like("x-api-key") == {}
    assert created.secret not in str(seen)


def test_who_has_no_good_key_never_reaches_the_service(
    gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    created, low = make_key(), make_key(level=2)
    before = len(service.seen)
    for shown, status in (
        ([], 401),
        ([("Authorization", "Basic %%%")], 401),
        ([("Authorization", "Bearer nonsense")], 401),
        (basic(CreatedKey(created.id, secrets.create_secret("chk"))), 401),
        (bearer(CreatedKey(created.id, secrets.create_secret("chk"))), 401),
        (basic(low), 403),
        (bearer(low), 403),
    ):
        answer = gateway.ask("POST", headers=[*shown, *FORGED], body=b"x" * 10_000)
        assert answer.status == status, shown
        assert ('Basic realm="Chatelaine"' in answer.headers.get("WWW-Authenticate", "")) == (status == 401)
    assert len(service.seen) == before


def test_a_revocation_acts_on_the_next_request(portal: Portal, gateway: Gateway, make_key: MakeKey) -> None:
    created = make_key()
    assert gateway.ask(headers=basic(created)).status == 200

    with portal.app.app_context():
        revocation.revoke_key(portal.cast.alice.actor, UUID(created.id))

    assert gateway.ask(headers=basic(created)).status == 401


def test_forged_identity_never_reaches_the_service(
    portal: Portal, gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    created = make_key()

    assert gateway.ask(headers=[*FORGED, *basic(created), *FORGED]).status == 200

    assert service.seen[-1].named_like("portal") == identity(portal, created)


def test_a_visitor_can_have_no_true_header_dropped(
    portal: Portal, gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    created = make_key()
    dropped = ", ".join(["close", *identity(portal, created)])

    answer = gateway.ask(headers=[("Connection", dropped), *basic(created), *FORGED])

    assert answer.status == 200
    assert service.seen[-1].named_like("portal") == identity(portal, created)


@pytest.mark.parametrize("odd", [[("Upgrade", "h2c")], [("Upgrade", "h2c"), ("Upgrade", "websocket")]])
def test_no_visitor_may_speak_past_the_gateway(
    gateway: Gateway, service: Service, make_key: MakeKey, odd: Headers
) -> None:
    asked = [*odd, ("Connection", "Upgrade"), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")]

    if gateway.ask(headers=[*basic(make_key()), *asked]).status == gateway.upgrades:
        return
    assert "h2c" not in service.seen[-1].named_like("upgrade").values()


def test_a_websocket_is_let_in_or_refused_as_any_request(
    gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    asked, before = [("Upgrade", "websocket"), ("Connection", "Upgrade")], len(service.seen)

    if gateway.upgrades == 403:
        assert gateway.ask(headers=[*asked, *basic(make_key())]).status == 403
        assert len(service.seen) == before
        return
    assert gateway.ask(headers=asked).status == 401
    assert gateway.ask(headers=[*asked, *basic(make_key(level=2))]).status == 403
    assert len(service.seen) == before
    assert gateway.ask(headers=[*asked, *basic(make_key())]).status == 200
    assert service.seen[-1].named_like("upgrade").get("Upgrade", "") == gateway.upgrades


def test_what_the_service_says_is_left_alone(gateway: Gateway, make_key: MakeKey) -> None:
    answer = gateway.ask("GET", "/broken", basic(make_key()))

    assert (answer.status, answer.json) == (500, {"from": "the service"})


def test_the_question_itself_is_closed_to_visitors(gateway: Gateway, service: Service) -> None:
    before = len(service.seen)

    assert gateway.ask(path="/.chatelaine/authorize").status in {401, 404}
    assert len(service.seen) == before


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_arrives_whole(gateway: Gateway, service: Service, make_key: MakeKey, chunked: bool) -> None:
    body, shown = bytes(range(256)) * 800, basic(make_key())
    if chunked:
        written = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        with closing(gateway.connect()) as connection:
            connection.putrequest("POST", "/v1/orders", skip_host=True)
            for name, value in [("Host", HOST), *shown, ("Transfer-Encoding", "chunked")]:
                connection.putheader(name, value)
            connection.endheaders(written)
            assert connection.getresponse().status == 200
    else:
        assert gateway.ask("POST", headers=shown, body=body).status == 200

    assert service.seen[-1].body == body


def test_a_limit_is_told_with_the_time_to_wait(gateway: Gateway, service: Service, make_key: MakeKey) -> None:
    shown, before = basic(make_key(calls_per_minute=2)), len(service.seen)

    answers = [gateway.ask(headers=shown) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    told = [answer.headers.get("RateLimit", "")[:12] for answer in answers[:2]]
    assert told == (['"minute";r=1', '"minute";r=0'] if gateway.tells_limits else ["", ""])
    assert len(service.seen) == before + 2


def test_the_address_is_the_one_that_the_gateway_sees(gateway: Gateway, make_key: MakeKey) -> None:
    shown = basic(make_key(networks="127.0.0.7/32"))
    names = (
        "X-Forwarded-For",
        "x-forwarded-for",
        "X_Forwarded_For",
        "X.Forwarded.For",
        "Forwarded",
        "X-Real-IP",
    )
    forged = [(name, "127.0.0.7") for name in names]

    assert gateway.ask(headers=shown, source="127.0.0.7").status == 200
    assert gateway.ask(headers=shown, source="127.0.0.8").status == 403
    assert gateway.ask(headers=[*forged, *shown, *forged], source="127.0.0.8").status == 403


@pytest.mark.parametrize(
    "way", ways({name: way for name, way in WAYS.items() if way.kind is not Envoy}), indirect=True
)
def test_the_method_that_counts_is_the_visitors(portal: Portal, start: Start, make_key: MakeKey) -> None:
    gateway = start(portal.server.port, "3&methods=GET,HEAD")
    shown = basic(make_key())
    names = [f"{first}{mark}{last}{mark}Method" for first, last, mark in product("xX", TOLD_IN, "-_")]
    forged = [(name, method) for name in names for method in ("GET", "HEAD")]
    dropped = ("Connection", "close, X-Forwarded-Method, X-Original-Method")

    assert gateway.ask("GET", headers=shown).status == 200
    for headers in ([], forged, [(each, "GET\xff") for each in names], [dropped], [dropped, *forged]):
        assert gateway.ask("GET", "/?method=POST", headers=[*headers, *shown]).status in {200, 403}
        for method in ("POST", "DELETE", "get", "GE%54", "GET&x=1", "GET&method=GET", "M-SEARCH"):
            answer = gateway.ask(method, "/?method=GET&methods=POST", headers=[*headers, *shown, *headers])
            assert answer.status in {400, 403, 405, 500, 503}, (method, headers)


def test_nobody_forges_an_address_past_a_gateway(gateway: Gateway, portal: Portal, make_key: MakeKey) -> None:
    bound = make_key(networks="127.0.0.7/32 127.0.0.1/32").headers["Authorization"].encode()
    told = {}
    for lines in forgeries.by_http1(gateway.header.encode(), b"127.0.0.7"):
        head = [b"GET /v1/orders HTTP/1.1", b"Host: " + HOST.encode(), b"Authorization: " + bound, *lines]
        with closing(gateway.connect("127.0.0.8")) as connection:
            connection.connect()
            connection.sock.sendall(b"\r\n".join([*head, b"", b"0", b"", b""]))
            with suppress(HTTPException, OSError), closing(HTTPResponse(connection.sock)) as response:
                response.begin()
                told[lines] = response.status

    assert {lines: status for lines, status in told.items() if status < 400} == {}
    assert sum(status == 403 for status in told.values()) > len(told) / 3


def test_nobody_gets_through_when_the_portal_gives_no_answer(
    portal: Portal, start: Start, service: Service, make_key: MakeKey
) -> None:
    headers, before = [*basic(make_key()), *FORGED], len(service.seen)

    away_gateway = start(free_port())
    away = away_gateway.ask(headers=headers)
    asked_wrongly = start(portal.server.port, "12").ask(headers=headers)

    assert away.status in away_gateway.lost
    assert asked_wrongly.status in {400, 503}
    assert len(service.seen) == before


PREFLIGHT: Headers = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "PUT")]


def test_a_preflight_passes_only_where_the_operator_says_so(
    way: Way, portal: Portal, start: Start, gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    before = len(service.seen)
    assert gateway.ask("OPTIONS", headers=[*FORGED, *PREFLIGHT]).status == 401
    assert len(service.seen) == before
    if gateway.is_copied:  # of before there was such a word
        return
    opened = start(portal.server.port, "3&preflight=pass")

    assert opened.ask("OPTIONS", headers=[*FORGED, *PREFLIGHT, ("X-API-Key", "")]).status == 200
    [seen] = service.seen[before:]
    assert (seen.method, seen.named_like("portal")) == ("OPTIONS", {})
    assert seen.named_like("access-control") == {"Access-Control-Request-Method": "PUT"}
    low = make_key(level=2)
    forged = [("X-Forwarded-Method", "OPTIONS"), ("X-Original-Method", "OPTIONS")]
    for method, headers, status in (
        ("OPTIONS", [*PREFLIGHT, *basic(low)], 403),
        ("OPTIONS", [*PREFLIGHT, ("X-API-Key", low.secret)], 403),
        ("OPTIONS", PREFLIGHT[:1], 401),
        ("GET", PREFLIGHT, 401),
        ("PUT", [*PREFLIGHT, *forged], 401),
        ("POST", [*PREFLIGHT, ("Connection", "close, Access-Control-Request-Method")], 401),
    ):
        assert opened.ask(method, "/v1/x?preflight=pass&method=OPTIONS", headers).status == status, method
    assert len(service.seen) == before + 1
    assert opened.ask("PUT", headers=[*PREFLIGHT, *basic(make_key())]).status == 200


def test_the_service_may_stand_at_any_port(gateway: Gateway, make_key: MakeKey) -> None:
    answer = gateway.ask(headers=basic(make_key()), host=f"{HOST}:{gateway.port}")

    if gateway.is_copied and isinstance(gateway, Envoy):  # of before this was looked at
        assert answer.status == 404
        return
    assert answer.status == 200


def test_without_the_portal_the_log_holds_no_secret(start: Start) -> None:
    gateway = start(free_port())
    created = CreatedKey("0" * 36, secrets.create_secret("chk"))
    for shown in (
        basic(created),
        bearer(created),
        [("X-API-Key", created.secret)],
        [("x-api-key", created.secret)],
    ):
        assert gateway.ask("POST", headers=shown, body=b"x").status >= 400
    gateway.stop()

    if gateway.is_copied and isinstance(gateway, Caddy):  # of before there was such a header
        return
    told_of_missing_bound = "maxResponseBodySize" in gateway.written()  # as Traefik warns
    assert told_of_missing_bound == (gateway.is_copied and isinstance(gateway, Traefik))
    shown = created.headers["Authorization"].removeprefix("Basic ")
    assert [each for each in (created.secret, shown) if each in gateway.written()] == []


def test_the_readme_shows_what_these_tests_run() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```nginx\n(.*?)```", readme, re.DOTALL)
    recipe = (HANDED_OUT / "nginx.conf").read_text("utf-8")
    lines = [line for line in recipe.splitlines() if not line.startswith("#")]

    assert [block.splitlines() for block in blocks] == [lines]
    assert len(lines) == 10
