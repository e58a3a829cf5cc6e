"""The use of all keys."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from portal.services.operators import queries as operator_queries
from portal.services.usage import queries as usage_queries
from portal.web import charts
from portal.web.admin.blueprint import blueprint
from portal.web.identity import actor
from portal.web.keys.presenters import row as key_row


@blueprint.get("/usage")
def usage() -> ResponseReturnValue:
    """The use of all keys, and which of them are used the most."""
    span = charts.asked_span()
    operator_queries.note_usage_read(actor(), span.value)
    return render_template(
        "admin/usage.html",
        chart=charts.chart(usage_queries.read_series(span), ".usage"),
        busiest=[(busy, key_row(busy.key)) for busy in usage_queries.busiest_keys(span)],
    )
