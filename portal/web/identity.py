"""Who is signed in, and what that opens. Declared where a blueprint is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256

from flask import (
    Blueprint,
    Response,
    abort,
    after_this_request,
    flash,
    g,
    redirect,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import UserMixin, current_user, login_user
from werkzeug.exceptions import NotFound

from portal import clock
from portal.extensions import db, login_manager
from portal.http import client_ip_address, request_id
from portal.http.limited import refuse_when_limited
from portal.models import Account, ActorKind, Consent, UserSession
from portal.services.auth import sessions
from portal.services.core.actor import Actor
from portal.services.core.errors import RuleError
from portal.services.core.sent_forms import ANSWERED_AGAIN
from portal.services.ratelimits import questions
from portal.web import errors

CSRF = "csrf_token"
"""Where Flask-WTF keeps what the tokens of a browser's forms rest on."""
_BEFORE = "before"


class SignedIn(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    """The owner of the session that a browser holds; what pages may know of the account."""

    def __init__(self, signed: UserSession, token: str) -> None:
        self._token = token
        self.session_id = signed.id
        self.account_id = signed.account_id
        self._signed = signed

    @property
    def account(self) -> Account:
        """The account, as it is now."""
        return self._signed.account

    @property
    def email(self) -> str:
        """The address that the header shows."""
        return self.account.email or ""

    def get_id(self) -> str:
        """What the signed cookie carries: the session's token, and nothing else."""
        return self._token

    def __repr__(self) -> str:
        return f"<SignedIn {self.account_id}>"


@login_manager.user_loader  # type: ignore[untyped-decorator]  # Flask-Login has no types
def load_user(token: str) -> SignedIn | None:
    """Resume the session of a cookie, if it may go on."""
    signed = sessions.resume(token)
    return SignedIn(signed, token) if signed else None


def begin(signed: UserSession, token: str) -> None:
    """Put a new session into the browser's cookie; nothing of the old cookie is kept but its mark.

    The cookie outlives the browser, as long as a session can last; the server says when it ends.
    """
    leave()
    session.permanent = True
    login_user(SignedIn(signed, token))


def leave() -> None:
    """Let the browser's cookie forget its session; its mark is kept, for forms that are sent twice."""
    before = browser_marks()[0], clock.now_ms()
    session.clear()
    session[_BEFORE] = before


def sign_off() -> None:
    """Leave, and have the browser throw away what it kept of this site (Clear-Site-Data).

    Not its cookies: the answer sets the one that says that somebody has left.
    """
    leave()
    after_this_request(_clear_site)


def _clear_site(answer: Response) -> Response:
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def browser_marks() -> list[str]:
    """What tells this browser from others: by its cookie, and by the one that it had a moment ago.

    A mark is a digest of what the CSRF tokens of the browser's forms rest on. Nothing is allowed
    by the old one; a form that was sent with it is known by it.
    """
    now, was = session.get(CSRF, ""), session.get(_BEFORE)
    marks = [sha256(str(now).encode()).hexdigest()]
    if was and clock.now_ms() - was[1] < ANSWERED_AGAIN / timedelta(milliseconds=1):
        marks.append(was[0])
    return marks


def actor() -> Actor:
    """Who asks, for the rules."""
    if not current_user.is_authenticated:
        return visitor()
    signed = {"account_id": current_user.account_id, "session_id": current_user.session_id}
    return replace(visitor(), kind=ActorKind.BROWSER, **signed)


def visitor() -> Actor:
    """Whoever is there, as nobody: for acts whose right is a password or a mailed link.

    Whoever else is signed in here has no part in them.
    """
    return Actor(
        kind=ActorKind.ANONYMOUS,
        ip_address=client_ip_address(),
        user_agent=request.user_agent.string,
        request_id=request_id(),
        form=g.get("form"),
    )


def me() -> Account:
    """The account that is signed in; for views behind :func:`require`."""
    account: Account = current_user.account
    return account


def require(blueprint: Blueprint, *, level: int = 0, consent: bool = True) -> None:
    """Close every page of a blueprint to strangers, to lower levels, and without consent.

    What is posted there counts as a change of the account. Whom a rule refuses is asked again,
    for what was open to them may have closed meanwhile.
    """
    check = partial(_check, level, consent)
    blueprint.before_request(check)
    blueprint.before_request(_count_change)
    blueprint.register_error_handler(RuleError, partial(_ask_again, check))


def _ask_again(check: Callable[[], ResponseReturnValue | None], error: RuleError) -> ResponseReturnValue:
    """What the door says to them now; if it still lets them in, what the rule said."""
    db.session.rollback()
    g.pop("_login_user", None)
    try:
        refusal = check()
    except NotFound as closed:
        return errors.show_http(closed)
    return errors.show_rule(error) if refusal is None else refusal


def _check(level: int, consent: bool) -> ResponseReturnValue | None:
    if not current_user.is_authenticated:
        target = request.script_root + request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("auth.sign_in", next=target))
    if me().role.level < level:
        abort(404)
    if consent and me().consent is Consent.NONE:
        flash(_("Your consent is needed before you can go on."), "warning")
        return redirect(url_for("consent.index"))
    return None


def _count_change() -> None:
    if request.method == "POST":
        refuse_when_limited(questions.may_change(current_user.account_id, current_user.session_id))
