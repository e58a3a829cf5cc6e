"""The client asks the real application: who is let in, and what it keeps."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import Depends, FastAPI
from flask import Flask, g

from portal.services.keys import revocation, secrets
from tests.clients.conftest import MakePortal
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.rows import forge

pytestmark = pytest.mark.sqlite_only(reason="it speaks HTTP; the doors have their tests on both")


def ways(created: CreatedKey) -> list[str]:
    basic = created.headers["Authorization"]
    return [
        basic,
        basic.replace("Basic", "basic"),
        f"Bearer {created.secret}",
        created.secret,
        f"{created.id}:{created.secret}",
    ]


def refusal(module: ModuleType, portal: Any, shown: str | None, **asked: Any) -> Any:
    with pytest.raises(module.Refused) as caught:
        portal.check(shown, **asked)
    return caught.value


def test_a_good_key_is_told_however_it_is_shown(
    make_portal: MakePortal, cast: Cast, make_key: MakeKey
) -> None:
    portal, created = make_portal(), make_key(cast.alice, level=3, days=1)

    for shown in ways(created):
        visitor = portal.check(shown, level=3)
        assert (visitor.account, visitor.username, visitor.role) == (
            str(cast.alice.account_id),
            "alice",
            "user",
        )
        assert (visitor.level, visitor.key) == (3, created.id)
        assert created.secret not in repr(visitor) + repr(vars(portal))


def test_what_is_not_a_good_key_is_refused(
    client_module: ModuleType, app: Flask, make_portal: MakePortal, cast: Cast, make_key: MakeKey
) -> None:
    portal, created = make_portal(), make_key(cast.alice, level=3)
    bound = forge(app, cast.alice, networks="192.0.2.0/24")
    spent = forge(app, cast.alice, calls_per_minute=1)
    wrong = CreatedKey(created.id, secrets.create_secret("chk"))
    nothing = [
        None,
        "",
        "Basic",
        "Basic %%%",
        "Basic bm8=",
        "Digest x",
        f"Bearer {created.id}:{created.secret}",
        "x" * 513,
    ]
    for shown in (*nothing, *ways(wrong), "nonsense", "Bearer ü", created.id):
        refused = refusal(client_module, portal, shown)
        assert isinstance(refused, client_module.NotAuthenticated), shown
        assert (refused.status, list(refused.headers)) == (401, ["WWW-Authenticate"])

    assert isinstance(refusal(client_module, portal, created.secret, level=4), client_module.Forbidden)
    assert isinstance(refusal(client_module, portal, bound.secret), client_module.NotAuthenticated)
    assert portal.check(bound.secret, address="192.0.2.7").key == bound.id
    portal.check(spent.secret)
    throttled = refusal(client_module, portal, spent.secret)
    assert isinstance(throttled, client_module.Throttled)
    assert 1 <= throttled.retry_after <= 60
    assert throttled.headers == {"Retry-After": str(throttled.retry_after)}


def test_nothing_is_kept_unless_it_is_allowed(
    client_module: ModuleType,
    app: Flask,
    make_portal: MakePortal,
    cast: Cast,
    make_key: MakeKey,
    clock: Clock,
) -> None:
    clock.stop()
    fresh, keeping, created = make_portal(), make_portal(cache_seconds=30), make_key(cast.alice)
    assert fresh.check(created.secret) == keeping.check(created.secret)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(created.id))

    assert refusal(client_module, fresh, created.secret).status == 401
    clock.forward(seconds=29)
    assert keeping.check(created.secret).key == created.id
    assert refusal(client_module, keeping, f"{created.id}:{created.secret}").status == 401
    assert refusal(client_module, keeping, created.secret, address="192.0.2.7").status == 401
    clock.forward(seconds=1)
    assert refusal(client_module, keeping, created.secret).status == 401


def test_what_is_kept_ends_with_the_key_and_makes_room(
    client_module: ModuleType,
    make_portal: MakePortal,
    cast: Cast,
    make_key: MakeKey,
    clock: Clock,
    database: Database,
) -> None:
    clock.stop()
    portal, created = make_portal(cache_seconds=10**6, cache_size=2), make_key(cast.alice, days=1)
    others = [make_key(cast.alice), make_key(cast.bob)]
    for each in (created, *others):
        portal.check(each.secret)
        assert each.secret not in repr(vars(portal._cache))
    assert len(portal._cache._kept) == 2
    portal.check(created.secret)
    clock.forward(days=1)

    assert refusal(client_module, portal, created.secret).status == 401


def test_threads_share_it(make_portal: MakePortal, cast: Cast, make_key: MakeKey) -> None:
    portal, created = make_portal(cache_seconds=30), [make_key(cast.alice) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda each: portal.check(each.secret).key, created * 5))

    assert told == [each.id for each in created] * 5


def test_a_flask_view_is_reached_by_good_keys_only(
    make_portal: MakePortal, cast: Cast, make_key: MakeKey
) -> None:
    portal, created, low = make_portal(), make_key(cast.alice, level=3), make_key(cast.alice, level=2)
    api = Flask("api")

    @api.get("/orders/<int:number>")
    @portal.require(level=3)
    def order(number: int) -> dict[str, Any]:
        return {"number": number, "for": g.visitor.username}

    visitor = api.test_client()
    assert visitor.get("/orders/7", headers=created.headers).get_json() == {"number": 7, "for": "alice"}
    refused = visitor.get("/orders/7", headers=low.headers)
    assert (refused.status_code, refused.get_json()["error"]) == (403, "insufficientAccessLevel")
    nobody = visitor.get("/orders/7")
    assert (nobody.status_code, nobody.get_json()["error"]) == (401, "authenticationFailed")
    assert "Basic" in nobody.headers["WWW-Authenticate"]


def call(api: FastAPI, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
    """Send one request to an application, as an ASGI server does.

    In a thread of its own: a browser that another test has opened keeps an event loop in this one.
    """
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.7", 4321),
        "server": ("127.0.0.1", 80),
    }
    with ThreadPoolExecutor(1) as apart:
        apart.submit(lambda: asyncio.run(api(scope, receive, send))).result()
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, json.loads(b"".join(each.get("body", b"") for each in sent[1:]))


def test_a_fastapi_route_is_reached_by_good_keys_only(
    client_module: ModuleType, app: Flask, make_portal: MakePortal, cast: Cast
) -> None:
    portal, bound = make_portal(), forge(app, cast.alice, networks="192.0.2.0/24")
    spent = forge(app, cast.alice, calls_per_minute=1)
    api = FastAPI()

    def order(visitor: Any) -> dict[str, str]:
        return {"for": visitor.username}

    order.__annotations__["visitor"] = Annotated[client_module.Visitor, Depends(portal.dependency(level=4))]
    api.get("/orders")(order)

    assert call(api, "/orders", bound.headers)[::2] == (200, {"for": "alice"})
    status, headers, body = call(api, "/orders", {})
    assert (status, body["detail"]["error"]) == (401, "authenticationFailed")
    assert "Basic" in headers["www-authenticate"]
    assert call(api, "/orders", spent.headers)[0] == 200
    status, headers, _body = call(api, "/orders", spent.headers)
    assert (status, int(headers["retry-after"]) >= 1) == (429, True)
