"""Show and change the profile; change the mail address."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.labels import ROLES
from portal.services.accounts import email_change
from portal.services.accounts.lookalikes import shown_email
from portal.services.accounts.update import change_account
from portal.services.core.emails import clean_email
from portal.services.mail import pending
from portal.services.mail.outbox import find_refused
from portal.web.forms import BOTH, done, shown, text
from portal.web.identity import actor, me, require
from portal.web.profile.forms import EmailForm, ProfileForm

blueprint = Blueprint("profile", __name__, url_prefix="/account/profile")
require(blueprint)


@blueprint.route("", methods=BOTH)
def index() -> ResponseReturnValue:
    """Show the profile, and change it."""
    form = ProfileForm(obj=me(), kept=me().language)
    if form.validate_on_submit():
        with form.refusals():
            change_account(
                actor(),
                username=text(form.username),
                bio=text(form.bio).replace("\r\n", "\n"),  # as JSON has it, however the browser ends lines
                language=form.chosen,
            )
            return done(_("Profile saved."), ".index")
    return shown(
        "profile/index.html",
        form,
        account=me(),
        roles=ROLES,
        pending=pending.find_email(me().id),
        refused=find_refused(me().id),
    )


@blueprint.route("/email", methods=BOTH)
def email() -> ResponseReturnValue:
    """Ask for another mail address; it counts once the mail that goes there is answered."""
    form = EmailForm()
    if form.validate_on_submit():
        with form.refusals():
            change_account(actor(), email=text(form.email), current_password=text(form.current_password))
            return done(
                _(
                    "We sent an email to %(address)s. Open the link in it to confirm the change.",
                    address=shown_email(clean_email(text(form.email))),
                ),
                ".index",
            )
    return shown("profile/email.html", form, account=me())


@blueprint.post("/email/cancel")
def cancel_email() -> ResponseReturnValue:
    """Drop the change of address that waits."""
    if email_change.cancel_email(actor()):
        flash(_("Change cancelled. Your email stays the same."), "success")
    return redirect(url_for(".index"), 303)
