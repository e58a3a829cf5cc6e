"""All doors ask one doorkeeper and so answer alike (rows 50 and 51; rules 2, 3, 4 and 7)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal import clock as times
from portal.api.authorize import is_open, read_terms
from portal.extensions import db
from portal.http.proxy import VISITORS_METHOD
from portal.models import ApiKey, KeyKind
from portal.runtime import runtime_of
from portal.services.accounts import removal
from portal.services.core.transaction import transaction
from portal.services.keys import revocation, rotation, secrets
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, CreatedKey, make_cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.rows import forge

HOME, ABROAD = "192.0.2.10", "203.0.113.9"
GOOD, UNKNOWN = "good", "authenticationFailed"


class Doors:
    """Every door of keys, asked as its callers ask it; each gives the code of its answer."""

    def __init__(self, client: PageChecker, service: CreatedKey) -> None:
        self._client, self._service = client, service

    def __call__(self, shown: CreatedKey, address: str = HOME) -> dict[str, str]:
        place = {"REMOTE_ADDR": address}
        token = {"Authorization": f"Bearer {shown.secret}"}
        ways: dict[str, Callable[[], TestResponse]] = {
            "whoami, fast": lambda: self._get("/api/whoami/key", shown.headers, place),
            "whoami, long": lambda: self._get(
                "/api/whoami/key", shown.headers | {"Accept": "*/*;q=1"}, place
            ),
            "whoami, bearer": lambda: self._get("/api/whoami/key", token, place),
            "list of keys": lambda: self._get("/api/apikeys/key", shown.headers, place),
            "forward auth": lambda: self._get("/api/authorize?level=0", shown.headers, place),
            "forward auth, bearer": lambda: self._get("/api/authorize?level=0", token, place),
            "forward auth, behind a prefix": lambda: self._get(
                "/api/authorize/level/0/v1/users?level=9&token=x", shown.headers, place
            ),
        }
        told = {name: self._code(ask()) for name, ask in ways.items()}
        for name, asked in (("secret", shown.secret), ("pair", f"{shown.id}:{shown.secret}")):
            answer = self._client.post(
                "/api/introspect", data={"token": asked, "address": address}, headers=self._service.headers
            )
            told[f"introspection, {name}"] = GOOD if answer.get_json()["active"] else "inactive"
        many = self._client.post(
            "/api/introspect/batch",
            json={"tokens": [{"token": shown.secret, "address": address}]},
            headers=self._service.headers,
        )
        told["introspection of many"] = GOOD if many.get_json()["tokens"][0]["active"] else "inactive"
        return told

    def _get(self, path: str, headers: dict[str, str], place: dict[str, str]) -> TestResponse:
        return self._client.get(path, headers=headers, environ_overrides=place)

    @staticmethod
    def _code(answer: TestResponse) -> str:
        return GOOD if answer.status_code < 300 else str(answer.get_json()["error"])


@pytest.fixture
def doors(app: Flask, client: PageChecker, cast: Cast) -> Doors:
    return Doors(client, forge(app, cast.ada, kind=KeyKind.SERVICE, level=0))


def alike(told: dict[str, str], code: str) -> bool:
    """Whether all doors say the same; introspection says of every refusal only that it is one."""
    return set(told.values()) <= ({GOOD} if code == GOOD else {code, "inactive"}) and code in told.values()


def in_an_hour() -> object:
    return times.utcnow() + timedelta(hours=1)


CONDITIONS: dict[str, tuple[dict[str, object], str, str]] = {
    "none": ({}, ABROAD, GOOD),
    "from its network": ({"networks": "192.0.2.0/24"}, HOME, GOOD),
    "from another network": ({"networks": "192.0.2.0/24"}, ABROAD, "addressNotAllowed"),
    "from one of two": ({"networks": "2001:db8::/32 203.0.113.0/24"}, ABROAD, GOOD),
    "from IPv6, in": ({"networks": "2001:db8::/32"}, "2001:db8::7", GOOD),
    "from IPv6, not in": ({"networks": "2001:db8::/32"}, "2001:db9::7", "addressNotAllowed"),
    "from IPv4 where IPv6 is allowed": ({"networks": "2001:db8::/32"}, HOME, "addressNotAllowed"),
    "from what is kept out": ({"networks": "!203.0.113.0/24"}, ABROAD, "addressNotAllowed"),
    "from what is not kept out": ({"networks": "!203.0.113.0/24"}, HOME, GOOD),
    "from a hole in its network": ({"networks": "192.0.2.0/24 !192.0.2.10/32"}, HOME, "addressNotAllowed"),
    "used too early": ({"not_before": in_an_hour}, HOME, "apikeyNotYetValid"),
    "a service key": ({"kind": KeyKind.SERVICE, "level": 0}, HOME, "insufficientAccessLevel"),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_hold_at_every_door(app: Flask, cast: Cast, doors: Doors, name: str) -> None:
    columns, address, code = CONDITIONS[name]
    created = {column: value() if callable(value) else value for column, value in columns.items()}
    owner = cast.ada if created.get("kind") == KeyKind.SERVICE else cast.alice

    told = doors(forge(app, owner, **created), address)

    assert alike(told, code), told


def test_the_end_of_a_key_is_the_same_at_every_door(
    app: Flask, cast: Cast, doors: Doors, clock: Clock, make_key: MakeKey, database: Database
) -> None:
    clock.stop()
    lasting = make_key(cast.alice, days=30)
    ends = {
        "expiry": make_key(cast.alice, days=1),
        "rest": forge(app, cast.alice, max_idle=86_400),
        "revocation": make_key(cast.alice),
        "retirement": make_key(cast.alice),
    }
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(ends["revocation"].id))
        old = db.session.get(ApiKey, UUID(ends["retirement"].id))
        assert old
        facts = {"name": old.name, "level": old.level, "replaces_id": old.id}
    forge(app, cast.alice, **facts)
    with app.app_context(), transaction() as session:
        retiring = session.get(ApiKey, facts["replaces_id"])
        assert retiring
        retiring.retires_at = times.utcnow() + timedelta(days=1)
    assert alike(doors(ends["retirement"]), GOOD)
    assert alike(doors(ends["rest"]), GOOD)
    runtime_of(app).usage.flush()

    clock.forward(hours=23, minutes=59)
    assert alike(doors(ends["expiry"]), GOOD)
    clock.forward(minutes=1)

    codes = {
        "expiry": "apikeyExpired",
        "rest": "apikeyExpired",
        "revocation": "apikeyRevoked",
        "retirement": "apikeyRevoked",
    }
    for name, code in codes.items():
        assert alike(doors(ends[name]), code), name
    assert alike(doors(lasting), GOOD)


def test_use_keeps_a_key_awake(app: Flask, cast: Cast, doors: Doors, clock: Clock) -> None:
    clock.stop()
    key = forge(app, cast.alice, max_idle=3600)
    for _ in range(3):
        clock.forward(minutes=59)
        assert alike(doors(key), GOOD)
        runtime_of(app).usage.flush()
    clock.forward(hours=1)

    assert alike(doors(key), "apikeyExpired")


def test_strangers_hear_the_same_at_every_door(cast: Cast, doors: Doors, make_key: MakeKey) -> None:
    created = make_key(cast.alice)

    told = doors(CreatedKey(created.id, secrets.create_secret("chk")))

    assert alike(told, UNKNOWN), told


def introspect(client: PageChecker, by: CreatedKey, **form: str) -> TestResponse:
    return client.post("/api/introspect", data=form, headers=by.headers)


def test_introspection_tells_what_a_good_token_is(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    asking, created = make_key(cast.sue, level=6), make_key(cast.alice, level=3, days=1)

    answer = introspect(client, asking, token=created.secret, token_type_hint="access_token")

    told = answer.get_json()
    assert answer.status_code == 200
    assert told["exp"] - told["iat"] == 86_400
    assert {name: value for name, value in told.items() if name not in {"iat", "exp"}} == {
        "active": True,
        "sub": str(cast.alice.account_id),
        "username": "alice",
        "client_id": created.id,
        "scope": "level:0 level:1 level:2 level:3",
        "iss": "http://127.0.0.1:8000",
        "level": 3,
        "role": "user",
        "token_type": "Bearer",
    }


@pytest.mark.parametrize(
    "token", ["nonsense", "chk_" + "0" * 49, "a:b", "ü" * 20, "x" * 512], ids=lambda token: token[:8]
)
def test_what_is_no_token_of_ours_is_inactive_and_nothing_else(
    client: PageChecker, cast: Cast, make_key: MakeKey, token: str
) -> None:
    answer = introspect(client, make_key(cast.ada, level=6), token=token)

    assert (answer.status_code, answer.get_json()) == (200, {"active": False})


def test_a_key_that_is_bound_to_networks_is_inactive_unless_the_address_is_told(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    asking, bound = make_key(cast.ada, level=6), forge(app, cast.alice, networks="192.0.2.0/24")

    assert introspect(client, asking, token=bound.secret).get_json() == {"active": False}
    assert introspect(client, asking, token=bound.secret, address=HOME).get_json()["active"]
    assert introspect(client, asking, token=bound.secret, address="home").status_code == 400


@pytest.mark.parametrize("accept", ["*/*", "*/*;q=1"], ids=["the short way", "the long way"])
def test_the_address_of_the_service_that_asks_is_not_the_visitors(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, accept: str
) -> None:
    asking, bound = make_key(cast.ada, level=6), forge(app, cast.alice, networks="192.0.2.0/24")
    within = {"headers": asking.headers | {"Accept": accept}, "environ_overrides": {"REMOTE_ADDR": HOME}}

    one = client.post("/api/introspect", data={"token": bound.secret}, **within)
    many = client.post("/api/introspect/batch", json={"tokens": [bound.secret]}, **within)

    assert one.get_json() == {"active": False}
    assert many.get_json()["tokens"] == [{"active": False}]


AUDIENCES = {
    "nobody in particular, of a free key": ("", "", True),
    "orders, of a free key": ("orders", "", True),
    "orders, of a key for orders": ("orders", "orders", True),
    "orders, of a key for two": ("orders", "billing orders", True),
    "orders, of a key for billing": ("orders", "billing", False),
    "orders, of a key for preorders": ("orders", "preorders orders.eu order", False),
    "nobody in particular, of a key for orders": ("", "orders", True),
}
"""Who asks, and what the key is bound to; whoever asks in nobody's name is told the audiences."""


