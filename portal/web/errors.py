"""Pages for what went wrong, with the id of the request and what to do."""

from __future__ import annotations

import logging
from typing import cast

from flask import Response, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import AnonymousUserMixin, current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from portal.error_messages import sentence
from portal.extensions import db
from portal.http import request_id
from portal.http.limited import too_many
from portal.services.core.errors import (
    AccountBlocked,
    AccountLocked,
    BeingSetUp,
    Forbidden,
    LastAdmin,
    NotFound,
    RuleError,
    Slowed,
)
from portal.web import slash
from portal.web.forms import on_page
from portal.web.stale import ask_again

log = logging.getLogger(__name__)

STATUSES: dict[type[RuleError], int] = {
    NotFound: 404,
    Forbidden: 403,
    AccountBlocked: 403,
    AccountLocked: 403,
    LastAdmin: 409,
    BeingSetUp: 503,
}


def show(status: int, title: str, text: str) -> tuple[str, int]:
    """Render the page of an error; where nobody can be looked up, as for nobody."""
    try:
        current_user.is_authenticated  # noqa: B018  # to look is what may fail
    except DBAPIError:
        db.session.rollback()
        g._login_user = AnonymousUserMixin()  # where Flask-Login keeps who it has found
    page = render_template(
        "errors/error.html", status=status, title=title, text=text, request_id=request_id()
    )
    return page, status


def show_http(error: HTTPException) -> ResponseReturnValue:
    """Show an error of HTTP with its headers (``Allow``, ``Retry-After``)."""
    if error.response is not None:
        return cast(Response, error.response)
    if error.code == 404 and (led_on := slash.led_on()) is not None:
        return led_on
    if isinstance(error, CSRFError):
        if (again := ask_again()) is not None:
            return again
        title = _("This form expired")
        text = _("Nothing was done. Go back, reload the page and send the form again.")
    else:
        title, text = _words(error)
    page, status = show(error.code or 500, title, text)
    headers = [(k, v) for k, v in error.get_headers() if k.lower() != "content-type"]
    return page, status, dict(headers)


def show_rule(error: RuleError) -> ResponseReturnValue:
    """Show what a rule said, when the view had nothing better to do with it."""
    if isinstance(error, Slowed):
        return show_http(too_many(error.retry_after))
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 400)
    if error.code == "busy":
        status = 503
    if status == 404:
        return show(404, _("Nothing here"), _not_found())
    return show(status, _("That can't be done"), on_page(error))


def show_unavailable(_error: Exception) -> ResponseReturnValue:
    """Say that the database can't be used now."""
    page, status = show(503, _("Back in a moment"), sentence("unavailable"))
    return page, status, {"Retry-After": "5"}


def show_failure(error: Exception) -> ResponseReturnValue:
    """Say that it is our fault; the log has the rest."""
    log.error("unhandled failure in request %s", request_id(), exc_info=error)
    return show(500, _("Something went wrong"), sentence("internalError"))


def _words(error: HTTPException) -> tuple[str, str]:
    own = error.description if error.description != type(error).description else None
    titles = {
        400: (_("That request isn't valid"), sentence("badRequest")),
        403: (_("That can't be done"), on_page(Forbidden())),
        404: (_("Nothing here"), _not_found()),
        405: (_("That can't be done here"), _("Go back and use the buttons on the page.")),
        408: (_("That took too long"), sentence("requestTimeout")),
        413: (_("That is too large"), sentence("bodyTooLarge")),
        429: (_("Too many tries"), _("Wait a moment, then try again.")),
        503: (_("Back in a moment"), sentence("busy")),
    }
    title, text = titles.get(error.code or 500, (_("That can't be done"), sentence("badRequest")))
    return title, str(own or text)


def _not_found() -> str:
    return str(_("This page doesn't exist, or it isn't yours. Check the address, or go to the start page."))
