"""A view's limit is asked before CSRF is checked, so posts that fail it count too (row 11)."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO

import pytest
from flask import Flask, request
from flask_wtf import CSRFProtect

from portal.http.limited import limited
from portal.services.ratelimits.counters import Answer
from tests.conftest import MakeKey
from tests.http.conftest import Guard
from tests.support.cast import Cast
from tests.support.client import PageChecker


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def app_with_limit(guard: Guard, asked: list[str]) -> Flask:
    app = guard()
    CSRFProtect(app)

    def question() -> Answer:
        asked.append(request.form.get("username", ""))
        return Answer(len(asked) <= 2, 0 if len(asked) <= 2 else 42)

    @app.route("/signin", methods=["GET", "POST"])
    @limited(question)
    def sign_in() -> str:
        return "a form"

    return app


def test_posts_that_fail_csrf_count(app_with_limit: Flask, asked: list[str]) -> None:
    client = app_with_limit.test_client()

    statuses = [client.post("/signin", data={"username": "alice"}).status_code for _ in range(4)]

    assert statuses == [400, 400, 429, 429]
    assert asked == ["alice"] * 4


def test_the_refusal_says_when_to_come_back(app_with_limit: Flask) -> None:
    client = app_with_limit.test_client()
    for _ in range(3):
        response = client.post("/signin")

    assert response.headers["Retry-After"] == "42"
    assert "Wait 42 seconds" in response.text


@pytest.mark.parametrize("look", ["get", "head", "options"])
def test_looking_counts_nothing(app_with_limit: Flask, asked: list[str], look: str) -> None:
    ask: Callable[..., object] = getattr(app_with_limit.test_client(), look)

    ask("/signin")

    assert asked == []


class Unread(BytesIO):
    """A body that nobody should look at."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was read")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.sqlite_only(reason="nothing is asked of the database")
@pytest.mark.parametrize("shown", [{"Authorization": "Basic eDp5"}, {}], ids=["a wrong key", "nothing"])
@pytest.mark.parametrize("kind", [FORM, "application/json", "multipart/form-data; boundary=x"])
def test_no_body_is_read_before_somebody_is_let_in(app: Flask, kind: str, shown: dict[str, str]) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")]
    closed = [
        rule for rule in rules if rule.endpoint not in OPEN and not rule.endpoint.startswith("api_visitor")
    ]
    paths = {re.sub("<.*?>", "x", rule.rule) for rule in closed} | {
        "/api/nowhere",
        "/api/leaks/github",
        "/nowhere",
    }
    assert len(paths) > 10

    for path in paths:
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            answer = app.test_client().open(
                path,
                method=method,
                headers={**shown, "Content-Type": kind},
                environ_overrides={"wsgi.input": Unread(b"x" * 60_000), "CONTENT_LENGTH": "60000"},
            )
            assert answer.status_code in {401, 404, 405, 429}, (path, method)


OPEN = {
    "api_open.signing_sign_up",
    "api_open.signing_sign_in",
    "api_open.signing_confirm",
    "api_open.leaks_report",
}
"""Doors that stand open: what they take is what they are for."""


def test_a_form_with_nul_is_refused_behind_the_door_of_services(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.ada, level=9)

    for fields in ({"token": "a\0b"}, {"token": "a", "other": "\0"}, {"token": ["a", "b"]}):
        answer = client.post("/api/introspect", data=fields, auth=(key.id, key.secret))
        assert answer.status_code == 400
        assert answer.json
        assert answer.json["code"] == "fieldInvalid"
