"""Any key: find it by its id, its name or the leaked secret itself; look at it."""

from __future__ import annotations

from dataclasses import fields, replace
from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.models import ApiKey
from portal.permissions import SUPPORT
from portal.runtime import runtime
from portal.services.abuse import leaks
from portal.services.core import audit
from portal.services.operators import keys as operator_keys
from portal.services.operators.keys import FIRST_DIGITS
from portal.services.verify.explanation import explain
from portal.web.admin.blueprint import LOOKS, blueprint, may
from portal.web.admin.check_form import CheckForm
from portal.web.admin.checks import Verdict, verdict
from portal.web.admin.details import OPERATORS_REASONS
from portal.web.admin.forms import LONGEST_QUERY, FindKeyForm, without_secrets
from portal.web.admin.presenters import rows
from portal.web.forms import flash_once, text
from portal.web.identity import actor
from portal.web.keys.key_page import KeyPage, key_page
from portal.web.keys.presenters import KeyRow, row
from portal.web.keys.presenters import rows as key_rows

NEWEST = 8


@blueprint.get("/keys")
def keys() -> ResponseReturnValue:
    """All keys, the newest first; or those that fit."""
    asked = request.args.get("query", "")[:LONGEST_QUERY]
    query = without_secrets(asked)
    if query != asked:
        return redirect(url_for(".keys"), 303)
    page = operator_keys.search_keys(actor(), query, before=request.args.get("before", type=UUID))
    return render_template(
        "admin/keys.html",
        form=FindKeyForm(),
        page=page,
        keys=list(zip(page.items, key_rows(page.items), strict=True)),
        why=OPERATORS_REASONS,
        query=query,
    )


@blueprint.post("/keys")
def find_key() -> ResponseReturnValue:
    """Find a key by what was typed or pasted. A secret goes no further: the next address has the key's id."""
    form = FindKeyForm()
    wanted = text(form.wanted).strip() if form.validate() else ""
    if not leaks.search(wanted):
        endpoint = ".index" if "@" in wanted or is_number(wanted) else ".keys"
        return redirect(url_for(endpoint, query=wanted[:LONGEST_QUERY] or None), 303)
    found = operator_keys.find_by_secret(actor(), wanted)
    if not found:
        flash_once(_("No key of this portal has this secret. It was not kept."), "info")
        return redirect(url_for(".keys"), 303)
    flash_once(_("This is the key that the secret belongs to. The secret was not kept."), "success")
    return redirect(url_for(".key", key_id=found[0]), 303)


@blueprint.get("/keys/<uuid:key_id>")
def key(key_id: UUID) -> ResponseReturnValue:
    """One key of anybody, and whether it would pass; nothing is called or counted for that."""
    form = CheckForm()
    found = operator_keys.read_key(actor(), key_id, checked="address" in request.args)
    if "address" not in request.args and found.usage:
        form.address.data = found.usage.last_used_ip_address or ""
    return render_template(
        "admin/key.html",
        p=_page(found),
        key=row(found),
        record=rows(audit.list_events_of_key(key_id, without=LOOKS, limit=NEWEST)),
        account=found.account,
        may_act=may(found.account, SUPPORT),
        form=form,
        verdict=_verdict(found, form),
    )


def is_number(text: str) -> bool:
    """Whether it is the number of an account; an id's first digits are more than these."""
    return text.isascii() and text.isdecimal() and len(text) < FIRST_DIGITS


class _Row(KeyRow):
    """A key, told to somebody who is not its owner."""

    __slots__ = ()

    @property
    def revoked_reason_label(self) -> str:
        """Why it was revoked, in words."""
        return str(_(OPERATORS_REASONS[self.revoked_reason])) if self.revoked_reason else ""


def _page(found: ApiKey) -> KeyPage:
    page = key_page(found, endpoint="admin.key")
    told = {each.name: getattr(page.key, each.name) for each in fields(page.key)}
    return replace(page, key=_Row(**told))


def _verdict(found: ApiKey, form: CheckForm) -> Verdict | None:
    """What the doorkeeper would say; None of a key that was deleted past the portal meanwhile."""
    known = runtime.doorkeeper.look_up(found.digest)
    return verdict(found, explain(known, form.question()), form.methods) if known else None
