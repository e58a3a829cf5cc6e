"""The operators' first page: what needs them, and how the installation is."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from portal.services.core import audit
from portal.services.operators import queries as operator_queries
from portal.services.usage import queries as usage_queries
from portal.web import charts
from portal.web.admin.blueprint import LOOKS, blueprint
from portal.web.admin.forms import FindKeyForm
from portal.web.admin.presenters import rows
from portal.web.identity import actor

NEWEST = 8


@blueprint.get("")
def overview() -> ResponseReturnValue:
    """What needs attention, figures, the chart, and the newest acts."""
    span = charts.asked_span()
    operator_queries.note_usage_read(actor(), span.value)
    return render_template(
        "admin/overview.html",
        form=FindKeyForm(),
        chart=charts.chart(usage_queries.read_series(span), ".overview"),
        record=rows(audit.list_events(without=LOOKS, limit=NEWEST)),
    )
