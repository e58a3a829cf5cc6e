"""The description of the API as OpenAPI 3.1, made of its routes and models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from pydantic.json_schema import models_json_schema

from config import Settings
from portal import levels
from portal.api import errors
from portal.api.answers import JSON
from portal.api.auth import TOLD_GATEWAYS, TOLD_WITH
from portal.api.route import Door, Route
from portal.api.schemas import ErrorAnswer
from portal.error_messages import SENTENCES
from portal.http.headers import JSON_TYPE
from portal.permissions import N_, WRITE_ACCOUNT
from portal.runtime import runtime
from portal.version import running_version

REFERENCE = "#/components/schemas/{model}"
ABOUT = "Keys for scripts and services: create, list, check, revoke."
ALWAYS = ("badRequest", "credentialsInUrl", "notAcceptable", "internalError", "busy", "unavailable")
BEHIND = {
    Door.OPEN: (),
    Door.JWT: ("authenticationFailed",),
    Door.KEY: ("authenticationFailed", *(outcome.value for outcome in TOLD_WITH)),
    Door.VISITOR: ("authenticationFailed", *(outcome.value for outcome in TOLD_GATEWAYS)),
}
STATUSES = (
    {code: status for status, code in errors.CODES.items()}
    | {kind.code: status for kind, status in errors.STATUSES.items() if kind.code != "error"}
    | {outcome.value: status for outcome, status in TOLD_WITH.items()}
    | {"mfaTokenRequired": 403, "unavailable": 503, "usernameFree": 404}
)
SECURITY = {
    "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From /signin."},
    "key": {"type": "http", "scheme": "basic", "description": "The key and its secret."},
    "secret": {"type": "http", "scheme": "bearer", "description": "The secret alone."},
}
Security = list[dict[str, list[str]]]
REASONS = {414: "The URL is too long.", 431: "The headers are too long."}


def show() -> ResponseReturnValue:
    """Give the description."""
    return Response(json.dumps(runtime.openapi(), ensure_ascii=False), content_type=JSON_TYPE)


ROUTE = Route("GET", "/openapi.json", Door.OPEN, show, N_("Describe the API"))


@cache
def document(routes: tuple[Route, ...], key_headers: tuple[str, ...]) -> dict[str, Any]:
    """Make the description of these routes, once in a process; ``key_headers`` hold a secret alone, too."""
    proofs = proofs_with(key_headers)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(path_of(route), {})[route.method.lower()] = _operation(route, proofs[route.door])
    return {
        "openapi": "3.1.0",
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": _schemas(routes), "securitySchemes": SECURITY | _in_headers(key_headers)},
    }


def told_by(settings: Settings) -> dict[str, Any]:
    """What the operator says of the API: its name, whom to write to, where the terms are."""
    info: dict[str, Any] = {
        "title": settings.name,
        "version": running_version(),
        "description": f"{ABOUT}\n\nLevels of keys:\n\n{levels.told(settings.levels)}",
    }
    if settings.support_contact:
        kind = "email" if settings.support_link.startswith("mailto:") else "url"
        info["contact"] = {"name": settings.name, kind: settings.support_contact}
    if settings.terms_url:
        info["termsOfService"] = settings.terms_url
    if not settings.api_docs_url:
        return {"info": info}
    return {"info": info, "externalDocs": {"url": settings.api_docs_url}}


def proofs_with(key_headers: tuple[str, ...]) -> dict[Door, Security]:
    """How a caller of each door may prove who they are: in one of these ways."""
    jwt: Security = [{"jwt": []}]
    key: Security = [{name: []} for name in ("key", "secret", *key_headers)]
    return {Door.OPEN: [], Door.JWT: jwt, Door.KEY: key, Door.VISITOR: key}


def _in_headers(names: tuple[str, ...]) -> dict[str, dict[str, str]]:
    told = "The secret, or key, colon, secret."
    return {name: {"type": "apiKey", "in": "header", "name": name, "description": told} for name in names}


def path_of(route: Route) -> str:
    """The path of a route with its parameters in braces."""
    return "/api" + re.sub(r"<(\w+)>", r"{\1}", route.path)


def codes_of(route: Route) -> tuple[str, ...]:
    """The error codes that a route can answer with."""
    codes = [*route.errors, *BEHIND[route.door]]
    if route.level or route.method == "DELETE":
        codes.append("insufficientAccessLevel")
    if route.door is Door.JWT and not (route.without_consent and route.method == "GET"):
        codes.append("consentLacking")
    if route.method in {"POST", "PATCH"}:
        codes.append("tooManyRequests")
    return tuple(dict.fromkeys((*codes, *ALWAYS)))


def status_of(code: str, door: Door = Door.KEY) -> int:
    """The status that an error code comes with at a door."""
    told = TOLD_GATEWAYS.items() if door is Door.VISITOR else ()
    return next((status for outcome, status in told if outcome.value == code), STATUSES.get(code, 400))


def _operation(route: Route, security: Security) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "security": security,
        "x-codes": list(codes_of(route)),
        "responses": {str(route.status): _success(route), **_failures(route)},
    }
    if route.door not in {Door.OPEN, Door.VISITOR}:
        operation["x-level"] = WRITE_ACCOUNT if route.method == "DELETE" else route.level
    if parameters := list(_parameters(route)):
        operation["parameters"] = parameters
    if route.body is not None:
        schema = {"$ref": REFERENCE.format(model=route.body.__name__)}
        content = {route.takes: {"schema": schema}}
        operation["requestBody"] = {"required": route.body_required, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    """Its name; of a route that has every method, with the method."""
    name = route.endpoint.removeprefix("api_").replace(".", "_")
    return f"{name}_{route.method.lower()}" if route.door is Door.VISITOR else name


def _success(route: Route) -> dict[str, Any]:
    if route.status == 204:
        return {"description": "Done; the answer is empty."}
    schema: dict[str, Any] = {"type": "object"}
    if route.answer is not None:
        schema = {"$ref": REFERENCE.format(model=route.answer.__name__)}
    return {"description": route.summary, "content": {JSON: {"schema": schema}}}


def _failures(route: Route) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(status_of(code, route.door), []).append(code)
    found: dict[str, Any] = {
        str(status): _failure([f"`{code}`: {SENTENCES[code]}" for code in codes]) | {"x-codes": codes}
        for status, codes in sorted(by_status.items())
    }
    for status, reason in REASONS.items():
        found[str(status)] = _failure([f"`badRequest`: {reason}"])
    if "401" in found and route.door is not Door.OPEN:
        found["401"]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if "429" in found:
        found["429"]["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}}
    return found


def _failure(lines: list[str]) -> dict[str, Any]:
    schema = {"$ref": REFERENCE.format(model=ErrorAnswer.__name__)}
    return {"description": "\n\n".join(lines), "content": {JSON: {"schema": schema}}}


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in route.headers:
        yield {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
    for name in re.findall(r"<(\w+)>", route.path):
        schema = {"type": "string", "format": "uuid"} if name == "key" else {"type": "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    asked = route.query.model_json_schema()["properties"] if route.query else {}
    for name, facts in asked.items():
        meaning = facts["description"]
        schema = {word: fact for word, fact in facts.items() if word not in {"title", "description"}}
        if schema.get("default", ...) is None:
            del schema["default"]
        yield {"name": name, "in": "query", "schema": schema, "description": meaning}


def _schemas(routes: tuple[Route, ...]) -> dict[str, Any]:
    received = {route.body for route in routes if route.body is not None}
    sent = {route.answer for route in routes if route.answer is not None} | {ErrorAnswer}
    wanted: list[tuple[Any, Any]] = [(model, "validation") for model in sorted(received, key=str)]
    wanted += [(model, "serialization") for model in sorted(sent, key=str)]
    _names, definitions = models_json_schema(wanted, ref_template=REFERENCE)
    schemas: dict[str, Any] = definitions["$defs"]
    for schema in schemas.values():
        _say_what_has_to_be_there(schema)
    return schemas


def _say_what_has_to_be_there(schema: dict[str, Any]) -> None:
    """Require what always reads the same, and give nothing null as a default: programs would have to send it.

    Programs that are made of the description take a field with a default for one that has to be given.
    """
    fields: dict[str, Any] = schema.get("properties", {})
    for name, facts in fields.items():
        if "const" in facts:
            schema["required"] = [*schema.get("required", ()), name]
        if facts.get("default", ...) is None:
            del facts["default"]
