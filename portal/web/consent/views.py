"""Give, change and withdraw consent. Open without consent, or nobody could give it."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.models import Consent
from portal.services.accounts.update import change_account
from portal.services.keys import queries as key_queries
from portal.services.keys.queries import KeyStatus
from portal.web.consent.forms import ConsentForm
from portal.web.forms import BOTH, done, shown
from portal.web.identity import actor, me, require

blueprint = Blueprint("consent", __name__, url_prefix="/account/consent")
require(blueprint, consent=False)


@blueprint.route("", methods=BOTH)
def index() -> ResponseReturnValue:
    """Show the consent that is, and change it."""
    before = me().consent
    form = ConsentForm(consent=str(before) if before else None)
    if form.validate_on_submit():
        with form.refusals():
            change_account(actor(), consent=form.given)
            return done(_("Your choice is saved."), ".index" if before else "overview.index")
    return shown("consent/index.html", form, account=me())


@blueprint.route("/withdraw", methods=BOTH)
def withdraw() -> ResponseReturnValue:
    """Withdraw consent: every key is revoked for good."""
    if me().consent is Consent.NONE:
        return redirect(url_for(".index"))
    form = ConsentForm()
    if form.is_submitted():
        change_account(actor(), consent=Consent.NONE)
        return done(_("Your consent is withdrawn, and all your keys are revoked permanently."), ".index")
    return render_template("consent/withdraw.html", live=key_queries.count_keys(me().id)[KeyStatus.LIVE])
