"""Bodies, types, methods and origins: what the API takes, and how it says no."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.support.client import PageChecker

pytestmark = [
    pytest.mark.sqlite_only(reason="how bodies are read has nothing to do with the database"),
    pytest.mark.usefixtures("cast"),  # an admin is there, so people can sign up
]
NEW = {"email": "carol@example.org", "language": "en"}
many = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


def send(client: PageChecker, body: bytes | str, content_type: str = "application/json") -> TestResponse:
    return client.post("/api/signin", data=body, content_type=content_type)


def outcome(response: TestResponse) -> tuple[int, str]:
    assert response.json
    assert set(response.json) == {"result", "error", "message", "requestId"}
    assert response.json["result"] == "error"
    assert response.json["requestId"] == response.headers["X-Request-Id"]
    assert response.mimetype == "application/json"
    return response.status_code, response.json["error"]


@pytest.mark.parametrize(
    "body",
    [
        "nonsense",
        "[]",
        "5",
        "null",
        '"x"',
        '{"username":"a","username":"b","password":"x"}',
        '{"username":"a","password":"x","more":{"a":1,"a":2}}',
        '{"username":"a","password":NaN}',
        '{"username":Infinity,"password":"x"}',
        '{"username":-Infinity,"password":"x"}',
        '{"username":"\\ud800","password":"x"}',
        '{"\\udfff":1,"username":"a","password":"x"}',
        '{"username":"a\\u0000","password":"x"}',
        '{"username":["\\u0000"],"password":"x"}',
        '{"username":1e400,"password":"x"}',
        '{"username":' + "9" * 5000 + ',"password":"x"}',
        '{"username":' + "9" * 101 + ',"password":"x"}',
        '{"username":1.' + "9" * 200 + ',"password":"x"}',
        '{"username":' + "[" * 30_000 + "]" * 30_000 + "}",
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        '{"username":"a","password":"x"',
        '{"username":"a","password":"x"} {}',
        "{'username':'a'}",
        '{"username":"a",}',
        "\ufeff\ufeff{}",
        "{}\ufeff",
        '{\ufeff"username":"a","password":"x"}',
    ],
    ids=lambda body: body[:40],
)
def test_what_is_not_one_json_object_is_refused(client: PageChecker, body: str) -> None:
    assert outcome(send(client, body)) == (400, "bodyNotJson")


@pytest.mark.parametrize("body", [b'{"username":"\xff"}', "{}x".encode("utf-16"), b"\x00", b"\x80"])
def test_what_is_not_utf_8_is_refused(client: PageChecker, body: bytes) -> None:
    assert outcome(send(client, body)) == (400, "bodyNotJson")


@pytest.mark.parametrize("body", ["", " ", "\n\t", "{}", "\ufeff", "\ufeff \n", "\ufeff{}"])
def test_an_empty_body_is_none(client: PageChecker, body: str) -> None:
    assert outcome(send(client, body)) == (400, "postBodyMissing")


def test_no_body_at_all_is_none_whatever_its_type(client: PageChecker) -> None:
    assert outcome(client.post("/api/signin")) == (400, "postBodyMissing")
    assert outcome(client.post("/api/signin", content_type="text/plain")) == (400, "postBodyMissing")


@many
@given(body=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda text: text.encode())))
@example(body=b'{"a":1e999}')
def test_no_bytes_break_it(client: PageChecker, body: bytes) -> None:
    assert send(client, body).status_code == 400


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@many
@given(email=VALUES, language=VALUES)
def test_no_value_breaks_it(unlimited: PageChecker, email: Any, language: Any) -> None:
    body = json.dumps({"email": email, "language": language})

    assert unlimited.post("/api/signup", data=body, content_type="application/json").status_code in {201, 400}


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8859",
        "application/json; charset=utf-8-sig",
        "application/jsonp",
        "text/json",
        "",
    ],
)
def test_another_type_or_charset_is_refused(client: PageChecker, content_type: str) -> None:
    assert outcome(send(client, json.dumps(NEW), content_type)) == (415, "unsupportedMediaType")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; Charset=UTF-8",
        "application/json; charset=utf8",
        'application/json; charset="UTF8"',
        'application/json;charset="utf-8"; odd=1',
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff", "\ufeff\r\n "])
def test_json_in_utf_8_is_taken(client: PageChecker, content_type: str, mark: str) -> None:
    response = client.post("/api/signup", data=mark + json.dumps(NEW), content_type=content_type)

    assert response.status_code == 201


def test_a_coded_body_is_refused(client: PageChecker) -> None:
    response = client.post("/api/signup", json=NEW, headers={"Content-Encoding": "gzip"})

    assert outcome(response) == (415, "unsupportedMediaType")


def test_a_body_of_64_kib_is_taken_and_no_byte_more(client: PageChecker) -> None:
    frame = json.dumps({**NEW, "more": ""})
    fits = frame.replace('""', '"' + "x" * (64 * 1024 - len(frame)) + '"')

    assert len(fits) == 64 * 1024
    assert client.post("/api/signup", data=fits, content_type="application/json").status_code == 201
    assert outcome(send(client, fits + " ")) == (413, "bodyTooLarge")


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml",
        "application/json;q=0",
        "*/*;q=0",
        "*/*;q=x",
        "application/json;q=0, text/html, */*;q=0",
    ],
)
def test_who_takes_no_json_is_told_so(client: PageChecker, accept: str) -> None:
    response = client.get("/api/openapi.json", headers={"Accept": accept})

    assert outcome(response) == (406, "notAcceptable")


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/*",
        "text/html, application/json;q=0.1",
        "text/html, */*;q=0.8",
        "APPLICATION/JSON",
    ],
)
def test_who_takes_json_gets_it(client: PageChecker, accept: str) -> None:
    assert client.get("/api/openapi.json", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/nope", "/api/whoami", "/api/whoami/key/", "/api/account/cookie"],
)
def test_what_is_not_there_says_so_in_json(client: PageChecker, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert outcome(client.open(path, method=method)) == (404, "notFound")


def test_a_path_is_taken_as_it_is_written(client: PageChecker) -> None:
    assert outcome(client.get("/api//whoami/key")) == (404, "notFound")


def test_another_method_is_refused_with_those_that_are_known(client: PageChecker) -> None:
    response = client.put("/api/account/jwt", json={})

    assert outcome(response) == (405, "methodNotAllowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PATCH"}
    for method in ("TRACE", "CONNECT", "PROPFIND"):
        assert client.open("/api/account/jwt", method=method).status_code == 405


def test_a_method_can_not_be_overridden(client: PageChecker) -> None:
    response = client.get("/api/signin", headers={"X-HTTP-Method-Override": "POST"})

    assert outcome(response) == (405, "methodNotAllowed")


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", "http://127.0.0.1:8000"])
@pytest.mark.parametrize("path", ["/api/whoami/key", "/api/account/jwt", "/api/signin", "/api/openapi.json"])
def test_no_other_origin_is_let_in(client: PageChecker, path: str, origin: str | None) -> None:
    headers = {"Access-Control-Request-Method": "PATCH"} | ({"Origin": origin} if origin else {})
    preflight = client.options(path, headers=headers)

    assert preflight.status_code == 204
    assert "Allow" in preflight.headers
    for response in (
        preflight,
        client.get(path, headers=headers),
        client.post(path, headers=headers, json={}),
    ):
        assert not [name for name, _value in response.headers if name.startswith("Access-Control-")]


def test_an_error_tells_nothing_of_the_inside(client: PageChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr("portal.services.accounts.signup.request_sign_up", fail)
    response = client.post("/api/signup", json=NEW)

    assert outcome(response) == (500, "internalError")
    assert "inside" not in response.text
    assert "Traceback" not in response.text