@pytest.mark.parametrize("name", AUDIENCES)
def test_a_key_is_good_only_for_its_audiences(app: Flask, client: PageChecker, cast: Cast, name: str) -> None:
    asked, bound, is_good = AUDIENCES[name]
    service = forge(app, cast.ada, kind=KeyKind.SERVICE, level=0, audiences=asked)
    shown = forge(app, cast.alice, audiences=bound, level=3)
    query = f"&audience={asked}" if asked else ""
    prefix = f"/api/authorize/audience={asked}/level/0" if asked else "/api/authorize/level/0"

    told = {
        "fast": introspect(client, service, token=shown.secret).get_json(),
        "long": client.post(
            "/api/introspect",
            data={"token": shown.secret},
            headers=service.headers | {"Accept": "*/*;q=1"},
        ).get_json(),
        "many": client.post(
            "/api/introspect/batch", json={"tokens": [shown.secret]}, headers=service.headers
        ).get_json()["tokens"][0],
    }
    answers = [
        client.get(path, headers=shown.headers)
        for path in (f"/api/authorize?level=0{query}", f"{prefix}/v1/users?audience=billing", prefix)
    ]

    assert {each["active"] for each in told.values()} == {is_good}, told
    if is_good:
        listed = bound.split(" ") if " " in bound else bound or None
        assert [each.get("aud") for each in told.values()] == [asked or listed] * 3
    assert [answer.status_code < 300 for answer in answers] == [is_good] * 3
    if not is_good:
        assert {answer.get_json()["error"] for answer in answers} == {"audienceNotAllowed"}
        assert client.get("/api/whoami/key", headers=shown.headers).status_code == 200


