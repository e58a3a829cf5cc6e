"""One handler for each kind of failure, and each asks which door the request came to.

Handlers of a blueprint don't see URLs that match nothing, so they are the application's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from portal.api import errors as api
from portal.extensions import db
from portal.services.core.errors import RuleError
from portal.services.core.trouble import is_of_the_statement, note
from portal.services.keys.peppers import WrongPepper
from portal.web import errors as web

log = structlog.get_logger(__name__)

RETRY_AFTER = 5
"""Seconds."""
Handler = Callable[[Any], ResponseReturnValue]


def init_app(app: Flask) -> None:
    """Register the handlers. What nobody expects is left to the debugger, where there is one."""
    for kind, page, json in (
        (HTTPException, web.show_http, api.show_http),
        (RuleError, web.show_rule, api.show_rule),
        (DBAPIError, _of_database(web), _of_database(api)),
        (NoConnection, _busy(web), _busy(api)),
        (WrongPepper, _wrong_ring(web), _wrong_ring(api)),
        (Exception, web.show_failure, api.show_failure),
    ):
        if kind is not Exception or not app.debug:
            app.register_error_handler(kind, _by_door(page, json))


def _of_database(door: Any) -> Handler:
    """A database that can't be used is away; a statement that it refuses is our fault."""

    def handle(error: DBAPIError) -> ResponseReturnValue:
        if is_of_the_statement(error):
            return door.show_failure(error)  # type: ignore[no-any-return]
        note(db.engine, error)
        return door.show_unavailable(error)  # type: ignore[no-any-return]

    return handle


def _wrong_ring(door: Any) -> Handler:
    def handle(error: WrongPepper) -> ResponseReturnValue:
        log.error("pepper.wrong", why=str(error))
        return door.show_unavailable(error)  # type: ignore[no-any-return]

    return handle


def _busy(door: Any) -> Handler:
    """All connections of this process are at work."""
    return lambda _error: door.show_http(ServiceUnavailable(retry_after=RETRY_AFTER))


def _by_door(page: Handler, json: Handler) -> Handler:
    def handle(error: Any) -> ResponseReturnValue:
        is_api = request.path == "/api" or request.path.startswith("/api/")
        return json(error) if is_api else page(error)

    return handle
