"""What an owner sees first."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal.services.core import audit
from portal.services.keys import quotas
from portal.services.usage import queries as usage_queries
from portal.services.usage.queries import UsageScope
from portal.web import charts
from portal.web.activity.presenters import row
from portal.web.identity import me, require

LATEST = 5
"""Events that the overview shows."""

blueprint = Blueprint("overview", __name__, url_prefix="/account")
require(blueprint)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """What needs attention, the figures, the chart and the latest activity."""
    series = usage_queries.read_series(charts.asked_span(), UsageScope(account_id=me().id))
    return render_template(
        "overview/index.html",
        quota=quotas.quota_of(me().id, me().role),
        chart=charts.chart(series, ".index"),
        activity=[row(event, me().id) for event in audit.list_events(account_id=me().id, limit=LATEST)],
    )


@blueprint.get("/")
def slash() -> ResponseReturnValue:
    """Lead on from the address with a slash at its end."""
    return redirect(url_for(".index"), 308)
