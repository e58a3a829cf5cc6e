"""The API never reads the browser's cookie and never sets one."""

from __future__ import annotations

import pytest
from flask import Flask, session

from tests.http.conftest import Guard


@pytest.fixture
def app(guard: Guard) -> Flask:
    app = guard()

    @app.get("/remember")
    def remember() -> str:
        session["name"] = "alice"
        return "remembered"

    @app.get("/who")
    @app.get("/api/who")
    def who() -> str:
        return str(session.get("name"))

    @app.get("/api/remember")
    def remember_in_the_api() -> str:
        session["name"] = "alice"
        return "never"

    return app


def test_a_page_reads_it_and_the_api_does_not(app: Flask) -> None:
    client = app.test_client()
    client.get("/remember")

    assert client.get("/who").text == "alice"
    response = client.get("/api/who")
    assert response.text == "None"
    assert "Set-Cookie" not in response.headers
    assert "Vary" not in response.headers


def test_writing_to_it_in_the_api_is_a_mistake(app: Flask) -> None:
    response = app.test_client().get("/api/remember")

    assert response.status_code == 500
    assert "Set-Cookie" not in response.headers
