"""Forms that are sent twice: whoever clicked twice gets the first answer, which the browser threw away.

:mod:`portal.services.core.sent_forms` has the rule. Here is what belongs to the browser: the random
bits in each form, what a cookie says of the browser that it comes from, and the answers.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from flask import Flask, Response, current_app, flash, g, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.exc import DBAPIError

from portal.error_messages import sentence
from portal.http import request_id
from portal.http.request import API
from portal.models import SentForm
from portal.services.auth import sessions
from portal.services.core import sent_forms
from portal.services.core.errors import AlreadySent, RuleError
from portal.services.core.sent_forms import Form
from portal.web.identity import begin, browser_marks, leave

FIELD = "once"
BITS = re.compile(r"[\w-]{43}", re.ASCII)
LONGEST_WAIT, LOOK_EVERY = 5.0, 0.02
"""Seconds: how long the second of two forms waits for the answer of the first, once that is done."""

View = TypeVar("View", bound=Callable[..., Any])
_AGAIN = "answered_again"
_FLASHES = "_flashes"


def answered_again(show: Callable[[], ResponseReturnValue]) -> Callable[[View], View]:
    """Declare how a view answers a form again whose answer must not be kept: ``show`` makes it anew."""

    def declare(view: View) -> View:
        setattr(view, _AGAIN, show)
        return view

    return declare


def fresh_bits() -> str:
    """256 random bits for a form."""
    return secrets.token_urlsafe(32)


def is_known_form() -> bool:
    """Whether the form that is answered has its bits, and so makes one key, however often it is sent."""
    return "form" in g


def init_app(app: Flask) -> None:
    """Look at each form before anything else does, its limit included, and at each answer last."""
    app.before_request(_answer_again)
    app.after_request(_keep_or_answer_again)
    app.add_template_global(fresh_bits)


def _answer_again() -> ResponseReturnValue | None:
    """Answer a form that was sent a moment ago, without doing anything for it."""
    forms = list(_sent_forms())
    if not forms:
        return None
    g.forms, g.form = forms, forms[0]
    g.is_answer = (answer := _answer_of_first()) is not None
    return answer


def _sent_forms() -> Iterator[Form]:
    """The form of this request, as sent by this browser, and as sent before its cookie was changed."""
    if request.method != "POST" or request.endpoint is None or request.path.startswith(API):
        return
    bits = request.form.get(FIELD, "")
    if BITS.fullmatch(bits):
        content = list(request.form.items(multi=True))
        for mark in browser_marks():
            yield Form.of(mark, request.path, bits, content)


def _keep_or_answer_again(response: Response) -> Response:
    """Keep the answer of a form that was done here; give the kept one when another request did it."""
    if "forms" not in g or g.is_answer:
        return response
    with suppress(DBAPIError):
        found = sent_forms.find(g.forms)
        if found and found[1].request_id != request_id():
            session.pop(_FLASHES, None)  # what was said here was about the second try
            return make_response(_answer_of_first() or response)
        if found and _show_again() is None:
            sent_forms.keep_answer(found[0], _what_was_answered(response))
    return response


def _show_again() -> Callable[[], ResponseReturnValue] | None:
    return getattr(current_app.view_functions.get(request.endpoint or ""), _AGAIN, None)


def _what_was_answered(response: Response) -> dict[str, Any]:
    return {
        "location": response.location,
        "flashes": session.get(_FLASHES, []),
        "known": current_user.is_authenticated,
    }


def _answer_of_first() -> ResponseReturnValue | None:
    """What the first request was answered; None when there was none, or the view gives it by itself."""
    found = sent_forms.find(g.forms)
    if found is None:
        return None
    g.form = found[0]
    if show := _show_again():
        try:
            return show()
        except RuleError:
            return None  # the view says why
    return _same_answer(*found)


def _same_answer(form: Form, sent: SentForm) -> ResponseReturnValue | None:
    """Lead where the first answer led; None where it led nowhere, but showed the form with a refusal."""
    answer = _wait_for_answer(form, sent)
    if answer is not None and answer["location"] is None:
        return None
    if answer is None:
        flash(sentence(AlreadySent.code), "info")
        return redirect(url_for("home.index"), 303)
    entered = sessions.resume_again(form, sent)
    if entered and not (current_user.is_authenticated and current_user.session_id == entered[0].id):
        begin(*entered)
    if not answer["known"] and current_user.is_authenticated:
        leave()
    session[_FLASHES] = answer["flashes"]
    return redirect(answer["location"], 303)


def _wait_for_answer(form: Form, sent: SentForm) -> dict[str, Any] | None:
    """The answer; the first request may be between its deed and the end of its answer."""
    end = time.monotonic() + LONGEST_WAIT
    answer = sent.answer
    while answer is None and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
        found = sent_forms.find([form])
        answer = found[1].answer if found else None
    return answer
