"""Find accounts; one account: facts, keys, and what was done."""

from __future__ import annotations

from datetime import timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue

from portal import clock
from portal.permissions import ADMINISTER, SUPPORT
from portal.services.abuse import excess
from portal.services.core import audit
from portal.services.keys import queries as key_queries
from portal.services.mail.outbox import find_refused
from portal.services.operators import exports
from portal.services.operators import queries as operator_queries
from portal.web.admin.blueprint import ACCOUNT, LOOKS, blueprint, may
from portal.web.admin.forms import SearchForm
from portal.web.admin.presenters import OPERATORS_REASONS, rows
from portal.web.forms import text
from portal.web.identity import actor
from portal.web.keys.presenters import rows as key_rows

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
    return render_template(
        "admin/account.html",
        account=found,
        page=page,
        keys=key_rows(page.items),
        why=OPERATORS_REASONS,
        counts=key_queries.count_shown(account_id),
        excess_steps=excess.steps_since(account_id, clock.utcnow() - EXCESS_SHOWN),
        excess_days=EXCESS_SHOWN.days,
        refused=find_refused(account_id),
        record=rows(audit.list_events(account_id=account_id, without=LOOKS, limit=NEWEST)),
        may_act=may(found, SUPPORT),
        may_change_role=may(found, ADMINISTER),
    )
