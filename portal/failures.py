"""One handler for each kind of failure, and each asks which door the request came to.

Handlers of a blueprint don't see URLs that match nothing, so they are the application's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from portal.api import errors as api
from portal.services.errors import RuleError
from portal.services.peppers import WrongPepper
from portal.web import errors as web

Handler = Callable[[Any], ResponseReturnValue]


def init_app(app: Flask) -> None:
    """Register the handlers."""
    for kind, page, json in (
        (HTTPException, web.show_http, api.show_http),
        (RuleError, web.show_rule, api.show_rule),
        (OperationalError, web.show_unavailable, api.show_unavailable),
        (WrongPepper, web.show_unavailable, api.show_unavailable),
        (Exception, web.show_failure, api.show_failure),
    ):
        app.register_error_handler(kind, _by_door(page, json))


def _by_door(page: Handler, json: Handler) -> Handler:
    def handle(error: Any) -> ResponseReturnValue:
        is_api = request.path == "/api" or request.path.startswith("/api/")
        return json(error) if is_api else page(error)

    return handle
