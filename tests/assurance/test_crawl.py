"""What holds for every route that there is (rows 17, 19, 21, 24 and 31)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.models import TokenPurpose
from portal.services.core.transaction import transaction
from portal.services.mail import tokens
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, CreatedKey, make_cast
from tests.support.client import PageChecker
from tests.support.crawl import NOBODYS_ACCOUNT, NOBODYS_KEY, Stop, stops
from tests.support.databases import Database

NewClient = Callable[[], PageChecker]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND")
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
READ_BY_OPERATORS = {
    "account:read-by-operator",
    "account:searched-by-operator",
    "key:read-by-operator",
    "key:searched-by-operator",
    "record:read-by-operator",
    "usage:read-by-operator",
}
COUNTED = {
    "key_usage", "key_usage_hours", "key_refusals", "key_recent_refusals", "key_addresses",
    "call_windows", "last_moments",
}  # fmt: skip


def mint(app: Flask, cast: Cast) -> list[dict[str, object]]:
    """Good links of every purpose, each as a filling of the holes."""
    with app.app_context(), transaction() as session:
        return [
            {
                "token": tokens.mint(
                    session,
                    purpose,
                    account_id=None if purpose is TokenPurpose.FIRST_ADMIN else cast.alice.account_id,
                    email=cast.alice.email,
                )
            }
            for purpose in TokenPurpose
        ]


def session_of(database: Database, account_id: int) -> UUID:
    (found,), *_others = database.execute(
        "SELECT id FROM sessions WHERE account_id = :account AND kind = 'browser'", account=account_id
    )
    return UUID(str(found))


def jwt_of(client: PageChecker, cast: Cast, name: str) -> dict[str, str]:
    person = getattr(cast, name)
    answer = client.post("/api/signin", json={"username": person.email, "password": person.password})
    return {"Authorization": f"Bearer {answer.get_json()['token']}"}


def all_stops(app: Flask, *fillings: Mapping[str, object]) -> list[Stop]:
    found = {stop.path: stop for filling in ({}, *fillings) for stop in stops(app, filling)}
    assert len(found) > 30
    return list(found.values())


def read_everything(
    client: PageChecker, places: Iterable[Stop], doors: dict[str, dict[str, str]]
) -> dict[str, int]:
    statuses = {}
    for stop in places:
        if "GET" in stop.methods:
            response = client.get(stop.path, headers=doors.get(stop.path.rpartition("/")[2], {}))
            assert response.status_code < 500, f"{stop.path} gave {response.status_code}"
            statuses[stop.rule] = response.status_code
    return statuses


@pytest.mark.parametrize("who", ["stranger", "alice", "sue", "ada", "key", "jwt"])
def test_reading_changes_nothing(
    app: Flask, database: Database, new_client: NewClient, cast: Cast, make_key: MakeKey, who: str
) -> None:
    key, client = make_key(cast.alice), new_client()
    doors: dict[str, dict[str, str]] = {}
    if who in {"alice", "sue", "ada"}:
        getattr(cast, who).sign_in(client)
    elif who == "key":
        doors = {"key": key.headers, "metrics": make_key(cast.ada, level=6).headers}
    elif who == "jwt":
        doors = {"jwt": jwt_of(client, cast, "alice")}
    own = {"key_id": key.id, "key": key.id, "account_id": cast.alice.account_id}
    places = all_stops(app, own, *mint(app, cast))
    before = database.rows()

    statuses = read_everything(client, places, doors)

    after = database.rows()
    new = {
        row[2]
        for row in set(map(repr_row, after["audit_events"])) - set(map(repr_row, before["audit_events"]))
    }
    assert new <= (READ_BY_OPERATORS if who in {"sue", "ada"} else set())
    changed = {name for name in before if before[name] != after[name]} - COUNTED
    assert changed <= ({"audit_events", "limit_counters"} if who in {"sue", "ada"} else set())
    assert 200 in statuses.values()


def repr_row(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(str(cell) for cell in row)


def wiped(response: TestResponse, *words: object) -> tuple[int, str]:
    """An answer without what is never the same: ids of requests, CSRF tokens."""
    text = re.sub(r"\b[0-9a-f]{16}\b", "", response.text)
    text = re.sub(r'(name="(?:csrf_token|once)"[^>]*value)="[^"]*"', "", text)
    for word in words:
        text = text.replace(str(word), "")
    return response.status_code, text


def test_what_is_anothers_looks_as_if_it_were_missing(
    app: Flask, database: Database, new_client: NewClient, cast: Cast, make_key: MakeKey
) -> None:
    alices, bobs = make_key(cast.alice), make_key(cast.bob)
    cast.alice.sign_in(new_client())
    client = new_client()
    cast.bob.sign_in(client)
    csrf = client.page("/account/profile").select_one("input[name=csrf_token]")
    assert csrf
    theirs = {
        "key_id": alices.id,
        "key": alices.id,
        "session_id": session_of(database, cast.alice.account_id),
        "account_id": cast.alice.account_id,
    }
    doors: dict[str, dict[str, str]] = {"key": bobs.headers, "jwt": jwt_of(new_client(), cast, "bob")}
    before = database.rows()
    asked = 0

    for other, missing in zip(stops(app, theirs), stops(app), strict=True):
        if not other.names & theirs.keys():
            continue
        headers = doors[other.path.rpartition("/")[2]] if other.is_api else {}
        for method in other.methods - {"OPTIONS"}:
            extra: dict[str, Any] = {"headers": headers}
            if method not in {"GET", "HEAD"}:
                extra |= {"json": {}} if other.is_api else {"data": {"csrf_token": csrf["value"]}}
            answers = [client.open(stop.path, method=method, **extra) for stop in (other, missing)]
            ids = (*theirs.values(), NOBODYS_KEY, NOBODYS_ACCOUNT)
            assert wiped(answers[0], *ids) == wiped(answers[1], *ids), f"{method} {other.rule}"
            assert answers[0].status_code == 404, f"{method} {other.rule}"
            asked += 1

    after = database.rows()
    assert asked >= 8
    assert {name for name in before if before[name] != after[name]} <= COUNTED | {"limit_counters"}


@pytest.mark.sqlite_only(reason="the methods of routes have nothing to do with the database")
def test_other_methods_are_refused_with_the_ones_that_are_known(app: Flask, client: PageChecker) -> None:
    known: dict[str, set[str]] = {}
    for stop in stops(app):
        known.setdefault(stop.path, set()).update(stop.methods)

    for path, methods in known.items():
        any_other = {"PROPFIND"} if path.startswith("/api/authorize") else set()  # gateways ask with any
        for method in set(METHODS) - methods - any_other:
            override = {name: min(methods) for name in OVERRIDES}
            response = client.open(path, method=method, headers=override)
            assert response.status_code == 405, f"{method} {path} gave {response.status_code}"
            assert set(response.headers["Allow"].split(", ")) == methods, f"{method} {path}"


def test_head_is_as_get_everywhere(app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    key = make_key(cast.alice)
    cast.alice.sign_in(client)
    for stop in stops(app, {"key_id": key.id, "key": key.id}):
        if "GET" not in stop.methods:
            continue
        headers = key.headers if stop.path.endswith("/key") else {}
        get = client.get(stop.path, headers=headers)
        head = client.head(stop.path, headers=headers)
        assert (head.status_code, head.data) == (get.status_code, b""), stop.path
        assert head.headers.get("Content-Type") == get.headers.get("Content-Type"), stop.path


@pytest.mark.sqlite_only(reason="what a page asks of its reader has nothing to do with the database")
@pytest.mark.parametrize(
    "authorization", ["", "Basic %%%", "Basic bm86bm8=", "Bearer no", "Digest x", "\x7f"]
)
def test_only_what_scripts_ask_for_prompts(app: Flask, client: PageChecker, authorization: str) -> None:
    for stop in stops(app):
        for method in stop.methods - {"OPTIONS"}:
            response = client.open(stop.path, method=method, headers={"Authorization": authorization})
            prompts = "WWW-Authenticate" in response.headers
            assert prompts == (response.status_code == 401), f"{method} {stop.path}"
            assert not (prompts and response.mimetype == "text/html"), f"{method} {stop.path}"


@pytest.mark.sqlite_only(reason="cookies have nothing to do with the database")
@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000", "https://keys.example"])
def test_every_cookie_is_closed_to_scripts_and_other_sites(make_app: MakeApp, base_url: str) -> None:
    app = make_app(PORTAL_BASE_URL=base_url)
    cast = make_cast(app)
    client = app.test_client()
    assert isinstance(client, PageChecker)
    client.environ_base["HTTP_REFERER"] = f"{base_url}/"
    answers: list[TestResponse] = []
    ask = client.open
    client.open = lambda *args, **kwargs: answers.append(ask(*args, **kwargs)) or answers[-1]  # type: ignore[method-assign]
    places = stops(app)

    for stop in places:
        for method in stop.methods - {"OPTIONS"}:
            client.open(stop.path, method=method)
    cast.ada.sign_in(client)
    for stop in places:
        if "GET" in stop.methods:
            client.get(stop.path)
    client.submit(
        "/account/security", {"current_password": "wrong", "password": "short"}, form="/account/security"
    )
    client.submit("/account/profile", form="/signout")

    cookies = [line for answer in answers for line in answer.headers.getlist("Set-Cookie")]
    assert len(cookies) > 3
    https = base_url.startswith("https")
    for line in cookies:
        [(name, morsel)] = SimpleCookie(line).items()
        assert name == ("__Host-session" if https else "session"), line
        assert morsel["httponly"] is True, line
        assert morsel["samesite"] == "Lax", line
        assert morsel["path"] == "/", line
        assert morsel["domain"] == "", line
        assert bool(morsel["secure"]) is https, line


def test_a_key_sees_only_its_owners_things(new_client: NewClient, cast: Cast, make_key: MakeKey) -> None:
    created: dict[str, CreatedKey] = {
        name: make_key(getattr(cast, name), name=name) for name in ("alice", "bob")
    }

    listed = new_client().get("/api/apikeys/key", headers=created["bob"].headers).get_json()["apikeys"]

    assert [each["name"] for each in listed] == ["bob"]
