"""The operators' first page: what needs them, and how the installation is."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _

from portal.extensions import settings
from portal.services.operators import queries as operator_queries
from portal.services.operators import state
from portal.services.system.readiness import readiness
from portal.services.usage import queries as usage_queries
from portal.services.usage.queries import Series, Span
from portal.web import charts
from portal.web.admin.blueprint import blueprint
from portal.web.admin.forms import FindKeyForm
from portal.web.admin.notices import notices
from portal.web.admin.presenters import rows
from portal.web.identity import actor
from portal.web.overview.tiles import SPARK_DAYS, Tile

NEWEST = 6


@blueprint.get("")
def overview() -> ResponseReturnValue:
    """What needs attention, figures, the chart, and the newest acts of operators."""
    span = charts.asked_span()
    operator_queries.note_usage_read(actor(), span.value)
    month = usage_queries.read_series(Span.MONTH)
    shown = month if span is Span.MONTH else usage_queries.read_series(span)
    return render_template(
        "admin/overview.html",
        form=FindKeyForm(),
        notices=notices(state.find_trouble(), readiness(settings.peppers.get_secret_value())),
        tiles=_tiles(month),
        chart=charts.chart(shown, ".overview"),
        record=rows(state.list_acts(NEWEST)),
    )


def _tiles(month: Series) -> list[Tile]:
    counts, days = state.counts(), month.slots[-SPARK_DAYS:]
    today = days[-1]
    both = today.calls + today.refused
    return [
        Tile(
            label=_("Accounts"),
            figure=format_decimal(counts.accounts),
            line=ngettext("%(num)s new in 30 days", "%(num)s new in 30 days", counts.new_accounts),
        ),
        Tile(
            label=_("Live keys"),
            figure=format_decimal(counts.live_keys),
            line=ngettext("%(num)s created in 30 days", "%(num)s created in 30 days", counts.new_keys),
        ),
        Tile(
            label=_("Calls today"),
            figure=format_decimal(today.calls),
            line=_("%(number)s in 30 days", number=format_decimal(month.calls)),
            days=[day.calls for day in days],
        ),
        Tile(
            label=_("Refused today"),
            figure=format_decimal(today.refused),
            line=_("%(share)s of the calls", share=format_percent(today.refused / both, "#,##0.# %"))
            if both
            else _("No calls yet"),
            tone="bad" if today.refused else "",
            days=[day.refused for day in days],
        ),
    ]