@pytest.mark.parametrize("audience", ["", "Orders", "a%20b", "a" * 41, "%22", "orders&audience=billing"])
def test_a_gateway_with_a_wrong_audience_lets_nobody_through(
    app: Flask, client: PageChecker, cast: Cast, audience: str
) -> None:
    shown = forge(app, cast.alice)

    asked = client.get(f"/api/authorize?audience={audience}", headers=shown.headers)

    assert asked.status_code == 400
    assert asked.get_json()["error"] in {"audiencesInvalid", "fieldInvalid"}
    if "&" not in audience:
        behind = client.get(f"/api/authorize/audience={audience}/level/0/x", headers=shown.headers)
        assert behind.status_code in {400, 404}


def test_a_key_that_asks_for_others_asks_in_nobodys_name(app: Flask, client: PageChecker, cast: Cast) -> None:
    """What an account's key is bound to is where it may be used, and not who it speaks for."""
    asking = forge(app, cast.ada, level=6, audiences="orders")
    shown = forge(app, cast.alice, audiences="billing")

    assert introspect(client, asking, token=shown.secret).get_json()["aud"] == "billing"


@pytest.mark.parametrize(("level", "status"), [(0, 403), (5, 403), (6, 200), (9, 200)])
def test_who_may_introspect(
    client: PageChecker, cast: Cast, make_key: MakeKey, level: int, status: int
) -> None:
    asking = make_key(cast.ada, level=level)

    for path, sent in (
        ("/api/introspect", {"data": {"token": "x"}}),
        ("/api/introspect/batch", {"json": {"tokens": ["x"]}}),
    ):
        assert client.post(path, headers=asking.headers, **sent).status_code == status  # type: ignore[arg-type]
        assert client.post(path, **sent).status_code == 401  # type: ignore[arg-type]


