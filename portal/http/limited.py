"""Ask a view's limit before its form is looked at, so that posts which fail CSRF count too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask_babel import gettext as _
from werkzeug.exceptions import BadRequest, TooManyRequests

from portal.http.request import API
from portal.services.ratelimits.counters import Answer

View = TypeVar("View", bound=Callable[..., Any])
_QUESTION = "limit_question"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def limited(question: Callable[[], Answer]) -> Callable[[View], View]:
    """Declare the limit of a view that acts: ``question`` is asked for what isn't GET or HEAD.

    >>> @blueprint.post("/leaks")
    ... @limited(lambda: questions.may_report_leaks(client_ip_address()))
    """

    def declare(view: View) -> View:
        setattr(view, _QUESTION, question)
        return view

    return declare


def refuse_when_limited(answer: Answer) -> None:
    """Raise TooManyRequests with an honest ``Retry-After`` when the answer is no."""
    if not answer:
        raise too_many(answer.retry_after)


def too_many(seconds: int) -> TooManyRequests:
    """The error of somebody who has to wait so many seconds."""
    return TooManyRequests(
        _("Too many tries. Wait %(seconds)s seconds, then try again.", seconds=seconds), retry_after=seconds
    )


def init_app(app: Flask) -> None:
    """Look at each request that acts; to be called before CSRFProtect."""
    app.before_request(_before_acting)


def _before_acting() -> None:
    acting = request._get_current_object()  # type: ignore[attr-defined]  # spares a key check five looks through the proxy
    if acting.method in _SAFE or acting.endpoint is None or acting.path.startswith(API):
        return  # the API reads a body once it has let somebody in, and asks its limits itself
    if any("\0" in value for values in acting.form.listvalues() for value in values):
        raise BadRequest(_("A field holds a character that can't be kept."))
    question = getattr(current_app.view_functions.get(acting.endpoint), _QUESTION, None)
    if question is not None:
        refuse_when_limited(question())
