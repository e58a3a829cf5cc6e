"""Look at accounts and at the audit log; block, unblock, revoke, and change roles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal import clock
from portal.labels import ROLES
from portal.models import Account, AccountStatus, Action
from portal.permissions import ADMINISTER, ROLE_LEVELS, SUPPORT, Role
from portal.services.abuse import excess
from portal.services.accounts import admins
from portal.services.core import audit
from portal.services.core.errors import Forbidden, NotFound
from portal.services.keys import queries as key_queries
from portal.services.keys.queries import KeyStatus
from portal.services.mail.outbox import find_refused
from portal.services.operators import actions, exports
from portal.services.operators import queries as operator_queries
from portal.services.usage import queries as usage_queries
from portal.web import charts
from portal.web.admin.forms import AuditLogForm, ReasonForm, RoleForm, SearchForm
from portal.web.admin.presenters import OPERATORS_REASONS, rows
from portal.web.forms import BOTH, shown, text
from portal.web.identity import actor, me, require
from portal.web.keys.presenters import row as key_row
from portal.web.keys.presenters import rows as key_rows

NEWEST = 10
EXCESS_SHOWN = timedelta(days=30)
LOOKS = (Action.ACCOUNT_READ, Action.ACCOUNTS_SEARCHED, Action.AUDIT_LOG_READ, Action.USAGE_READ)
"""Left out beside an account, where they would hide what was done; the whole record has them."""

ACCOUNT = "/accounts/<int(max=9223372036854775807):account_id>"

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
require(blueprint, level=SUPPORT)


@blueprint.app_template_filter("role")
def role_in_words(role: str) -> str:
    """A role, in words."""
    return str(_(ROLES[Role(role)]))


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
        counts=key_queries.count_keys(account_id),
        excess_steps=excess.steps_since(account_id, clock.utcnow() - EXCESS_SHOWN),
        excess_days=EXCESS_SHOWN.days,
        refused=find_refused(account_id),
        record=rows(audit.list_events(account_id=account_id, without=LOOKS, limit=NEWEST)),
        may_act=_may(found, SUPPORT),
        may_change_role=_may(found, ADMINISTER),
    )


@blueprint.route(f"{ACCOUNT}/role", methods=BOTH)
def role(account_id: int) -> ResponseReturnValue:
    """Change the role."""
    found = _target(account_id, ADMINISTER)
    form = RoleForm(found.role)
    if form.validate_on_submit() and (chosen := form.chosen()):
        with form.refusals():
            actions.set_role(actor(), account_id, chosen, why=text(form.reason))
            return _back(account_id, _("The role is now: %(role)s.", role=_(ROLES[chosen])))
    return _show("admin/role.html", form, found, highest=found.role.level, levels=ROLE_LEVELS)


@blueprint.route(f"{ACCOUNT}/block", methods=BOTH)
def block(account_id: int) -> ResponseReturnValue:
    """Block the account: its keys are revoked, its sessions end."""
    said = _("The account is blocked. Nothing accepts its keys any more.")
    return _act(account_id, actions.block, said, "admin/block.html", blocked=False)


@blueprint.route(f"{ACCOUNT}/unblock", methods=BOTH)
def unblock(account_id: int) -> ResponseReturnValue:
    """Take the block away; no key comes back."""
    said = _("The account is no longer blocked.")
    return _act(account_id, actions.unblock, said, "admin/unblock.html", blocked=True)


@blueprint.route(f"{ACCOUNT}/end-sessions", methods=BOTH)
def end_sessions(account_id: int) -> ResponseReturnValue:
    """End every session of the account; its keys go on."""
    said = _("Every session of the account is ended.")
    return _act(account_id, actions.end_sessions, said, "admin/end_sessions.html")


@blueprint.route(f"{ACCOUNT}/mail-link", methods=BOTH)
def mail_link(account_id: int) -> ResponseReturnValue:
    """Mail the owner the link that leads back in."""
    said = _("The link is on its way to the address of the account.")
    return _act(account_id, actions.mail_way_back, said, "admin/mail_link.html", blocked=False)


@blueprint.route(f"{ACCOUNT}/revoke-keys", methods=BOTH)
def revoke_keys(account_id: int) -> ResponseReturnValue:
    """Revoke every key of the account, because its use is excessive."""
    form = ReasonForm()
    if form.validate_on_submit():
        with form.refusals():
            ended = actions.revoke_excessive(actor(), account_id, why=text(form.reason))
            return _back(account_id, ngettext("%(num)d key is revoked.", "%(num)d keys are revoked.", ended))
    return _show("admin/revoke_keys.html", form, _target(account_id, SUPPORT))


@blueprint.route(f"{ACCOUNT}/keys/<uuid:key_id>/revoke", methods=BOTH)
def revoke_key(account_id: int, key_id: UUID) -> ResponseReturnValue:
    """Revoke one key of the account."""
    key = key_queries.get_key(account_id, key_id)
    form = ReasonForm()
    if form.validate_on_submit():
        with form.refusals():
            actions.revoke_one(actor(), key.id, why=text(form.reason))
            return _back(account_id, _("The key is revoked. Nothing accepts it any more."))
    found = _target(account_id, SUPPORT)
    shown_key = key_row(key_queries.get_key(account_id, key_id))
    if shown_key.state == "revoked":
        return _back(account_id)
    return _show("admin/revoke_key.html", form, found, key=shown_key)


@blueprint.get("/record")
def record() -> ResponseReturnValue:
    """The whole record, the newest acts first."""
    form = AuditLogForm()
    account_id = form.account.data
    operator_queries.note_log_read(actor(), account_id)
    page = audit.list_events_before(
        request.args.get("before", type=int), account_id=account_id, action=form.chosen_action
    )
    return render_template(
        "admin/audit_log.html",
        form=form,
        page=page,
        rows=rows(page.items),
        query={"account": account_id, "action": form.action.data or None},
    )


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


def _may(account: Account, level: int) -> bool:
    """Whether who is signed in may do to the account what asks for ``level``."""
    is_there = account.removed_at is None
    return is_there and admins.may_act_on(me().role, account, actor_id=me().id, level=level)


def _target(account_id: int, level: int) -> Account:
    """The account of a page that acts. Raises NotFound, and Forbidden where the act would be refused."""
    found = operator_queries.read_account(actor(), account_id)
    if found.removed_at is not None:
        raise NotFound
    if not _may(found, level):
        raise Forbidden
    return found


def _act(
    account_id: int, act: Callable[..., object], said: str, template: str, *, blocked: bool | None = None
) -> ResponseReturnValue:
    """The page of an act that takes a reason; with ``blocked`` of one that fits only such accounts."""
    form = ReasonForm()
    if form.validate_on_submit():
        with form.refusals():
            act(actor(), account_id, why=text(form.reason))
            return _back(account_id, said)
    found = _target(account_id, SUPPORT)
    if blocked is not None and blocked != (found.status is AccountStatus.BLOCKED):
        return _back(account_id)
    return _show(template, form, found)


def _show(template: str, form: ReasonForm, account: Account, **values: Any) -> ResponseReturnValue:
    live = key_queries.count_keys(account.id)[KeyStatus.LIVE]
    return shown(template, form, account=account, live=live, **values)


def _back(account_id: int, said: str = "") -> ResponseReturnValue:
    """Lead back to the account, and say what was done."""
    if said:
        flash(said, "success")
    return redirect(url_for(".account", account_id=account_id), 303)
