"""Report a leaked secret. Nobody signs in for it, and everybody reads the same thanks."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.http import client_ip_address
from portal.http.limited import limited
from portal.services.abuse import leaks
from portal.services.abuse.leaks import MOST_SECRETS, Leak, Reporter
from portal.services.core.errors import InvalidInput
from portal.services.ratelimits import questions
from portal.web.forms import BOTH, shown, text
from portal.web.identity import visitor
from portal.web.leaks.forms import LeakForm

blueprint = Blueprint("leaks", __name__, url_prefix="/leaks")


@blueprint.route("", methods=BOTH)
@limited(lambda: questions.may_report_leaks(client_ip_address()))
def index() -> ResponseReturnValue:
    """Take a text, look for our secrets in it, and forget it."""
    form = LeakForm()
    if form.validate_on_submit():
        with form.refusals():
            _report(text(form.text), text(form.found_at))
            return redirect(url_for(".thanks"), 303)
    form.forget()
    return shown("leaks/index.html", form)


@blueprint.get("/thanks")
def thanks() -> str:
    """Say thanks, whatever was found."""
    return render_template("leaks/thanks.html")


def _report(words: str, place: str) -> None:
    found = leaks.search(words)
    if len(found) > MOST_SECRETS:
        raise InvalidInput("secretsTooMany", "text", maximum=MOST_SECRETS)
    # As nobody, also who is signed in: their own record must not tell of a hit.
    leaks.report(visitor(), [Leak(each, place) for each in found], Reporter.PAGE)
