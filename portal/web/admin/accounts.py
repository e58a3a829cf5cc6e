"""Find accounts; one account: facts, keys, and what was done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_babel import gettext as _

from portal import clock
from portal.models import Account, AccountStatus, Action
from portal.models.key_lists import KeyFilter
from portal.permissions import ADMINISTER, SUPPORT
from portal.services.abuse import excess
from portal.services.core import audit
from portal.services.keys import queries as key_queries
from portal.services.mail.outbox import find_refused
from portal.services.operators import exports
from portal.services.operators import queries as operator_queries
from portal.services.usage import queries as usage_queries
from portal.services.usage.queries import Span, UsageScope
from portal.web import charts
from portal.web.admin.blueprint import ACCOUNT, LOOKS, blueprint, may
from portal.web.admin.details import OPERATORS_REASONS
from portal.web.admin.forms import SearchForm
from portal.web.admin.presenters import AuditLogRow, rows
from portal.web.filters import ago, at
from portal.web.forms import text
from portal.web.identity import actor
from portal.web.keys.presenters import rows as key_rows
from portal.web.overview.tiles import SPARK_DAYS, Tile

NEWEST = 10
EXCESS_SHOWN = timedelta(days=30)


@blueprint.get("/accounts")
def index() -> ResponseReturnValue:
    """The accounts, the newest first."""
    form = SearchForm()
    page = operator_queries.search_accounts(
        actor(),
        query=text(form.query),
        role=form.chosen_role,
        status=form.chosen_status,
        page=request.args.get("page", 1, int),
    )
    return render_template(
        "admin/index.html",
        form=form,
        page=page,
        live=exports.count_live_keys(account.id for account in page.items),
        narrowed=any((form.query.data, form.chosen_role, form.chosen_status is not None)),
        query={name: form[name].data or None for name in ("query", "role", "status")},
    )


@blueprint.get(ACCOUNT)
def account(account_id: int) -> ResponseReturnValue:
    """One account: facts, keys, and what was done."""
    found = operator_queries.read_account(actor(), account_id)
    page = key_queries.list_keys(account_id, page=request.args.get("page", 1, int))
    counts = key_queries.count_shown(account_id)
    return render_template(
        "admin/account.html",
        account=found,
        page=page,
        keys=key_rows(page.items),
        why=OPERATORS_REASONS,
        counts=counts,
        excess_steps=excess.steps_since(account_id, clock.utcnow() - EXCESS_SHOWN),
        excess_days=EXCESS_SHOWN.days,
        refused=find_refused(account_id),
        block=_block(found),
        tiles=_tiles(found, counts),
        record=rows(audit.list_events(account_id=account_id, without=LOOKS, limit=NEWEST)),
        may_act=may(found, SUPPORT),
        may_change_role=may(found, ADMINISTER),
    )


def _block(found: Account) -> AuditLogRow | None:
    """Who blocked an account that is blocked, when and why."""
    if found.status is not AccountStatus.BLOCKED:
        return None
    events = audit.list_events(account_id=found.id, action=Action.ACCOUNT_BLOCKED, limit=1)
    return next(iter(rows(events)), None)


def _tiles(found: Account, counts: Mapping[KeyFilter, int]) -> list[Tile]:
    month = usage_queries.read_series(Span.MONTH, UsageScope(account_id=found.id))
    days = month.slots[-SPARK_DAYS:]
    reason = charts.reason_words(month.reasons[0][0]) if month.reasons else _("Every call was good")
    seen = found.last_seen_at
    return [
        Tile(
            label=_("Live keys"),
            figure=format_decimal(counts[KeyFilter.LIVE]),
            line=_("%(number)s revoked", number=format_decimal(counts[KeyFilter.REVOKED])),
        ),
        Tile(
            label=_("Calls, 30 days"),
            figure=format_decimal(month.calls),
            line=_("%(number)s today", number=format_decimal(days[-1].calls)),
            days=[day.calls for day in days],
        ),
        Tile(
            label=_("Refused, 30 days"),
            figure=format_decimal(month.refused),
            line=reason if month.refused or month.calls else _("No calls yet"),
            tone="bad" if month.refused else "",
            days=[day.refused for day in days],
        ),
        Tile(
            label=_("Last seen"),
            figure=ago(seen) if seen else _("never"),
            line=at(seen) if seen else _("created %(ago)s", ago=ago(found.created_at)),
        ),
    ]
