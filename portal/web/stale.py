"""Forms that come too late, or from a tab whose session has changed: nothing is done, nothing typed is lost.

The page of the form is shown as a GET shows it, so that nothing can be done for it, with what was
typed in its fields and a fresh token. So a second sign-in form, once signed in, leads on, as its
page does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from flask import Response, current_app, flash, g, make_response, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from wtforms import Form, PasswordField

from portal.http.cookies import csrf
from portal.services.core.errors import RuleError

_FLASHES = "_flashes"
_TYPED = "typed"


def is_asked_again() -> bool:
    """Whether this request is shown the page of a form that it sent too late."""
    return _TYPED in g


def typed_into(form: Form) -> MultiDict[str, str] | None:
    """What was typed into a form that is asked again, without its passwords; None for any other."""
    if not is_asked_again():
        return None
    kept = ((name, value) for name, value in g.typed.items(multi=True) if name in form)
    return MultiDict((name, value) for name, value in kept if not isinstance(form[name], PasswordField))


def ask_again() -> Response | None:
    """The page of the form that was sent, to be sent once more; None where there is none.

    Only a form with a token that we signed is asked again, of whichever time and session: what
    another site puts together is not shown under our name.
    """
    rule = _page() if csrf.has_signed() else None
    if rule is None:
        return None
    g.typed = request.form
    said = _("This form expired, so nothing was done.")
    said += " " + _("We kept what you typed, except passwords. Check it and send it again.")
    flash(said, "warning")
    with _as_if_got(*rule):
        answer = _answer()
    if answer.status_code == 200:
        answer.status_code = 422
    elif answer.location is not None:
        answer.status_code = 303
        session[_FLASHES] = [each for each in session.get(_FLASHES, []) if each[1] != said]
    return answer


def _page() -> tuple[Rule, dict[str, object]] | None:
    """The page that has the address of this request."""
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None
    try:
        rule, values = adapter.match(method="GET", return_rule=True)
    except HTTPException:
        return None
    return rule, dict(values)


@contextmanager
def _as_if_got(rule: Rule, values: dict[str, object]) -> Iterator[None]:
    """Have this request be a GET of its page for a while."""
    was = request.method, request.url_rule, request.view_args
    request.method, request.url_rule, request.view_args = "GET", rule, values
    try:
        yield
    finally:
        request.method, request.url_rule, request.view_args = was


def _answer() -> Response:
    """What the page answers: its door first, then its view."""
    try:
        return make_response(_through_the_door() or _view())
    except (HTTPException, RuleError) as error:
        return make_response(current_app.handle_user_exception(error))


def _through_the_door() -> ResponseReturnValue | None:
    for name in reversed(request.blueprints):
        for ask in current_app.before_request_funcs.get(name, ()):
            answer = current_app.ensure_sync(ask)()
            if answer is not None:
                return cast(ResponseReturnValue, answer)
    return None


def _view() -> ResponseReturnValue:
    view = current_app.view_functions[request.endpoint or ""]
    return cast(ResponseReturnValue, current_app.ensure_sync(view)(**(request.view_args or {})))
