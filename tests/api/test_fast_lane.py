"""The short way below Flask and the route above it are one door."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest
from flask import Flask, request
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from portal.runtime import runtime_of
from portal.services.core import trouble
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database

WHOAMI = "/api/whoami/key"
AUTHORIZE = "/api/authorize"
FORM = "application/x-www-form-urlencoded"
LONG = {AUTHORIZE: "/api/authorize/level/0"}
UNLIKE = {WHOAMI: {"X-Request-Id", "RateLimit"}, AUTHORIZE: {"X-Request-Id", "RateLimit", "Content-Length"}}
LONG_WAY = {"Accept": "application/json;q=0.9"}


@pytest.fixture
def long_ways(app: Flask) -> list[str]:
    """The paths of the requests that came as far as Flask."""
    paths: list[str] = []

    @app.before_request
    def watch() -> None:
        paths.append(request.path)

    return paths


@pytest.mark.parametrize("path", [WHOAMI, AUTHORIZE])
def test_both_ways_give_the_same_answer(
    client: PageChecker, cast: Cast, make_key: MakeKey, long_ways: list[str], path: str
) -> None:
    key = make_key(cast.alice, level=3, name="Prüfstand „7“")
    short = client.get(path, headers=key.headers)
    assert long_ways == []
    long = client.get(LONG.get(path, path), headers=key.headers | LONG_WAY)

    assert long_ways == [LONG.get(path, path)]
    assert (short.status_code, long.status_code) == ((204, 200) if path == AUTHORIZE else (200, 200))
    assert short.data == long.data
    first, second = (
        {name: value for name, value in response.headers.items() if name not in UNLIKE[path]}
        for response in (short, long)
    )
    assert first == second
    assert "RateLimit" in short.headers


QUESTIONS = {
    "a secret": "token={secret}",
    "a pair": "token={key}%3A{secret}&token_type_hint=access_token",
    "an address": "token={secret}&address=192.0.2.7",
    "no address": "token={secret}&address=",
    "a wrong address": "token={secret}&address=home",
    "nothing": "",
    "an empty token": "token=",
    "two tokens": "token={secret}&token={secret}",
    "a stranger's": "token=chk_nonsense",
    "a plus": "token=a+b%20c",
    "bytes": "token=%ff%fe",
    "another field": "token={secret}&x=1",
    "not quite a form": "token",
    "too long a token": "token=" + "x" * 600,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_ways_introspect_alike(
    client: PageChecker, cast: Cast, make_key: MakeKey, long_ways: list[str], name: str, database: Database
) -> None:
    asking, created = make_key(cast.ada, level=6), make_key(cast.alice, level=3)
    form = QUESTIONS[name].format(key=created.id, secret=created.secret)
    answers = [
        client.post("/api/introspect", data=form, content_type=FORM, headers=asking.headers | more)
        for more in ({}, LONG_WAY)
    ]

    assert len({(answer.status_code, answer.headers["Content-Type"]) for answer in answers}) == 1
    if answers[0].status_code == 200:
        assert answers[0].data == answers[1].data
        assert answers[0].get_json()["active"] is (created.secret in form)
    runtime_of(client.application).usage.flush()
    asked = "SELECT calls FROM key_usage JOIN api_keys ON id = key_id WHERE level = 6"
    assert database.execute(asked) == [(2,)]


@pytest.mark.parametrize("form", ["token=%00", "token=a\0b"])
def test_both_ways_refuse_a_token_with_nul(
    client: PageChecker, cast: Cast, make_key: MakeKey, form: str
) -> None:
    asking = make_key(cast.ada, level=6)
    for more in ({}, LONG_WAY):
        answer = client.post("/api/introspect", data=form, content_type=FORM, headers=asking.headers | more)
        assert answer.status_code == 400, more


def test_both_ways_are_counted(
    client: PageChecker, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    key = make_key(cast.alice)
    client.get(WHOAMI, headers=key.headers)
    client.get(WHOAMI, headers=key.headers | LONG_WAY)
    client.head(WHOAMI, headers=key.headers)
    runtime_of(client.application).usage.flush()

    assert database.execute("SELECT calls, refused FROM key_usage") == [(3, 0)]


def test_a_refusal_always_takes_the_long_way(
    client: PageChecker, cast: Cast, make_key: MakeKey, long_ways: list[str]
) -> None:
    key = make_key(cast.alice)
    client.get(WHOAMI, auth=(key.id, "wrong"))
    client.get(WHOAMI)
    client.get(f"{WHOAMI}?key=x", headers=key.headers)
    client.post(WHOAMI, headers=key.headers)
    client.get(AUTHORIZE)
    client.get(f"{AUTHORIZE}?level=9", headers=key.headers)

    assert len(long_ways) == 6


def test_a_refusal_is_counted_once(
    client: PageChecker, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    key = make_key(cast.alice)
    assert client.get(f"{AUTHORIZE}?level=9", headers=key.headers).status_code == 403
    runtime_of(client.application).usage.flush()

    assert database.execute("SELECT calls, refused FROM key_usage") == [(0, 1)]


def test_a_check_writes_nothing(
    client: PageChecker, cast: Cast, make_key: MakeKey, database: Database, clock: Clock
) -> None:
    """Once its process holds a lease of the key's calls."""
    clock.stop()
    key = make_key(cast.alice)
    client.get(WHOAMI, headers=key.headers)
    before = database.rows()
    for _ in range(3):
        assert client.get(WHOAMI, headers=key.headers).status_code == 200

    assert database.rows() == before


