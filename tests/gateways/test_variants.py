"""Each file that we hand out, as people run it: at another port, without the portal, asked in the clear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import NamedTuple

import pytest

from tests.gateways.conftest import FORWARDED_FOR, SECRET, Portal, Portals
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
    Secure,
    Traefik,
)
from tests.support.lanes import ways
from tests.support.ports import free_port
from tests.support.wire import TIMEOUT, Answer

ELSEWHERE = f"{HOST}:8443"
FRONTS: dict[str, tuple[type[Front], str]] = {
    "nginx": (Nginx, FORWARDED_FOR),
    "newer nginx": (NewNginx, FORWARDED_FOR),
    "Caddy": (Caddy, SECRET),
    "newer Caddy": (NewCaddy, SECRET),
    "Traefik": (Traefik, FORWARDED_FOR),
    "Envoy": (Envoy, SECRET),
    "HAProxy": (HAProxy, SECRET),
    "newer HAProxy": (NewHAProxy, SECRET),
}
TOKEN = "aDolmEvVy02ehKwK2XSq-canary"
KEPT = "chk_canary0canary0canary0canary0canary0canary0canary0"
BASIC = {"Authorization": f"Basic {KEPT}"}
OWN = {"X-API-Key": KEPT}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


NO_HEADERS: dict[str, str] = {}


class Sent(NamedTuple):
    """A request that is made in the clear."""

    method: str
    path: str
    headers: dict[str, str] = NO_HEADERS
    body: bytes | None = None


REFUSED = [
    Sent("GET", "/api/whoami/key", BASIC),
    Sent("GET", "/api/whoami/key", OWN),
    Sent("GET", "/api/whoami/key"),
    Sent("POST", "/api/apikeys/key", {**BASIC, "Content-Type": "application/json"}, b"{}"),
    Sent("POST", "/api/signin", {"Content-Type": "application/json"}, b'{"password": "x"}'),
    Sent("POST", "/api/introspect", FORM, b"token=x"),
    Sent("DELETE", "/api/apikeys/x/key", BASIC),
    Sent("OPTIONS", "/api/whoami/key", {"Access-Control-Request-Method": "GET"}),
    Sent("POST", "/signin", FORM, b"password=x"),
    Sent("POST", f"/password/reset/{TOKEN}", FORM, b"password=x"),
    Sent("GET", "/keys/api/whoami/key"),
    Sent("GET", "/metrics", BASIC),
    Sent("GET", "/metrics", OWN),
    Sent("HEAD", "/api/whoami/key"),
    Sent("GET", "/%61pi/whoami/key"),
    Sent("GET", "/static/../api/whoami/key", BASIC),
    Sent("GET", "//api/whoami/key"),
    Sent("GET", "/", BASIC),
]
TOLD = {"result": "error", "error": "httpsRequired", "message": f"https://{ELSEWHERE}. revoke that key"}
LED_ON = [Sent("GET", "/"), Sent("GET", "/signin?next=%2Faccount%2Fkeys"), Sent("HEAD", "/docs")]


@pytest.fixture(scope="module", params=ways(FRONTS))
def kind(request: pytest.FixtureRequest) -> tuple[type[Front], str]:
    return FRONTS[request.param]


@pytest.fixture(scope="module")
def portal(kind: tuple[type[Front], str], portals: Portals) -> Portal:
    return portals(kind[1], ELSEWHERE)


@pytest.fixture(scope="module")
def front(
    kind: tuple[type[Front], str], portal: Portal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    created = kind[0](tmp_path_factory.mktemp("front") / "home", portal.server.port, kind[1], ELSEWHERE)
    created.start()
    yield created
    created.stop()


def ask_in_clear(front: Front, sent: Sent) -> Answer:
    with closing(HTTPConnection("127.0.0.1", front.clear_port, timeout=TIMEOUT)) as connection:
        connection.request(sent.method, sent.path, sent.body, {"Host": HOST, **sent.headers})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def test_what_may_hold_a_secret_is_refused_in_the_clear(front: Front) -> None:
    answers = [(sent, ask_in_clear(front, sent)) for sent in REFUSED]

    assert [sent for sent, answer in answers if answer.status != front.refusal_in_clear] == []
    assert [sent for sent, answer in answers if "Location" in answer.headers] == []
    if front.refusal_in_clear != 403:
        return
    for sent, answer in answers:
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        told = answer.json if sent.method != "HEAD" else TOLD
        assert {**told, "message": ""} == {**TOLD, "message": ""}
        assert f"https://{ELSEWHERE}." in told["message"]
        assert "revoke that key" in told["message"]


def test_who_comes_to_a_page_is_led_to_https_at_its_port(front: Front) -> None:
    answers = [(sent, ask_in_clear(front, sent)) for sent in LED_ON]

    for sent, answer in answers:
        assert answer.status in {301, 308}
        assert answer.headers["Location"] == f"https://{ELSEWHERE}{sent.path}"


def test_the_portal_works_at_another_port(front: Front, portal: Portal) -> None:
    created = portal.make_key()
    with Secure(front, ELSEWHERE) as wire:
        assert wire.get("/api/whoami/key", **created.headers).status == 200
        assert wire.get("/api/authorize", **created.headers).status == 204
        alice = portal.cast.alice
        wire.headers |= {"Origin": f"https://{ELSEWHERE}", "Sec-Fetch-Site": "same-origin"}
        signed = wire.submit("/signin", {"username": alice.email, "password": alice.password})
        assert (signed.status, signed.headers["Location"]) == (303, "/account")
        assert wire.get("/account/keys").status == 200


def test_the_portal_works_below_a_path(
    kind: tuple[type[Front], str], portals: Portals, tmp_path_factory: pytest.TempPathFactory
) -> None:
    portal = portals(kind[1], f"{HOST}/keys")
    front = kind[0](tmp_path_factory.mktemp("front") / "home", portal.server.port, kind[1], HOST)
    front.start()
    created, alice = portal.make_key(), portal.cast.alice
    with Secure(front, HOST) as wire:
        assert wire.get("/keys/api/whoami/key", **created.headers).status == 200
        assert wire.get("/api/whoami/key", **created.headers).status == wire.get("/signin").status == 404
        told = wire.get("/.well-known/oauth-authorization-server/keys").json
        assert told["introspection_endpoint"] == f"https://{HOST}/keys/api/introspect"
        wire.headers |= {"Origin": f"https://{HOST}", "Sec-Fetch-Site": "same-origin"}
        signed = wire.submit("/keys/signin", {"username": alice.email, "password": alice.password})
        assert (signed.status, signed.headers["Location"]) == (303, "/keys/account")
        assert "__Secure-session=" in signed.headers["Set-Cookie"]
        assert "Path=/keys;" in f"{signed.headers['Set-Cookie']};"
        page = wire.get("/keys/account/keys").page
        links = [str(tag.get("href") or tag.get("action")) for tag in page.select("[href], form[action]")]
        assert [link for link in links if not link.startswith(("/keys", "#", "data:"))] == []
        assert [wire.get(link).status for link in links if "/static/" in link] != []
    front.stop()


def test_without_the_portal_no_log_holds_what_opens_something(
    kind: tuple[type[Front], str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    front = kind[0](tmp_path_factory.mktemp("front") / "home", free_port(), kind[1], HOST)
    front.start()
    tried = [
        Sent("GET", f"/confirm/{TOKEN}"),
        Sent("POST", f"/password/reset/{TOKEN}", FORM, b"password=x"),
        *(Sent("GET", f"/{door}/{TOKEN}") for door in ("setup", "unlock", "confirm-email", "stop-email")),
        Sent("POST", f"/api/confirm/signup/{TOKEN}"),
        Sent("GET", f"/keys/confirm/{TOKEN}"),
        Sent("POST", f"/confirm/{TOKEN}", FORM, b"x" * 3_000_000),
        Sent("GET", "/api/whoami/key", BASIC),
        Sent("GET", "/api/whoami/key", OWN),
        Sent("POST", "/api/signin", {}, f'{{"password": "{KEPT}"}}'.encode()),
        Sent("GET", "/account/keys", {"Cookie": f"__Host-session={KEPT}"}),
    ]
    told = []
    for sent in tried:
        with Secure(front, HOST) as wire:
            told.append(wire.ask(sent.method, sent.path, sent.body, sent.headers).status)
    ask_in_clear(front, Sent("GET", f"/confirm/{TOKEN}"))
    front.stop()

    assert set(told) <= {413, 502, 503, 504}
    written = front.written()
    assert TOKEN not in written
    assert KEPT not in written
