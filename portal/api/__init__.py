"""JSON, under ``/api``.

Four blueprints, one for each door; what proves who asks is declared here, once for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response

from config import Settings
from portal.api import auth
from portal.api.authorize import BEHIND_PREFIX, METHODS, VisitedPath
from portal.api.openapi import ROUTE, document, told_by
from portal.api.route import Door, Route, blueprint_name, register
from portal.api.routes import FORWARD_AUTH, ROUTES
from portal.http.cookies import csrf
from portal.services.core.errors import RuleError

PREFIX = "/api"
ALL_ROUTES = (*ROUTES, ROUTE)

DOORS: dict[Door, Callable[[], Response | None]] = {
    Door.OPEN: auth.admit_anybody,
    Door.JWT: auth.admit_jwt,
    Door.KEY: auth.admit_key,
    Door.VISITOR: auth.admit_visitor,
}


def init_app(app: Flask) -> None:
    """Register the API."""
    app.url_map.converters["visited"] = VisitedPath
    register(ALL_ROUTES)
    for door, admit in DOORS.items():
        app.register_blueprint(_blueprint(door, admit))


def describe(settings: Settings) -> dict[str, Any]:
    """The description of the API, as OpenAPI has it."""
    return document(ALL_ROUTES, settings.key_headers) | told_by(settings)


def _blueprint(door: Door, admit: Callable[[], Response | None]) -> Blueprint:
    blueprint = Blueprint(blueprint_name(door), __name__, url_prefix=PREFIX)
    blueprint.before_request(admit)
    blueprint.after_request(auth.tell_limits)
    if door in {Door.JWT, Door.KEY}:
        blueprint.register_error_handler(RuleError, auth.ask_again)
    csrf.exempt(blueprint)
    for route in ALL_ROUTES:
        if route.door is door:
            blueprint.add_url_rule(
                route.path, route.name, route.view, methods=[route.method], merge_slashes=False
            )
    if door is Door.VISITOR:
        _open_to_gateways(blueprint, FORWARD_AUTH[0])
    return blueprint


def _open_to_gateways(blueprint: Blueprint, route: Route) -> None:
    """Add what the description leaves out: OPTIONS, and the visitor's path behind a prefix."""
    blueprint.add_url_rule(route.path, route.name, route.view, methods=["OPTIONS"])
    for path in BEHIND_PREFIX:
        methods = [*METHODS, "OPTIONS"]
        blueprint.add_url_rule(path, route.name, route.view, methods=methods, merge_slashes=False)
