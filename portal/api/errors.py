"""Errors as the API tells them: one shape, the true status, nothing internal."""

from __future__ import annotations

import logging
import re
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException

from portal.error_messages import sentence
from portal.http import request_id
from portal.http.headers import JSON_TYPE
from portal.http.limited import too_many
from portal.services.core.errors import (
    AccountBlocked,
    AccountLocked,
    AlreadyRotated,
    BeingSetUp,
    ConsentLacking,
    Forbidden,
    InvalidInput,
    LastAdmin,
    NotAdmitted,
    NotFound,
    RuleError,
    SignInFailed,
    Slowed,
    TokenInvalid,
    TooManyKeys,
)

log = logging.getLogger(__name__)

STATUSES: dict[type[RuleError], int] = {
    InvalidInput: 400,
    SignInFailed: 401,
    NotAdmitted: 401,
    Forbidden: 403,
    AccountBlocked: 403,
    AccountLocked: 403,
    NotFound: 404,
    TokenInvalid: 404,
    LastAdmin: 409,
    AlreadyRotated: 409,
    TooManyKeys: 409,
    ConsentLacking: 451,
    BeingSetUp: 503,
}
CODES = {
    401: "authenticationFailed",
    403: "insufficientAccessLevel",
    404: "notFound",
    405: "methodNotAllowed",
    406: "notAcceptable",
    408: "requestTimeout",
    413: "bodyTooLarge",
    415: "unsupportedMediaType",
    429: "tooManyRequests",
    451: "consentLacking",
    500: "internalError",
    503: "busy",
}

OAUTH = frozenset({"/api/introspect", "/api/revoke"})
"""Introspection (RFC 7662) and revocation (RFC 7009): their clients know the words of RFC 6749."""
OAUTH_ERRORS = {
    401: "invalid_client",
    403: "insufficient_scope",
    429: "temporarily_unavailable",
    451: "insufficient_scope",
    500: "server_error",
    503: "temporarily_unavailable",
}

_DESCRIBABLE = re.compile(r"[ !#-\[\]-~]+")
"""What an ``error_description`` may be written with (RFC 6749, 5.2)."""


def failure(status: int, code: str, details: dict[str, Any] | None = None) -> Response:
    """Make the answer of an error; at a door of OAuth's with the words that its clients look for."""
    message = sentence(code, details)
    told = {"result": "error", "error": code, "message": message, "requestId": request_id()}
    if request.path in OAUTH:
        told |= {"error": OAUTH_ERRORS.get(status, "invalid_request"), "code": code}
        if _DESCRIBABLE.fullmatch(message):
            told["error_description"] = message
    response = jsonify(told)
    response.status_code = status
    response.content_type = JSON_TYPE
    return response


def show_http(error: HTTPException) -> Response:
    """Tell an error of HTTP, with its headers (``Allow``, ``Retry-After``)."""
    status = error.code or 500
    response = failure(status, CODES.get(status, "badRequest"))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def show_rule(error: RuleError) -> Response:
    """Tell what a rule said."""
    if isinstance(error, Slowed):
        return show_http(too_many(error.retry_after))
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 400)
    return failure(503 if error.code == "busy" else status, error.code, error.details)


def show_unavailable(_error: Exception) -> Response:
    """Say that the database can't be used now."""
    response = failure(503, "unavailable")
    response.headers["Retry-After"] = "5"
    return response


def show_failure(error: Exception) -> Response:
    """Say that it is our fault; the log has the rest."""
    log.error("unhandled failure in request %s", request_id(), exc_info=error)
    return failure(500, "internalError")