@pytest.mark.parametrize("path", [WHOAMI, "/api/account/key"])
def test_a_database_that_is_gone_is_told_as_503(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*_arguments: object) -> None:
        raise OperationalError(None, None, sqlite3.OperationalError("gone"))

    key = make_key(cast.alice)
    monkeypatch.setattr(runtime_of(app).verifier, "decide", fail)
    response = client.get(path, headers=key.headers)

    assert response.status_code == 503
    assert response.json
    assert response.json["error"] == "unavailable"
    assert response.headers["Retry-After"]
    monkeypatch.undo()
    assert client.get(path, headers=key.headers).status_code == 200


def test_a_failure_of_our_own_is_told_as_one(
    app: Flask, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("a fault")

    key = make_key(cast.alice)
    monkeypatch.setattr(runtime_of(app).verifier, "decide", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False

    for path in (WHOAMI, AUTHORIZE):
        response = app.test_client().get(path, headers=key.headers)
        assert (response.status_code, response.get_json()["error"]) == (500, "internalError")


FAULTS = {
    "a fault": ("RuntimeError", RuntimeError),
    "a fault of another kind": ("LookupError", LookupError),
    "a database that is gone": (
        "OperationalError",
        lambda told: OperationalError(f"SELECT '{told}'", {"digest": told}, sqlite3.OperationalError(told)),
    ),
}


@pytest.mark.parametrize("path", [WHOAMI, AUTHORIZE, "/api/introspect"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_it_swallows_is_logged_once_a_minute_and_without_a_secret(
    app: Flask, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch, path: str, fault: str
) -> None:
    kind, error = FAULTS[fault]
    key = make_key(cast.ada, level=6)

    def fail(*_arguments: object, **_more: object) -> None:
        raise error(f"no such thing: {key.secret}")

    monkeypatch.setattr(trouble, "_swallowed", {})
    monkeypatch.setattr(runtime_of(app).verifier, "decide", fail)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    client, now = app.test_client(), [1000.0]
    monkeypatch.setattr(trouble, "time", SimpleNamespace(monotonic=lambda: now[0]))

    with capture_logs() as lines:
        for step in (0, 1, 58, 1):
            now[0] += step
            asks = client.post if path == "/api/introspect" else client.get
            form = {"data": f"token={key.secret}", "content_type": FORM} if path == "/api/introspect" else {}
            assert asks(path, headers=key.headers, **form).status_code >= 500  # type: ignore[arg-type]

    told = [line for line in lines if line["event"] == "swallowed"]
    assert [(line["error"], line["times"]) for line in told] == [(kind, 1), (kind, 3)]
    assert told[0]["place"].startswith("portal/services/verify/doorkeeper.py:")
    assert key.secret not in str(told)
    assert "no such thing" not in str(told)
