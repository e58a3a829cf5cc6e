"""The description of the API is true: of its routes, its answers, its shapes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from portal.api.openapi import codes_of, status_of
from portal.api.route import Door
from portal.api.routes import ROUTES
from portal.error_messages import SENTENCES
from portal.models import Consent
from portal.services.accounts.update import change_account
from tests.api.conftest import Bearer, Headers
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, Person, make_cast
from tests.support.client import PageChecker

pytestmark = pytest.mark.sqlite_only(reason="what is described has nothing to do with the database")
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


def test_every_route_is_described_and_nothing_else(app: Flask, client: PageChecker) -> None:
    described = {
        (method.upper(), path)
        for path, methods in (client.get("/api/openapi.json").json or {})["paths"].items()
        for method in methods
    }
    routed = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api") and not rule.rule.startswith("/api/authorize/")
    }

    assert described == routed


def test_programs_that_are_made_of_it_need_give_and_doubt_no_more_than_is_true(client: PageChecker) -> None:
    """A default makes a field one that has to be given, to some; one that is always told is required."""
    schemas = client.get("/api/openapi.json").get_json()["components"]["schemas"]
    fields = [
        (name, field, facts, each.get("required", ()))
        for name, each in schemas.items()
        for field, facts in each.get("properties", {}).items()
    ]

    assert [(name, field) for name, field, facts, _ in fields if facts.get("default", ...) is None] == []
    constant = {(name, field) for name, field, facts, _ in fields if "const" in facts}
    assert {("ActiveAnswer", "active"), ("InactiveAnswer", "active"), ("ErrorAnswer", "result")} <= constant
    assert constant == {(name, field) for name, field, _, required in fields if field in required} & constant
    assert "nbf" not in schemas["ActiveAnswer"]["required"]


def test_every_code_of_a_route_has_its_sentence_and_its_status() -> None:
    for route in ROUTES:
        for code in codes_of(route):
            assert code in SENTENCES
            assert 400 <= status_of(code) <= 503


def test_the_contracts_codes_come_with_their_status() -> None:
    wanted = {
        "signInFailed": 401, "mfaTokenRequired": 403, "authenticationFailed": 401, "apikeyExpired": 401,
        "apikeyRevoked": 401, "insufficientAccessLevel": 403, "accountBlocked": 403, "accountLocked": 403,
        "consentLacking": 451, "notFound": 404, "methodNotAllowed": 405, "bodyTooLarge": 413,
        "unsupportedMediaType": 415, "tooManyRequests": 429, "nameMissing": 400, "postBodyMissing": 400,
    }  # fmt: skip

    assert {code: status_of(code) for code in wanted} == wanted


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application without limits, since it is asked very often."""
    return make_app(PORTAL_LIMITS_ENABLED="false")


DOORS = {(route.method, f"/api{route.path}"): route.door for route in ROUTES}
ENDPOINTS = sorted(DOORS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), ENDPOINTS, ids=lambda part: part)
def test_no_request_gets_an_answer_that_is_not_described(
    app: Flask, make_key: MakeKey, bearer: Bearer, mode: GenerationMode, method: str, path: str
) -> None:
    cast = make_cast(app)
    alice, ada = cast.alice, cast.ada
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    operation = schema[re.sub(r"<(\w+)>", r"{\1}", path)][method]
    door = DOORS[method, path]
    acts = method != "GET" and path != "/api/authorize"

    def sign() -> Headers | None:
        for person in cast:
            give_consent(app, person)
        if door is Door.OPEN:
            return None
        return bearer(alice) if door is Door.JWT else make_key(ada, level=6).headers

    signed = sign()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def fuzz(case: Any) -> None:
        # Again and again where something is done: it may end the key, the session or the consent.
        case.call_and_validate(headers=sign() if acts else signed, checks=CHECKS)

    fuzz()


@pytest.mark.parametrize(("method", "path"), ENDPOINTS, ids=lambda part: part)
def test_strangers_get_no_answer_that_is_not_described(
    app: Flask, cast: Cast, method: str, path: str
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    operation = schema[re.sub(r"<(\w+)>", r"{\1}", path)][method]

    @given(case=operation.as_strategy())
    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def fuzz(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    fuzz()


def give_consent(app: Flask, person: Person) -> None:
    """Undo a withdrawal, so that there is something to ask about."""
    with app.app_context():
        change_account(person.actor, consent=Consent.PROCESSING)
