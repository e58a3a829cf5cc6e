"""The password, the sessions, the lock and the removal of an account."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.services.accounts import recovery, removal
from portal.services.auth import sessions
from portal.services.core.errors import LastAdmin
from portal.services.keys import queries as key_queries
from portal.services.keys.queries import KeyStatus
from portal.web.forms import BOTH, done, shown, text
from portal.web.identity import actor, me, require, sign_off
from portal.web.security.forms import ChangePasswordForm, ProofForm
from portal.web.security.user_agent import describe

blueprint = Blueprint("security", __name__, url_prefix="/account/security")
require(blueprint, consent=False)
blueprint.add_app_template_filter(describe, "agent")


@blueprint.route("", methods=BOTH)
def index() -> ResponseReturnValue:
    """Change the password; see the sessions."""
    form = ChangePasswordForm()
    if form.validate_on_submit():
        with form.refusals():
            recovery.change_password(
                actor(),
                text(form.password),
                current=text(form.current_password),
                end_others=bool(form.end_others.data),
            )
            return done(_("Password changed. We sent you an email about it."), ".index")
    listed = sorted(sessions.list_sessions(me().id), key=lambda each: each.id != current_user.session_id)
    return shown("security/index.html", form, account=me(), sessions=listed)


@blueprint.post("/sessions/<uuid:session_id>/end")
def end_session(session_id: UUID) -> ResponseReturnValue:
    """End one session; one's own is a sign-out."""
    sessions.end_session(actor(), session_id)
    if session_id == current_user.session_id:
        sign_off()
        return done(_("You are signed out."), "home.index")
    return done(_("Device signed out."), ".index")


@blueprint.post("/sessions/end-others")
def end_others() -> ResponseReturnValue:
    """End every session but this one."""
    sessions.end_other_sessions(actor())
    return done(_("All other devices are signed out."), ".index")


@blueprint.route("/lock", methods=BOTH)
def lock() -> ResponseReturnValue:
    """Lock the account: every key is revoked, every session ends."""
    form = ProofForm()
    if form.validate_on_submit():
        with form.refusals(LastAdmin):
            recovery.lock(actor(), text(form.current_password))
            sign_off()
            return done(
                _("Your account is locked. The email we sent you has a link to unlock it."), "home.index"
            )
    return shown("security/lock.html", form, account=me(), live=_live_keys())


@blueprint.route("/remove", methods=BOTH)
def remove() -> ResponseReturnValue:
    """Remove the account for good."""
    form = ProofForm()
    if form.validate_on_submit():
        with form.refusals(LastAdmin):
            removal.remove_account(actor(), text(form.current_password))
            sign_off()
            return done(_("Your account is removed, and all its keys are revoked."), "home.index")
    return shown("security/remove.html", form, account=me(), live=_live_keys())


def _live_keys() -> int:
    return key_queries.count_keys(me().id)[KeyStatus.LIVE]
