"""Sign up, sign in and out, and ask for a way back in; what a mailed link opens stands in ``links.py``."""

from __future__ import annotations

from contextlib import suppress

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.extensions import settings
from portal.http import client_ip_address
from portal.http.limited import limited
from portal.models import SessionKind, UserSession
from portal.services.accounts import recovery, signup
from portal.services.accounts import sign_in as signing_in
from portal.services.accounts.lookalikes import shown_email
from portal.services.auth import sessions
from portal.services.core.errors import AccountBlocked, AccountLocked, NotAdmitted, SignInFailed
from portal.services.ratelimits import questions
from portal.web import languages
from portal.web.auth.forms import ForgotForm, SignInForm, SignUpForm
from portal.web.forms import BOTH, done, shown, text
from portal.web.identity import actor, begin, sign_off, visitor
from portal.web.stale import is_asked_again

blueprint = Blueprint("auth", __name__)


@blueprint.route("/signup", methods=BOTH)
@limited(lambda: questions.may_sign_up(client_ip_address(), request.form.get("email", "")))
def sign_up() -> ResponseReturnValue:
    """Ask for an account. The answer is the same whether the address is known or not."""
    if current_user.is_authenticated:
        return redirect(url_for("overview.index"))
    if signup.is_being_set_up():
        return render_template("auth/being_set_up.html"), 503
    form = SignUpForm(language=request.accept_languages.best_match(languages.offered(), "en"))
    if form.validate_on_submit():
        with form.refusals():
            email = signup.request_sign_up(visitor(), text(form.email), form.chosen or "en")
            return done(_("We sent an email to %(address)s.", address=shown_email(email)), ".sign_up_sent")
    return shown("auth/sign_up.html", form)


@blueprint.get("/signup/sent")
def sign_up_sent() -> ResponseReturnValue:
    """Say what comes next."""
    return render_template("auth/sent.html", again=url_for(".sign_up"), files=_mail_folder())


@blueprint.route("/signin", methods=BOTH)
def sign_in() -> ResponseReturnValue:
    """Sign in, and go on to where one wanted to."""
    form = SignInForm(next=request.args.get("next", ""))
    if current_user.is_authenticated and request.method != "POST":
        if is_asked_again():
            flash(
                _("You are already signed in as %(address)s.", address=shown_email(current_user.email)),
                "info",
            )
        return redirect(form.target)
    if form.validate_on_submit():
        with form.refusals(SignInFailed):
            who = visitor(), text(form.username), text(form.password)
            enter(*signing_in.sign_in(*who, SessionKind.BROWSER))
            return redirect(form.target, 303)
    return shown("auth/sign_in.html", form)


@blueprint.errorhandler(AccountBlocked)
def show_blocked(error: AccountBlocked) -> ResponseReturnValue:
    """Tell whoever gave the right password of a blocked account why, and whom to ask."""
    return render_template("auth/blocked.html", why=error.details.get("why")), 403


@blueprint.errorhandler(AccountLocked)
def show_locked(_error: AccountLocked) -> ResponseReturnValue:
    """Tell whoever gave the right password of a locked account how to open it."""
    return render_template("auth/locked.html", files=_mail_folder()), 403


@blueprint.post("/signout")
def sign_out() -> ResponseReturnValue:
    """End this session, here and on the server."""
    end_own()
    sign_off()
    return done(_("You are signed out."), "home.index")


@blueprint.route("/password/forgot", methods=BOTH)
@limited(lambda: questions.may_reset(client_ip_address(), request.form.get("email", "")))
def forgot() -> ResponseReturnValue:
    """Ask for a link by mail. The answer is the same whether the address is known or not."""
    form = ForgotForm()
    if form.validate_on_submit():
        with form.refusals():
            recovery.request_reset(visitor(), text(form.email))
            return done(
                _(
                    "If there is an account with %(address)s, an email is on its way.",
                    address=shown_email(text(form.email)),
                ),
                ".forgot_sent",
            )
    return shown("auth/forgot.html", form)


@blueprint.get("/password/sent")
def forgot_sent() -> ResponseReturnValue:
    """Say what comes next."""
    return render_template("auth/sent.html", again=url_for(".forgot"), files=_mail_folder())


def enter(signed: UserSession, token: str) -> None:
    """Begin a new session in this browser, and end the one that it held before."""
    end_own()
    begin(signed, token)


def end_own() -> None:
    """End the session that this browser holds, unless it has ended meanwhile."""
    if current_user.is_authenticated:
        with suppress(NotAdmitted):
            sessions.end_session(actor(), current_user.session_id)


def _mail_folder() -> str | None:
    """Where mails lie when they are files on this machine, so that the reader looks there."""
    if not settings.mail_url.get_secret_value().startswith("file:") or settings.is_public:
        return None
    return f"{settings.instance_path.name}/mail"
