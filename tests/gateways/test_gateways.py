"""Forward auth behind the real gateways, configured as we hand it out (row 54)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import UUID

import pytest

from portal.models import Reason
from portal.services import keys, secrets
from tests.gateways.conftest import MakeKey, Portal
from tests.support.cast import MadeKey
from tests.support.databases import ROOT
from tests.support.gateways import HANDED_OUT, Caddy, Gateway, Headers, Nginx, Service
from tests.support.ports import free_port

Start = Callable[..., Gateway]
Shown = Callable[[MadeKey], Headers]
KINDS: dict[str, type[Gateway]] = {"nginx": Nginx, "caddy": Caddy}
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


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[Gateway]:
    return KINDS[request.param]


@pytest.fixture(scope="session")
def gateway(
    kind: type[Gateway], portal: Portal, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    made = kind(tmp_path_factory.mktemp("gateway") / "home", portal.server.port, service.port)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def start(kind: type[Gateway], service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start one more that asks for other terms: ``start(port_of_the_portal, "5")``."""
    started: list[Gateway] = []

    def run(portal: int, terms: str = "3") -> Gateway:
        made = kind(tmp_path_factory.mktemp("gateway") / "home", portal, service.port, terms)
        made.start()
        started.append(made)
        return made

    yield run
    for made in started:
        made.stop()


def basic(made: MadeKey) -> Headers:
    return list(made.headers.items())


def bearer(made: MadeKey) -> Headers:
    return [("Authorization", f"Bearer {made.secret}")]


def identity(portal: Portal, made: MadeKey, level: int = 4) -> dict[str, str]:
    return {
        "Portal-Account": str(portal.cast.alice.account_id),
        "Portal-Username": "alice",
        "Portal-Role": "user",
        "Portal-Level": str(level),
        "Portal-Key": made.id,
    }


@pytest.mark.parametrize("shown", [basic, bearer], ids=["basic", "bearer"])
def test_a_good_key_gets_through_and_the_service_sees_who_it_is(
    portal: Portal, gateway: Gateway, service: Service, make_key: MakeKey, shown: Shown
) -> None:
    made = make_key(level=3)

    answer = gateway.ask("PUT", "/v1/orders/7?level=9&x=%20y", [*shown(made), ("X-Own", "kept")])

    assert (answer.status, answer.json) == (200, {"from": "the service"})
    seen = service.seen[-1]
    assert (seen.method, seen.path) == ("PUT", "/v1/orders/7?level=9&x=%20y")
    assert seen.named_like("portal") == identity(portal, made, level=3)
    assert seen.named_like("x-own") == {"X-Own": "kept"}
    assert seen.named_like("authorization") == {}
    assert re.fullmatch(r'"minute";r=\d+;t=\d+, "day";r=\d+;t=\d+', answer.headers["RateLimit"])
    assert answer.headers["RateLimit-Policy"].startswith('"minute";q=')


def test_who_has_no_good_key_never_reaches_the_service(
    gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    made, low = make_key(), make_key(level=2)
    before = len(service.seen)
    for shown, status in (
        ([], 401),
        ([("Authorization", "Basic %%%")], 401),
        ([("Authorization", "Bearer nonsense")], 401),
        (basic(MadeKey(made.id, secrets.make_secret("chk"))), 401),
        (bearer(MadeKey(made.id, secrets.make_secret("chk"))), 401),
        (basic(low), 403),
        (bearer(low), 403),
    ):
        answer = gateway.ask("POST", headers=[*shown, *FORGED], body=b"x" * 10_000)
        assert answer.status == status, shown
        assert ('Basic realm="Chatelaine"' in answer.headers.get("WWW-Authenticate", "")) == (status == 401)
    assert len(service.seen) == before


def test_a_revocation_acts_on_the_next_request(portal: Portal, gateway: Gateway, make_key: MakeKey) -> None:
    made = make_key()
    assert gateway.ask(headers=basic(made)).status == 200

    with portal.app.app_context():
        keys.revoke_key(portal.cast.alice.actor, UUID(made.id), reason=Reason.OWNER)

    assert gateway.ask(headers=basic(made)).status == 401


def test_forged_identity_never_reaches_the_service(
    portal: Portal, gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    made = make_key()

    assert gateway.ask(headers=[*FORGED, *basic(made), *FORGED]).status == 200

    assert service.seen[-1].named_like("portal") == identity(portal, made)


def test_a_visitor_can_have_no_true_header_dropped(
    portal: Portal, gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    made = make_key()
    dropped = ", ".join(["close", *identity(portal, made)])

    answer = gateway.ask(headers=[("Connection", dropped), *basic(made), *FORGED])

    assert answer.status == 200
    assert service.seen[-1].named_like("portal") == identity(portal, made)


@pytest.mark.parametrize("odd", [[("Upgrade", "h2c")], [("Upgrade", "h2c"), ("Upgrade", "websocket")]])
def test_no_visitor_may_speak_past_the_gateway(
    gateway: Gateway, service: Service, make_key: MakeKey, odd: Headers
) -> None:
    asked = [*odd, ("Connection", "Upgrade"), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")]

    assert gateway.ask(headers=[*basic(make_key()), *asked]).status == 200

    assert "h2c" not in service.seen[-1].named_like("upgrade").values()


def test_a_websocket_is_let_in_or_refused_as_any_request(
    gateway: Gateway, service: Service, make_key: MakeKey
) -> None:
    asked, before = [("Upgrade", "websocket"), ("Connection", "Upgrade")], len(service.seen)

    assert gateway.ask(headers=asked).status == 401
    assert gateway.ask(headers=[*asked, *basic(make_key(level=2))]).status == 403
    assert len(service.seen) == before
    assert gateway.ask(headers=[*asked, *basic(make_key())]).status == 200
    spoken = service.seen[-1].named_like("upgrade")
    assert spoken == ({} if isinstance(gateway, Nginx) else {"Upgrade": "websocket"})


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
            connection.putrequest("POST", "/v1/orders")
            for name, value in [*shown, ("Transfer-Encoding", "chunked")]:
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
    assert [answer.headers["RateLimit"][:12] for answer in answers[:2]] == ['"minute";r=1', '"minute";r=0']
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


def test_the_method_that_counts_is_the_visitors(portal: Portal, start: Start, make_key: MakeKey) -> None:
    gateway = start(portal.server.port, "3&methods=GET,HEAD")
    shown, forged = basic(make_key()), [("X-Forwarded-Method", "GET"), ("X-Original-Method", "GET")]

    statuses = [gateway.ask(method, headers=[*shown, *forged]).status for method in ("GET", "POST")]

    assert statuses == [200, 403]


def test_nobody_gets_through_when_the_portal_gives_no_answer(
    portal: Portal, start: Start, service: Service, make_key: MakeKey
) -> None:
    headers, before = [*basic(make_key()), *FORGED], len(service.seen)

    away = start(free_port()).ask(headers=headers)
    asked_wrongly = start(portal.server.port, "12").ask(headers=headers)

    assert away.status in {502, 503}
    assert asked_wrongly.status in {400, 503}
    assert len(service.seen) == before


def test_the_readme_shows_what_these_tests_run() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```nginx\n(.*?)```", readme, re.DOTALL)
    recipe = (HANDED_OUT / "nginx.conf").read_text("utf-8")
    lines = [line for line in recipe.splitlines() if not line.startswith("#")]

    assert [block.splitlines() for block in blocks] == [lines]
    assert len(lines) == 10
