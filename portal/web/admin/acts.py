"""What operators do: block, unblock, revoke, and change roles; each page asks first, and for a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.labels import ROLES
from portal.models import Account, AccountStatus
from portal.permissions import ADMINISTER, ROLE_LEVELS, SUPPORT
from portal.services.core.errors import Forbidden, NotFound
from portal.services.keys import queries as key_queries
from portal.services.keys.queries import KeyStatus
from portal.services.operators import actions
from portal.services.operators import queries as operator_queries
from portal.web.admin.blueprint import ACCOUNT, blueprint, may
from portal.web.admin.forms import ReasonForm, RoleForm
from portal.web.forms import BOTH, shown, text
from portal.web.identity import actor
from portal.web.keys.presenters import row as key_row


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


def _target(account_id: int, level: int) -> Account:
    """The account of a page that acts. Raises NotFound, and Forbidden where the act would be refused."""
    found = operator_queries.read_account(actor(), account_id)
    if found.removed_at is not None:
        raise NotFound
    if not may(found, level):
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
