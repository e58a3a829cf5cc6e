"""How a key may be shown: as tools and clients of OAuth do, and never two at once (rows 54, 80)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable

import pytest
from flask import Flask

from portal.api.errors import failure
from portal.services.keys import secrets
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker

Headers = dict[str, str]
FORM = "application/x-www-form-urlencoded"
WHOAMI = "/api/whoami/key"
KEY_DOORS = (WHOAMI, "/api/authorize?level=1", "/api/authorize/level/1/x", "/api/apikeys/key", "/metrics")


def encoded(text: str) -> str:
    """As clients of OAuth write an id or a secret: each byte that is no letter or digit in hexadecimal."""
    return "".join(each if each.isalnum() else f"%{ord(each):02X}" for each in text)


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


WAYS: dict[str, Callable[[CreatedKey], Headers]] = {
    "Basic": lambda key: {"Authorization": basic(key.id, key.secret)},
    "Basic, written as a form": lambda key: {"Authorization": basic(encoded(key.id), encoded(key.secret))},
    "Bearer": lambda key: {"Authorization": f"Bearer {key.secret}"},
    "X-API-Key": lambda key: {"X-API-Key": key.secret},
    "X-API-Key, with the id": lambda key: {"X-API-Key": f"{key.id}:{key.secret}"},
    "both, the same": lambda key: {"X-API-Key": key.secret, "Authorization": f"Bearer {key.secret}"},
    "both, once with its id": lambda key: {
        "X-API-Key": key.secret,
        "Authorization": basic(key.id, key.secret),
    },
    "Basic beside somebody else's header": lambda key: {
        "X-API-Key": "sk-of-the-service-behind",
        "Authorization": basic(key.id, key.secret),
    },
}


@pytest.mark.parametrize("path", KEY_DOORS)
@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_taken_in_every_way_that_tools_have(
    client: PageChecker, cast: Cast, make_key: MakeKey, way: str, path: str
) -> None:
    answer = client.get(path, headers=WAYS[way](make_key(cast.ada, level=6)))

    assert answer.status_code in {200, 204}


TWO: dict[str, Callable[[CreatedKey, CreatedKey], Headers]] = {
    "another's secret": lambda one, other: {
        "X-API-Key": other.secret,
        "Authorization": f"Bearer {one.secret}",
    },
    "another's id": lambda one, other: {
        "X-API-Key": f"{other.id}:{one.secret}",
        "Authorization": basic(one.id, one.secret),
    },
    "a made-up secret": lambda one, _other: {
        "X-API-Key": secrets.create_secret("chk"),
        "Authorization": basic(one.id, one.secret),
    },
    "a good key beside nonsense": lambda one, _other: {"X-API-Key": one.secret, "Authorization": "Basic x"},
}


@pytest.mark.parametrize("path", KEY_DOORS)
@pytest.mark.parametrize("way", TWO)
def test_two_that_differ_are_refused(
    client: PageChecker, cast: Cast, make_key: MakeKey, way: str, path: str
) -> None:
    answer = client.get(path, headers=TWO[way](make_key(cast.ada, level=6), make_key(cast.ada, level=6)))

    assert answer.status_code == 401


def test_the_headers_are_those_that_are_set(make_app: MakeApp, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    for setting, works in {
        "none": set(),
        "X-Key": {"X-Key"},
        "X-API-Key, Portal-Token": {"X-API-Key", "Portal-Token"},
    }.items():
        client = make_app(PORTAL_KEY_HEADERS=setting).test_client()
        for name in ("X-API-Key", "X-Key", "Portal-Token"):
            status = client.get(WHOAMI, headers={name: created.secret}).status_code
            assert status == (200 if name in works else 401), (setting, name)


def test_a_wrong_one_is_counted_in_whichever_header_it_comes(client: PageChecker, cast: Cast) -> None:
    for _ in range(60):
        assert client.get(WHOAMI, headers={"X-API-Key": secrets.create_secret("chk")}).status_code == 401
    assert client.get(WHOAMI, headers={"X-API-Key": secrets.create_secret("chk")}).status_code == 429


def posted(key: CreatedKey, **fields: str) -> dict[str, str]:
    return {"client_id": key.id, "client_secret": key.secret, **fields}


def test_a_client_may_show_itself_in_the_form(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    asking, created = make_key(cast.sue, level=6), make_key(cast.sue, level=6)

    answer = client.post("/api/introspect", data=posted(asking, token=created.secret))
    assert answer.get_json()["client_id"] == created.id
    both = client.post("/api/introspect", data=posted(asking, token=created.secret), headers=asking.headers)
    assert both.get_json()["active"] is True
    differ = client.post(
        "/api/introspect", data=posted(asking, token=created.secret), headers=created.headers
    )
    assert (differ.status_code, differ.get_json()["error"]) == (401, "invalid_client")
    assert client.post("/api/revoke", data=posted(asking, token=created.secret)).status_code == 200
    assert client.get(WHOAMI, headers=created.headers).status_code == 401
    assert client.post("/api/revoke", data=posted(asking, token=asking.secret)).status_code == 200, "its own"
    assert client.post("/api/introspect", data=posted(asking, token=created.secret)).status_code == 401


def test_nowhere_else_is_a_form_looked_into(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    asking = make_key(cast.ada, level=9)
    for path in ("/api/introspect/batch", "/api/apikeys/key", "/api/authorize"):
        assert client.post(path, data=posted(asking)).status_code == 401


ERRORS = {
    "nobody": ({"token": "x"}, None, 401, "invalid_client", "authenticationFailed"),
    "no token": ({"x": "1"}, "asking", 400, "invalid_request", "tokenMissing"),
    "two tokens": ({"token": ["a", "b"]}, "asking", 400, "invalid_request", "fieldInvalid"),
    "two ids": ({"token": "a", "client_id": ["a", "b"]}, "asking", 400, "invalid_request", "fieldInvalid"),
    "too low": ({"token": "x"}, "low", 403, "insufficient_scope", "insufficientAccessLevel"),
}
DESCRIBABLE = re.compile(r"[ !#-\[\]-~]+")
"""What a description may be written with (RFC 6749, 5.2)."""


@pytest.mark.parametrize("name", ERRORS)
def test_errors_have_the_words_of_oauth_beside_ours(
    client: PageChecker, cast: Cast, make_key: MakeKey, name: str
) -> None:
    form, who, status, word, code = ERRORS[name]
    keys = {"asking": make_key(cast.sue, level=6), "low": make_key(cast.alice)}

    answer = client.post("/api/introspect", data=form, headers=keys[who].headers if who else {})

    told = answer.get_json()
    assert (answer.status_code, told["error"], told["code"]) == (status, word, code)
    assert told["result"] == "error"
    assert told["error_description"] == told["message"] != ""
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_a_description_is_written_as_oauth_has_it_or_left_out(app: Flask) -> None:
    def described(code: str, **details: str) -> str | None:
        with app.test_request_context("/api/revoke", method="POST"):
            text: str | None = failure(400, code, details).get_json().get("error_description")
            return text

    assert DESCRIBABLE.fullmatch(described("authenticationFailed") or "")
    assert DESCRIBABLE.fullmatch(described("fieldInvalid", field="token") or "")
    for odd in ('a "b"', "a\\b", "café", "a\nb"):
        assert described("fieldInvalid", field=odd) is None


def test_a_body_of_another_kind_is_told_which_one_is_read(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    asking = make_key(cast.sue, level=6)
    for path in ("/api/introspect", "/api/revoke"):
        told = client.post(path, json={"token": "x"}, headers=asking.headers)
        assert told.status_code == 415
        assert "form" in told.get_json()["message"]


def test_other_doors_keep_their_words(client: PageChecker) -> None:
    told = client.get(WHOAMI).get_json()

    assert told["error"] == "authenticationFailed"
    assert "code" not in told
    assert "error_description" not in told


def test_what_is_told_of_a_key_is_what_clients_look_for(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    asking, created = make_key(cast.sue, level=6), make_key(cast.alice, level=2)

    told = client.post("/api/introspect", data={"token": created.secret}, headers=asking.headers).get_json()

    assert told["scope"].split() == ["level:0", "level:1", "level:2"]
    assert (told["iss"], told["token_type"]) == (app.config["PORTAL"].base_url, "Bearer")
    assert "nbf" not in told
    assert told["iat"] < told["exp"]


def test_clients_find_the_doors_by_themselves(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    asking, created = make_key(cast.sue, level=6), make_key(cast.alice)

    found = client.get("/.well-known/oauth-authorization-server").get_json()

    base = found["issuer"]
    assert found["response_types_supported"] == []
    assert "client_secret_post" in found["introspection_endpoint_auth_methods_supported"]
    path = found["introspection_endpoint"].removeprefix(base)
    told = client.post(path, data=posted(asking, token=created.secret)).get_json()
    assert set(told["scope"].split()) <= set(found["scopes_supported"])
    assert client.post(found["revocation_endpoint"].removeprefix(base)).status_code == 401


def test_the_description_tells_the_headers_that_are_set(make_app: MakeApp) -> None:
    found = (
        make_app(PORTAL_KEY_HEADERS="X-Key, Portal-Token").test_client().get("/api/openapi.json").get_json()
    )

    schemes = found["components"]["securitySchemes"]
    assert {schemes[name]["in"] for name in ("X-Key", "Portal-Token")} == {"header"}
    assert {"X-Key": []} in found["paths"]["/api/whoami/key"]["get"]["security"]
    assert "X-API-Key" not in schemes
