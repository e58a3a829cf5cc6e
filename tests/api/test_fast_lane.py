"""The short way below Flask and the route above it are one door."""

from __future__ import annotations

import sqlite3

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal.api.fast_lane import FastLane
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import Database

WHOAMI = "/api/whoami/key"
LONG_WAY = {"Accept": "application/json;q=0.9"}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the requests that came were answered on the short way."""
    ways: list[bool] = []
    answer = FastLane._answer

    def watch(self: FastLane, environ: dict[str, object]) -> bytes | None:
        body = answer(self, environ)
        ways.append(body is not None)
        return body

    monkeypatch.setattr(FastLane, "_answer", watch)
    return ways


def test_both_ways_give_the_same_answer(
    client: PageChecker, cast: Cast, make_key: MakeKey, taken: list[bool]
) -> None:
    key = make_key(cast.alice, level=3, name="Prüfstand „7“")
    short = client.get(WHOAMI, headers=key.headers)
    long = client.get(WHOAMI, headers=key.headers | LONG_WAY)

    assert taken == [True]
    assert (short.status_code, short.data) == (long.status_code, long.data)
    first, second = (
        {name: value for name, value in response.headers.items() if name != "X-Request-Id"}
        for response in (short, long)
    )
    assert first == second


def test_both_ways_are_counted(
    client: PageChecker, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    key = make_key(cast.alice)
    client.get(WHOAMI, headers=key.headers)
    client.get(WHOAMI, headers=key.headers | LONG_WAY)
    client.head(WHOAMI, headers=key.headers)
    client.application.extensions["usage"].flush()

    assert database.execute("SELECT calls, refused FROM key_usage") == [(3, 0)]


def test_a_refusal_always_takes_the_long_way(
    client: PageChecker, cast: Cast, make_key: MakeKey, taken: list[bool]
) -> None:
    key = make_key(cast.alice)
    client.get(WHOAMI, auth=(key.id, "wrong"))
    client.get(WHOAMI)
    client.get(f"{WHOAMI}?key=x", headers=key.headers)
    client.post(WHOAMI, headers=key.headers)

    assert not any(taken)


def test_a_check_writes_nothing(
    client: PageChecker, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    key = make_key(cast.alice)
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
    monkeypatch.setattr(app.extensions["verifier"], "decide", fail)
    response = client.get(path, headers=key.headers)

    assert response.status_code == 503
    assert response.json
    assert response.json["error"] == "unavailable"
    assert response.headers["Retry-After"]
    monkeypatch.undo()
    assert client.get(path, headers=key.headers).status_code == 200
