"""A view's limit is asked before CSRF is checked, so posts that fail it count too (row 11)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask, request
from flask_wtf import CSRFProtect

from portal.http.limited import limited
from portal.services.counting import Answer
from tests.http.conftest import Guard


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
