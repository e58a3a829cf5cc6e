"""A key may always remove itself: also where, when and as what it opens nothing else (row 28)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal import clock as time
from portal.api import ALL_ROUTES
from portal.models import KeyKind
from portal.runtime import runtime_of
from portal.services.keys import creation
from portal.services.keys.conditions import Conditions
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.databases import Database

DAY = timedelta(days=1)
End = Callable[[PageChecker, CreatedKey, CreatedKey], TestResponse]

ENDS: dict[str, End] = {
    "DELETE": lambda client, by, created: client.delete(f"/api/apikeys/{created.id}/key", headers=by.headers),
    "DELETE in capitals": lambda client, by, created: client.delete(
        f"/api/apikeys/{created.id.upper()}/key", headers=by.headers
    ),
    "RFC 7009": lambda client, by, created: client.post(
        "/api/revoke", data={"token": created.secret}, headers=by.headers
    ),
    "RFC 7009, with the id": lambda client, by, created: client.post(
        "/api/revoke", data={"token": f"{created.id}:{created.secret}"}, headers=by.headers
    ),
}
KEPT_OUT: dict[str, tuple[dict[str, Any], int, str]] = {
    "elsewhere": ({"conditions": Conditions(networks="203.0.113.0/24")}, 403, "addressNotAllowed"),
    "too early": ({"conditions": Conditions(not_before=None)}, 401, "apikeyNotYetValid"),
    "throttled": ({"conditions": Conditions(calls_per_minute=1)}, 429, "tooManyRequests"),
    "a service": ({"level": 0, "kind": KeyKind.SERVICE}, 403, "insufficientAccessLevel"),
    "low": ({"level": 0}, 403, "insufficientAccessLevel"),
}


def make(app: Flask, cast: Cast, name: str) -> CreatedKey:
    """A key of Ada's that is kept out for this reason."""
    wanted = {"level": 4, **KEPT_OUT[name][0]}
    if name == "too early":
        wanted["conditions"] = Conditions(not_before=time.utcnow() + timedelta(hours=1))
    with app.app_context():
        key, secret = creation.create_key(cast.ada.actor, name="x", life=DAY, **wanted)
        return CreatedKey(str(key.id), secret)


def revoked(database: Database) -> set[str]:
    rows = database.execute("SELECT id FROM api_keys WHERE revoked_at IS NOT NULL")
    return {str(row[0]).replace("-", "") for row in rows}


def refusals(app: Flask, database: Database) -> int:
    """How many calls were refused."""
    runtime_of(app).usage.flush()
    return int(database.execute("SELECT coalesce(sum(refused), 0) FROM key_usage")[0][0])


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("why", KEPT_OUT)
def test_a_key_may_always_remove_itself(
    app: Flask, client: PageChecker, cast: Cast, database: Database, why: str, how: str
) -> None:
    mine = make(app, cast, why)
    for _ in range(2):
        client.get("/api/whoami/key", headers=mine.headers)

    before = refusals(app, database)

    ended = ENDS[how](client, mine, mine)

    assert refusals(app, database) == before, "what is let through is no refusal"
    assert ended.status_code == (204 if how.startswith("DELETE") else 200)
    assert revoked(database) == {mine.id.replace("-", "")}
    again = ENDS[how](client, mine, mine)
    assert (again.status_code, again.json and again.json.get("code", again.json["error"])) == (
        401,
        "apikeyRevoked",
    )


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("why", set(KEPT_OUT) - {"low"})
def test_it_removes_no_other_so(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, database: Database, why: str, how: str
) -> None:
    mine, other = make(app, cast, why), make_key(cast.ada)
    for _ in range(2):
        client.get("/api/whoami/key", headers=mine.headers)

    before = refusals(app, database)

    refused = ENDS[how](client, mine, other)

    assert refusals(app, database) == before + 1
    _wanted, status, code = KEPT_OUT[why]
    assert (refused.status_code, refused.json and refused.json.get("code", refused.json["error"])) == (
        status,
        code,
    )
    assert revoked(database) == set()


@pytest.mark.sqlite_only(reason="it is about what a route says of itself")
def test_no_other_route_is_open_to_whom_is_kept_out() -> None:
    routes = ALL_ROUTES
    open_so = {(route.method, route.path) for route in routes if route.ends_itself}

    assert open_so == {("DELETE", "/apikeys/<key>/key"), ("POST", "/revoke")}