def test_a_service_key_introspects_and_does_nothing_else(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    service, created = forge(app, cast.ada, kind=KeyKind.SERVICE, level=0), make_key(cast.alice)

    assert introspect(client, service, token=created.secret).get_json()["active"]
    for method, path in (
        ("GET", "/api/whoami/key"),
        ("GET", "/api/authorize"),
        ("GET", "/api/apikeys/key"),
        ("DELETE", f"/api/apikeys/{created.id}/key"),
        ("POST", "/api/revoke"),
    ):
        answer = client.open(path, method=method, headers=service.headers)
        told = answer.get_json()
        assert (answer.status_code, told.get("code", told["error"])) == (403, "insufficientAccessLevel"), path


def test_many_tokens_are_told_in_their_order(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    asking, one, two = make_key(cast.ada, level=6), make_key(cast.alice), make_key(cast.bob)
    tokens = [one.secret, "nonsense", {"token": f"{two.id}:{two.secret}"}]

    answer = client.post("/api/introspect/batch", json={"tokens": tokens}, headers=asking.headers)

    told = answer.get_json()["tokens"]
    assert [each.get("client_id") for each in told] == [one.id, None, two.id]
    for wrong in ([], ["x"] * 101, "x", [7], [""], [{"token": "x", "address": "home"}]):
        answer = client.post("/api/introspect/batch", json={"tokens": wrong}, headers=asking.headers)
        assert answer.status_code == 400, wrong


def test_the_form_is_read_strictly(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    asking = make_key(cast.ada, level=6)
    for path in ("/api/introspect", "/api/revoke"):
        for status, sent in (
            (400, {"data": {}}),
            (415, {"data": {}, "content_type": "text/plain"}),
            (400, {"data": {"token": ""}}),
            (400, {"data": {"token": ["a", "b"]}}),
            (415, {"json": {"token": "a"}}),
            (400, {"query_string": {"token": "a"}, "data": {"token": "a"}}),
        ):
            content = {"content_type": "application/x-www-form-urlencoded"} if sent.get("data") == {} else {}
            answer = client.post(path, headers=asking.headers, **(content | sent))  # type: ignore[arg-type]
            assert answer.status_code == status, (path, sent)


def test_revocation_ends_a_token_at_once(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    asking, created = make_key(cast.alice, level=0), make_key(cast.alice)

    for token in (created.secret, created.secret, "nonsense", secrets.create_secret("chk")):
        answer = client.post("/api/revoke", data={"token": token}, headers=asking.headers)
        assert (answer.status_code, answer.get_json()) == (200, {"result": "success"})

    assert client.get("/api/whoami/key", headers=created.headers).get_json()["error"] == "apikeyRevoked"
    assert client.get("/api/whoami/key", headers=asking.headers).status_code == 200


def test_only_support_revokes_a_token_of_somebody_else(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.bob)
    for asking, status in (
        (make_key(cast.alice), 403),
        (make_key(cast.sue, level=7), 403),
        (make_key(cast.sue, level=8), 200),
    ):
        answer = client.post(
            "/api/revoke", data={"token": f"{created.id}:{created.secret}"}, headers=asking.headers
        )
        assert answer.status_code == status

    assert client.get("/api/whoami/key", headers=created.headers).get_json()["error"] == "apikeyRevoked"


def test_a_token_of_a_removed_account_is_as_revoked_as_any(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    asking, created = make_key(cast.sue, level=8), make_key(cast.bob)
    with app.app_context():
        removal.remove_account(cast.bob.actor, cast.bob.password)

    answer = client.post("/api/revoke", data={"token": created.secret}, headers=asking.headers)

    assert (answer.status_code, answer.get_json()) == (200, {"result": "success"})


def test_forward_auth_tells_the_service_behind_who_it_is(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.sue, level=6)

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = client.open("/api/authorize?level=6", method=method, headers=created.headers)
        assert answer.status_code == 204, method
        assert {n: v for n, v in answer.headers.items() if n.startswith("Portal-")} == {
            "Portal-Account": str(cast.sue.account_id),
            "Portal-Username": "sue",
            "Portal-Role": "support",
            "Portal-Level": "6",
            "Portal-Key": created.id,
        }


WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket"}
FORWARDED: dict[str, tuple[str, dict[str, str], int]] = {
    "too low": ("?level=5", {}, 403),
    "reached": ("?level=4", {}, 204),
    "a page's Accept": ("?level=4", {"Accept": "text/html"}, 204),
    "another host": ("", {"Host": "api.example.org"}, 204),
    "a WebSocket": ("?level=4", WEBSOCKET, 204),
    "a WebSocket, too low": ("?level=5", WEBSOCKET, 403),
    "a WebSocket behind a prefix": ("/level/4/v1/x", WEBSOCKET, 200),
    "an open method": ("?methods=GET,HEAD&method=HEAD", {}, 204),
    "a closed method": ("?methods=GET,HEAD&method=DELETE", {}, 403),
    "a method that only looks open": ("?methods=GET&method=get", {}, 403),
    "one more": ("?methods=POST&method=PO%C5%BFT", {}, 403),
    "a method as the visitor wrote it": ("?methods=GET&method=GE%54", {}, 403),
    "an odd method": ("?methods=GET&method=M-SEARCH", {}, 403),
    "no word for it": ("?methods=GET,HEAD&method=", {}, 403),
    "two words for it": ("?methods=GET,HEAD&method=GET&method=DELETE", {}, 400),
    "a header's word for it": ("?methods=GET,HEAD", {"X-Forwarded-Method": "GET"}, 400),
    "nginx' word for it": ("?methods=GET,HEAD", {"X-Original-Method": "GET"}, 400),
    "the query's word against a header's": (
        "?methods=GET,HEAD&method=DELETE",
        {"X-Forwarded-Method": "GET"},
        403,
    ),
    "its own method": ("?methods=GET", {}, 400),
    "a method that nobody asks for": ("?level=4&method=DELETE", {}, 204),
    "in any case": ("?methods=get&method=GET", {}, 204),
    "a level that is none": ("?level=10", {}, 400),
    "a level that is no number": ("?level=x", {}, 400),
    "two levels": ("?level=4&level=0", {}, 400),
    "a word that is not known": ("?lvl=4", {}, 400),
    "no method": ("?methods=", {}, 400),
    "behind a prefix": ("/level/4/v1/x?level=0", {}, 200),
    "behind a prefix, the root": ("/level/4/?level=0", {}, 200),
    "behind a prefix, an odd path": ("/level/4//x//", {}, 200),
    "behind a prefix, the root, too low": ("/level/5/", {}, 403),
    "behind a prefix, too low": ("/level/5/v1/x?level=0", {}, 403),
    "behind a prefix that is none": ("/level/10/v1/x", {}, 400),
    "a way out of the prefix": ("/level/5/../../authorize?level=0", {}, 403),
}


@pytest.mark.parametrize("name", FORWARDED)
def test_forward_auth_holds_the_terms_of_the_gateway(
    client: PageChecker, cast: Cast, make_key: MakeKey, name: str
) -> None:
    rest, headers, status = FORWARDED[name]

    answer = client.get(f"/api/authorize{rest}", headers=make_key(cast.alice).headers | headers)

    assert answer.status_code == status


ASKS = {"Access-Control-Request-Method": "PUT", "Origin": "https://app.example"}
PREFLIGHTS: dict[str, tuple[str, str, dict[str, str], int]] = {
    "a preflight": ("GET", "?level=3&preflight=pass&method=OPTIONS", ASKS, 204),
    "whatever methods are open": ("GET", "?methods=GET&preflight=pass&method=OPTIONS", ASKS, 204),
    "where the gateway does not say so": ("GET", "?level=3&method=OPTIONS", ASKS, 401),
    "where it asks as the visitor does": ("OPTIONS", "?level=3", ASKS, 401),
    "OPTIONS that is no preflight": ("GET", "?preflight=pass&method=OPTIONS", {"Origin": "https://x.y"}, 401),
    "one that asks for nothing": (
        "GET", "?preflight=pass&method=OPTIONS", {"Access-Control-Request-Method": ""}, 401
    ),
    "another method": ("GET", "?preflight=pass&method=GET", ASKS, 401),
    "in small letters": ("GET", "?preflight=pass&method=options", ASKS, 401),
    "the question's own method": ("OPTIONS", "?preflight=pass", ASKS, 400),
    "a word that is none": ("GET", "?preflight=yes&method=OPTIONS", ASKS, 400),
    "the word twice": ("GET", "?preflight=pass&preflight=pass&method=OPTIONS", ASKS, 400),
    "with something that is no key": (
        "GET", "?preflight=pass&method=OPTIONS", {**ASKS, "Authorization": "Bearer x"}, 401
    ),
    "behind a prefix": ("OPTIONS", "/preflight=pass/level/3/v1/x?level=0", ASKS, 200),
    "behind a prefix, the root": ("OPTIONS", "/preflight=pass/level/3/", ASKS, 200),
    "behind a prefix, another method": ("POST", "/preflight=pass/level/3/v1/x?method=OPTIONS", ASKS, 401),
    "behind a prefix that says no such thing": ("OPTIONS", "/level/3/preflight=pass/level/3", ASKS, 401),
    "behind a prefix, in the visitor's query": ("OPTIONS", "/level/3/v1/x?preflight=pass", ASKS, 401),
}  # fmt: skip


@pytest.mark.parametrize("name", PREFLIGHTS)
def test_a_preflight_passes_where_the_gateway_says_so(client: PageChecker, name: str) -> None:
    method, rest, headers, status = PREFLIGHTS[name]

    answer = client.open(f"/api/authorize{rest}", method=method, headers=headers)

    assert answer.status_code == status
    assert [name for name, _value in answer.headers if name.startswith("Portal-")] == []


@pytest.mark.parametrize(
    "rest", ["?level=3&preflight=pass&method=OPTIONS", "/preflight=pass/level/3/v1/x"], ids=["query", "path"]
)
def test_a_key_that_comes_with_a_preflight_is_checked_as_any(
    client: PageChecker, cast: Cast, make_key: MakeKey, rest: str
) -> None:
    low, good = make_key(cast.alice, level=2), make_key(cast.alice, level=3)

    def ask(headers: dict[str, str]) -> TestResponse:
        return client.open(f"/api/authorize{rest}", method="OPTIONS", headers=ASKS | headers)

    assert ask(low.headers).status_code == ask({"X-API-Key": low.secret}).status_code == 403
    assert ask(good.headers).headers["Portal-Key"] == good.id


HEADERS_OF_A_GATEWAY: dict[str, tuple[dict[str, str], int]] = {
    "Caddy's word, open": ({"X-Forwarded-Method": "GET"}, 204),
    "Caddy's word, closed": ({"X-Forwarded-Method": "DELETE"}, 403),
    "nginx' word, open": ({"X-Original-Method": "HEAD"}, 204),
    "nginx' word, closed": ({"X-Original-Method": "DELETE"}, 403),
    "two words, one of them forged": ({"X-Forwarded-Method": "GET", "X-Original-Method": "DELETE"}, 403),
    "a word that was emptied": ({"X-Forwarded-Method": ""}, 403),
    "no word": ({}, 400),
}


@pytest.mark.parametrize("name", HEADERS_OF_A_GATEWAY)
def test_headers_tell_the_method_where_the_gateway_drops_their_twins(make_app: MakeApp, name: str) -> None:
    app = make_app(PORTAL_TRUSTED_PROXIES="127.0.0.1/32", PORTAL_PROXY_HEADER="X-Forwarded-For")
    told, status = HEADERS_OF_A_GATEWAY[name]
    created, visitor = forge(app, make_cast(app).alice), {"X-Forwarded-For": "192.0.2.1"}

    answer = app.test_client().get(
        "/api/authorize?methods=GET,HEAD", headers=created.headers | visitor | told
    )

    assert answer.status_code == status
    assert status != 400 or answer.get_json()["error"] == "methodMissing"


def test_headers_tell_that_it_is_a_preflight_too(make_app: MakeApp) -> None:
    """Traefik can't write the method into its question."""
    app = make_app(PORTAL_TRUSTED_PROXIES="127.0.0.1/32", PORTAL_PROXY_HEADER="X-Forwarded-For")
    for told, status in (
        ({"X-Forwarded-Method": "OPTIONS"}, 204),
        ({"X-Forwarded-Method": "GET"}, 401),
        ({"X-Forwarded-Method": "OPTIONS", "X-Original-Method": "GET"}, 401),
        ({}, 400),
    ):
        headers = ASKS | told | {"X-Forwarded-For": "192.0.2.1"}
        answer = app.test_client().get("/api/authorize?level=3&preflight=pass", headers=headers)
        assert answer.status_code == status, told


@pytest.mark.sqlite_only(reason="how terms are read has nothing to do with the database")
def test_all_words_for_the_visitors_method_say_the_same() -> None:
    """A gateway sets one of the headers, and may pass the other on as the visitor wrote it."""
    terms = read_terms("methods=GET,HEAD")

    for told, is_fine in (("GET", True), ("DELETE", False)):
        for name, other in (VISITORS_METHOD, VISITORS_METHOD[::-1]):
            assert is_open(terms, {name: "GET", other: told}) is is_fine
            assert is_open(terms, {name: told}) is is_fine


def test_forward_auth_refuses_in_words_that_gateways_pass_on(
    client: PageChecker, cast: Cast, make_key: MakeKey, app: Flask
) -> None:
    created = make_key(cast.alice)
    nobody = client.get("/api/authorize")
    token = client.get("/api/authorize", headers={"Authorization": "Bearer nonsense"})

    assert nobody.status_code == token.status_code == 401
    assert nobody.headers["WWW-Authenticate"] == 'Basic realm="Chatelaine", charset="UTF-8"'
    assert 'error="invalid_token"' in token.headers["WWW-Authenticate"]
    cookie = client.get("/api/authorize", headers={"Cookie": "session=x"})
    assert cookie.status_code == 401
    wide = b64encode(f"{created.id}:{created.secret}".encode()).decode()
    assert client.get("/api/authorize", headers={"Authorization": f"basic {wide}"}).status_code == 204


@pytest.mark.parametrize("path", ["/api/authorize", "/api/authorize/level/0/x"])
def test_forward_auth_is_asked_with_any_method(
    client: PageChecker, cast: Cast, make_key: MakeKey, path: str
) -> None:
    shown = make_key(cast.alice).headers
    for method in ("PROPFIND", "QUERY", "REPORT", "M-SEARCH"):
        assert client.open(path, method=method, headers=shown).status_code in {200, 204}, method
        assert client.open(path, method=method).status_code == 401, method
    for method in ("TRACE", "CONNECT"):
        assert client.open(path, method=method, headers=shown).status_code == 405, method
    if path == "/api/authorize":
        open_to, as_asked = f"{path}?methods=GET,QUERY", {"method": "PROPFIND", "headers": shown}
        assert client.open(f"{open_to}&method=QUERY", **as_asked).status_code == 204
        assert client.open(f"{open_to}&method=PROPFIND", **as_asked).status_code == 403
        assert client.open(open_to, **as_asked).status_code == 400


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_closed_method_spends_no_call_and_is_counted_as_a_refusal(
    app: Flask, client: PageChecker, cast: Cast, database: Database, accept: str
) -> None:
    key = forge(app, cast.alice, calls_per_minute=2, calls_per_day=2)
    headers, asked = key.headers | {"Accept": accept}, "/api/authorize?methods=GET&method="

    answers = [client.get(f"{asked}POST", headers=headers) for _ in range(5)]

    assert {(each.status_code, each.get_json()["error"]) for each in answers} == {(403, "methodNotPermitted")}
    good = [client.post(f"{asked}GET", headers=headers) for _ in range(3)]
    assert [each.status_code for each in good] == [204, 204, 429]
    runtime_of(app).usage.flush()
    refused = dict(database.execute("SELECT reason, refused FROM key_refusals"))
    assert refused == {"methodNotPermitted": 5, "tooManyRequests": 1}


def test_a_key_over_its_limit_is_throttled_at_every_door_and_counted_once(
    app: Flask, client: PageChecker, cast: Cast, doors: Doors, clock: Clock, database: Database
) -> None:
    clock.stop()
    key = forge(app, cast.alice, calls_per_minute=10)

    assert alike(doors(key), GOOD)
    told = doors(key)
    assert alike(told, "tooManyRequests"), told
    runtime_of(app).usage.flush()
    used = "SELECT calls, refused FROM key_usage JOIN api_keys ON id = key_id WHERE calls_per_minute = 10"
    assert database.execute(used) == [(10, 10)]

    answer = client.get("/api/authorize", headers=key.headers)
    wait = int(answer.headers["Retry-After"])
    assert answer.status_code == 429
    clock.forward(seconds=wait)
    assert client.get("/api/authorize", headers=key.headers).status_code == 204


def test_a_stranger_spends_nothing_of_a_key(
    app: Flask, client: PageChecker, cast: Cast, clock: Clock
) -> None:
    clock.stop()
    key = forge(app, cast.alice, calls_per_minute=2)
    for _ in range(5):
        client.get("/api/authorize", auth=(key.id, secrets.create_secret("chk")))

    statuses = [client.get("/api/authorize", headers=key.headers).status_code for _ in range(3)]
    assert statuses == [204, 204, 429]


def test_the_use_of_a_rotated_out_secret_is_told_once_whatever_the_door(
    app: Flask, cast: Cast, doors: Doors, clock: Clock, make_key: MakeKey, database: Database
) -> None:
    old = make_key(cast.alice)
    with app.app_context():
        rotation.rotate_key(cast.alice.actor, UUID(old.id), overlap=timedelta(hours=1))
    assert alike(doors(old), GOOD)
    clock.forward(hours=1)

    for _ in range(2):
        assert alike(doors(old), "apikeyRevoked")

    assert database.execute("SELECT count(*) FROM audit_events WHERE action = 'key:reused'") == [(1,)]
    assert database.execute("SELECT count(*) FROM outbox WHERE kind = 'key-reused'") == [(1,)]
