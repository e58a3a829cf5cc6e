"""List and show keys."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_number, ngettext
from flask_babel import gettext as _

from portal.extensions import settings
from portal.services.abuse import excess
from portal.services.keys import queries as key_queries
from portal.services.keys import quotas
from portal.services.keys.queries import KeyFilter
from portal.services.keys.quotas import KeyQuota
from portal.services.usage import collector
from portal.services.usage import queries as usage_queries
from portal.services.usage.queries import Span, UsageScope
from portal.web import charts
from portal.web.identity import me
from portal.web.keys.blueprint import blueprint
from portal.web.keys.key_page import key_page
from portal.web.keys.presenters import rows

LONGEST_QUERY = 100


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The keys of the account, the living ones first."""
    asked = request.args.get("status")
    status = KeyFilter(asked) if asked in set(KeyFilter) else None
    query = request.args.get("query", "")[:LONGEST_QUERY]
    page = key_queries.list_keys(
        me().id, status=status or KeyFilter.ALL, query=query, page=request.args.get("page", 1, int)
    )
    counts, room = key_queries.count_shown(me().id), quotas.quota_of(me().id, me().role)
    return render_template(
        "keys/index.html",
        page=page,
        rows=rows(page.items),
        counts=counts,
        figures=_figures(room),
        room=room,
        chart=_chart(status, query),
        status=status or KeyFilter.ALL,
        query=query,
        notice=excess.notice(me().id),
    )


@blueprint.get("/<uuid:key_id>")
def detail(key_id: UUID) -> ResponseReturnValue:
    """Show a key."""
    return render_template(
        "keys/detail.html",
        p=key_page(key_queries.get_key(me().id, key_id)),
        all_refusals=request.args.get("refusals") == "all",
        base_url=settings.base_url,
    )


def _figures(room: KeyQuota) -> list[tuple[int | str, str]]:
    calls, refused = collector.sums_since(me().id, usage_queries.first_moment(Span.MONTH))
    soon = key_queries.count_expiring_soon(me().id)
    live = _("%(live)s of %(most)s", live=format_number(room.live), most=format_number(room.most))
    return [
        (live, _told(room)),
        (soon, ngettext("expires within 14 days", "expire within 14 days", soon)),
        (calls, ngettext("call in 30 days", "calls in 30 days", calls)),
        (refused, _("refused in 30 days")),
    ]


def _told(room: KeyQuota) -> str:
    """What is counted against the cap: a key that was rotated leaves its place to its successor."""
    if not room.retiring:
        return str(ngettext("live key", "live keys", room.most))
    words = ngettext("%(num)s rotated", "%(num)s rotated", room.retiring)
    return str(_("live keys, besides %(rotated)s", rotated=words))


def _chart(status: KeyFilter | None, query: str) -> charts.Chart:
    series = usage_queries.read_series(charts.asked_span(), UsageScope(account_id=me().id))
    return charts.chart(series, ".index", status=status, query=query or None)
