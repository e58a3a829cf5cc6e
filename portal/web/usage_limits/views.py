"""Where the keys of an account stand today, what happens above a limit, and what happened."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal import clock
from portal.extensions import settings
from portal.services.abuse import excess, standing
from portal.web.identity import me, require

LOOKING_BACK = timedelta(days=30)

blueprint = Blueprint("usage_limits", __name__, url_prefix="/account/usage-limits")
require(blueprint)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The policy of this installation, and where the account stands."""
    policy = excess.policy_of(settings)
    return render_template(
        "usage_limits/index.html",
        policy=policy,
        rates=policy.rates[me().role.value],
        enabled=settings.limits_enabled,
        standings=standing.standings(me().id, policy.rates),
        steps=excess.steps_since(me().id, clock.utcnow() - LOOKING_BACK),
        notice=excess.notice(me().id),
        days=LOOKING_BACK.days,
    )
