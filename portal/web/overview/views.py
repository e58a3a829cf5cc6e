"""What an owner sees first."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from portal.extensions import settings
from portal.models import Account, ExcessLevel
from portal.services.abuse import excess
from portal.services.core import audit
from portal.services.keys import queries as key_queries
from portal.services.keys import quotas
from portal.services.keys.queries import KeyStatus
from portal.services.mail import outbox, pending
from portal.services.usage import attention, collector
from portal.services.usage import queries as usage_queries
from portal.services.usage.queries import Span, UsageScope
from portal.web import charts
from portal.web.activity.presenters import row
from portal.web.identity import me, require
from portal.web.overview import notices, tiles
from portal.web.overview.notices import Notice
from portal.web.overview.tiles import Tile

LATEST = 5
"""Events that the overview shows."""
LOOKED_AT = 4
"""How many times as many are looked at, for some say the same."""

blueprint = Blueprint("overview", __name__, url_prefix="/account")
require(blueprint)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """What needs attention, the figures, the chart and the latest activity."""
    account = me()
    if not attention.has_been_called(account.id):
        return _show_steps(account)
    span, month = charts.asked_span(), _series(account, Span.MONTH)
    shown = month if span is Span.MONTH else _series(account, span)
    return render_template(
        "overview/index.html",
        notices=_notices(account),
        tiles=_tiles(account, month),
        chart=charts.chart(shown, ".index"),
        activity=_latest(account),
    )


def _show_steps(account: Account) -> str:
    """What there is to do until the first call: a key, its secret, the call."""
    counts = key_queries.count_keys(account.id)
    newest = key_queries.list_keys(account.id, size=1).items
    return render_template(
        "overview/steps.html",
        key=newest[0] if newest and counts[KeyStatus.LIVE] else None,
        notices=_notices(account),
        base_url=settings.base_url,
        activity=_latest(account),
    )


def _notices(account: Account) -> list[Notice]:
    step = excess.notice(account.id)
    found = [
        *notices.of_excess(step),
        *notices.of_keys(
            attention.find(account.id),
            is_throttled=step is not None and step.step is not ExcessLevel.WARNED,
        ),
        *notices.of_quota(quotas.quota_of(account.id, account.role)),
        *notices.of_email(
            account.email or "",
            pending.find_email(account.id),
            is_refused=outbox.find_refused(account.id) is not None,
        ),
    ]
    return notices.in_order(found)


def _tiles(account: Account, month: usage_queries.Series) -> list[Tile]:
    number, length = usage_queries.SLOTS[Span.MONTH]
    begins = month.slots[0].begins
    before, _refused = collector.sums_since(account.id, begins - number * length, until=begins)
    return [
        tiles.of_quota(quotas.quota_of(account.id, account.role)),
        tiles.of_calls(month.slots, before),
        tiles.of_refusals(month.slots),
        tiles.of_end(attention.find_next_to_end(account.id)),
    ]


def _series(account: Account, span: Span) -> usage_queries.Series:
    return usage_queries.read_series(span, UsageScope(account_id=account.id))


def _latest(account: Account) -> list[Any]:
    """The latest events; of one that comes several times in a row, the last."""
    events = audit.list_events(account_id=account.id, limit=LATEST * LOOKED_AT)
    rows = (row(event, account.id) for event in events)
    return [next(same) for _short, same in groupby(rows, key=lambda each: each.short)][:LATEST]
