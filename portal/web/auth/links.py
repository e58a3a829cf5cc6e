"""The pages behind the links in mails, and behind the one that the server prints.

Links carry their token in the path. Their pages are not stored, load nothing from elsewhere, and
the policy keeps their address from other sites.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.http import client_ip_address
from portal.http.limited import limited
from portal.models import Account, AccountStatus, MailToken, SessionKind, TokenPurpose, UserSession
from portal.services.accounts import email_change, recovery, signup
from portal.services.accounts.lookalikes import shown_email
from portal.services.core.errors import TokenInvalid
from portal.services.mail import pending as pending_mail
from portal.services.mail import tokens
from portal.services.ratelimits import questions
from portal.web.auth.forms import ConfirmForm, PressForm, ResetForm, SetupForm
from portal.web.auth.views import blueprint, enter
from portal.web.forms import BOTH, Form, done, shown, text
from portal.web.identity import visitor


@blueprint.route("/confirm/<token>", methods=BOTH)
@limited(lambda: questions.may_confirm(client_ip_address()))
def confirm(token: str) -> ResponseReturnValue:
    """Set the password and decide about consent; then the keys are open."""
    link = _linked(token, TokenPurpose.CONFIRM)
    form = ConfirmForm()
    form.context = [link.email]
    if form.validate_on_submit():
        with form.refusals():
            entered = signup.confirm(
                visitor(),
                token,
                consent=form.given,
                password=text(form.password),
                kind=None if current_user.is_authenticated else SessionKind.BROWSER,
            )
            return _welcome(entered, link.email, _("Welcome. Your account is ready. Create your first key."))
    return _show_link("auth/confirm.html", form, link)


@blueprint.route("/setup/<token>", methods=BOTH)
@limited(lambda: questions.may_confirm(client_ip_address()))
def setup(token: str) -> ResponseReturnValue:
    """Create the first admin with the link that the server printed."""
    _usable(token, TokenPurpose.FIRST_ADMIN)
    if not signup.is_being_set_up():
        raise TokenInvalid
    form = SetupForm()
    form.context = [text(form.email)]
    if form.validate_on_submit():
        with form.refusals():
            entered = signup.create_first_admin(
                visitor(),
                token,
                email=text(form.email),
                password=text(form.password),
                consent=form.given,
                kind=None if current_user.is_authenticated else SessionKind.BROWSER,
            )
            return _welcome(entered, text(form.email), _("Welcome. You are the first admin of this portal."))
    return shown("auth/setup.html", form, token=token)


@blueprint.route("/password/reset/<token>", methods=BOTH)
@limited(lambda: questions.may_confirm(client_ip_address()))
def reset(token: str) -> ResponseReturnValue:
    """Set a new password. It ends every session and signs nobody in."""
    link = _linked(token, TokenPurpose.RESET)
    form = ResetForm()
    form.context = [link.email]
    if form.validate_on_submit():
        with form.refusals():
            recovery.reset_password(visitor(), token, text(form.password))
            return done(
                _(
                    "The new password for %(address)s is set, and every device is signed out. "
                    "Sign in with the new password.",
                    address=shown_email(link.email),
                ),
                ".sign_in",
            )
    return _show_link("auth/reset.html", form, link, locked=link.account.status is AccountStatus.LOCKED)


@blueprint.route("/unlock/<token>", methods=BOTH)
@limited(lambda: questions.may_confirm(client_ip_address()))
def unlock(token: str) -> ResponseReturnValue:
    """Open an account that its owner has locked. No key comes back."""
    link = _linked(token, TokenPurpose.UNLOCK)
    form = PressForm()
    if form.validate_on_submit():
        recovery.unlock(visitor(), token)
        return done(
            _(
                "The account %(address)s is unlocked. Sign in and create new keys.",
                address=shown_email(link.email),
            ),
            ".sign_in",
        )
    return _show_link("auth/unlock.html", form, link)


@blueprint.route("/confirm-email/<token>", methods=BOTH)
@limited(lambda: questions.may_confirm(client_ip_address()))
def confirm_email(token: str) -> ResponseReturnValue:
    """Make a proven address the account's."""
    link = _linked(token, TokenPurpose.EMAIL)
    form = PressForm()
    if form.validate_on_submit():
        email_change.confirm_email(visitor(), token)
        return done(
            _(
                "The email of the account %(name)s is now %(address)s.",
                name=link.account.username,
                address=shown_email(link.email),
            ),
            "profile.index" if link.is_ours else ".sign_in",
        )
    return _show_link("auth/confirm_email.html", form, link)


@blueprint.route("/stop-email/<token>", methods=BOTH)
@limited(lambda: questions.may_confirm(client_ip_address()))
def stop_email(token: str) -> ResponseReturnValue:
    """Stop a change of address that somebody asked for; the old address has the link."""
    link = _linked(token, TokenPurpose.EMAIL_STOP)
    pending = pending_mail.find_email(link.account.id)
    if pending is None:
        raise TokenInvalid
    form = PressForm()
    if form.validate_on_submit():
        email_change.stop_email(visitor(), token)
        return done(
            _(
                "Change stopped: the email stays %(address)s. If somebody else started the change, "
                "they know your password: set a new one now.",
                address=shown_email(link.email),
            ),
            ".forgot",
        )
    return _show_link("auth/stop_email.html", form, link, pending=pending)


@blueprint.errorhandler(TokenInvalid)
def show_stale(_error: TokenInvalid) -> ResponseReturnValue:
    """Say that a link is wrong, used or too old, and where the next one comes from."""
    return render_template("auth/stale.html", is_being_set_up=signup.is_being_set_up()), 410


class Link(NamedTuple):
    """A link from a mail that would be accepted, and the account that it is about."""

    token: str
    email: str
    account: Account

    @property
    def is_ours(self) -> bool:
        """Whether its owner is signed in here."""
        return bool(current_user.is_authenticated and current_user.account_id == self.account.id)


def _linked(token: str, purpose: TokenPurpose) -> Link:
    """Look at a link of an account without using it; raises TokenInvalid."""
    found = _usable(token, purpose)
    account = tokens.owner_of(found)
    if account is None:
        raise TokenInvalid
    return Link(token, found.email or "", account)


def _show_link(template: str, form: Form, link: Link, **values: Any) -> ResponseReturnValue:
    """The page of a link. It names its account; whoever else is signed in has no part in it."""
    other = current_user.account if current_user.is_authenticated and not link.is_ours else None
    return shown(
        template, form, token=link.token, email=link.email, account=link.account, other=other, **values
    )


def _welcome(entered: tuple[UserSession, str] | None, email: str, words: str) -> ResponseReturnValue:
    """Let somebody new in; where somebody else is signed in, their session stays as it is."""
    if entered:
        enter(*entered)
        return done(words, "overview.index")
    said = _(
        "The account for %(address)s is ready. To use it, sign out of this one first.",
        address=shown_email(email),
    )
    return done(said, "overview.index")


def _usable(token: str, purpose: TokenPurpose) -> MailToken:
    """Look at a token without using it; raises TokenInvalid."""
    found = tokens.find(token, purpose)
    if found is None:
        raise TokenInvalid
    return found
