"""Pages of other sites call the API only where the operator has named their origin."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from tests.conftest import MakeApp
from tests.http.conftest import Guard
from tests.support.cast import make_cast
from tests.support.rows import forge

APP = "https://app.example.org"
LET_IN = "Access-Control-Allow-Origin"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
SETTING = f"{APP}, HTTPS://Other.Example.ORG:443/, http://localhost:5173"
ORIGINS = {
    APP: True,
    "https://other.example.org": True,
    "http://localhost:5173": True,
    "https://APP.example.org": False,
    "https://app.example.org:8443": False,
    "http://app.example.org": False,
    "https://app.example.org.evil.example": False,
    "https://evil.example/https://app.example.org": False,
    "https://sub.app.example.org": False,
    "https://xapp.example.org": False,
    f"{APP}/": False,
    f"{APP},https://other.example.org": False,
    f"{APP} https://other.example.org": False,
    "http://localhost": False,
    "null": False,
    "*": False,
    "": False,
}


def words(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("Access-Control-")}


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_is_let_in_only_as_it_is_named(guard: Guard, origin: str) -> None:
    client = guard(PORTAL_CORS_ORIGINS=SETTING).test_client()

    for answer in (
        client.get("/api/thing", headers={"Origin": origin}),
        client.get("/api/nowhere", headers={"Origin": origin}),
        client.open("/api/thing", method="OPTIONS", headers={"Origin": origin, **ASKS}),
    ):
        assert answer.headers.get(LET_IN) == (origin if ORIGINS[origin] else None)
        assert "Origin" in answer.vary
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_nobody_is_let_in_unless_the_operator_says_so(guard: Guard) -> None:
    client = guard().test_client()

    assert words(client.get("/api/thing", headers={"Origin": APP})) == {}
    assert words(client.open("/api/thing", method="OPTIONS", headers={"Origin": APP, **ASKS})) == {}


def test_pages_and_files_are_open_to_no_other_site(guard: Guard) -> None:
    client = guard(PORTAL_CORS_ORIGINS=APP).test_client()

    for path in ("/", "/healthz", "/static/app.css", "/nowhere"):
        assert words(client.get(path, headers={"Origin": APP}, buffered=True)) == {}
    assert client.post("/act", headers={"Origin": APP}).status_code == 403


def test_a_preflight_is_told_what_the_path_takes(make_app: MakeApp) -> None:
    app = make_app(PORTAL_CORS_ORIGINS=APP, PORTAL_KEY_HEADERS="X-API-Key, X-My-Key")
    created = forge(app, make_cast(app).alice)
    client = app.test_client()

    def preflight(path: str) -> TestResponse:
        return client.open(path, method="OPTIONS", headers={"Origin": APP, **ASKS})

    for path, methods in (
        ("/api/apikeys/key", {"GET", "POST"}),
        ("/api/account/jwt", {"GET", "PATCH"}),
        ("/api/signin", {"POST"}),
        ("/api/introspect", {"POST"}),
    ):
        answer = preflight(path)
        told = answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert answer.status_code == 204, path
        assert set(told) - {"HEAD", "OPTIONS"} == methods
        taken = answer.headers["Access-Control-Allow-Headers"]
        assert taken == "Authorization, Content-Type, X-API-Key, X-My-Key"
    assert preflight("/api/nowhere").status_code == 404
    for headers in (created.headers, {}):
        answer = client.get("/api/whoami/key", headers={"Origin": APP, **headers})
        assert answer.headers[LET_IN] == APP
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", ["/api/authorize", "/api/authorize/preflight=pass/level/0/x"])
def test_forward_auth_answers_for_no_service_behind(make_app: MakeApp, path: str) -> None:
    app = make_app(PORTAL_CORS_ORIGINS=APP)
    shown = forge(app, make_cast(app).alice).headers

    for method, headers in (("OPTIONS", ASKS), ("GET", shown), ("GET", {})):
        answer = app.test_client().open(path, method=method, headers={"Origin": APP, **headers})
        assert words(answer) == {}
