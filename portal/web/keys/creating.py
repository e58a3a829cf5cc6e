"""Create and rotate keys, show their secret once, and tell of the first call."""

from __future__ import annotations

import json
from uuid import UUID

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug import Response as BaseResponse

from portal import clock
from portal.error_messages import sentence
from portal.extensions import settings
from portal.http import client_ip_address
from portal.http.headers import JSON_TYPE
from portal.labels import REFUSALS
from portal.models import ApiKey
from portal.services.calls import rates
from portal.services.core.errors import AlreadyCreated, TooManyKeys
from portal.services.keys import creation, issuing, quotas, rotation
from portal.services.keys import queries as key_queries
from portal.services.usage import queries as usage_queries
from portal.services.usage import refusals
from portal.services.usage.queries import Span, UsageScope
from portal.web.filters import second
from portal.web.forms import text
from portal.web.identity import actor, me
from portal.web.keys.blueprint import blueprint
from portal.web.keys.forms import NewKeyForm, RotateForm
from portal.web.keys.prefill import prefill
from portal.web.keys.presenters import row
from portal.web.keys.snippets import snippets
from portal.web.once import answered_again, is_known_form
from portal.web.stale import is_asked_again

WEEK = 7
"""Days of which the page before a rotation tells the calls."""
ADD_MINE = "mine"
"""The button of the form that adds the reader's address to those that are allowed, and creates nothing."""


@blueprint.get("/new")
def new() -> ResponseReturnValue:
    """Show the form of a new key, filled in as far as the address says; nothing is created by it."""
    form = NewKeyForm(me().role)
    if not is_asked_again():
        prefill(form, request.args)
    return _show_new(form)


@blueprint.post("/new")
@answered_again(lambda: _show_once(*issuing.issue_again(actor())))
def create() -> ResponseReturnValue:
    """Make the key and show its secret.

    The answer to a good post is the page itself and no redirect: the secret exists in this
    answer only, so there is no other page that could show it.
    """
    form = NewKeyForm(me().role)
    if ADD_MINE in request.form:
        form.add_network(client_ip_address())
        return _show_new(form)
    is_whole = form.validate()
    life, conditions = form.life(), form.read_conditions()
    level = form.chosen_level
    if level is None:
        form.level.errors = [_("Choose a level, the lowest that does the job.")]
    is_read = is_whole and is_known_form()
    if is_read and life is not None and conditions is not None and level is not None:
        with form.refusals(TooManyKeys):
            created = creation.create_key(
                actor(),
                name=text(form.name),
                level=level,
                life=life,
                conditions=conditions,
                kind=form.chosen_kind,
            )
            return _show_once(*created)
    return _show_new(form), 422


@blueprint.get("/<uuid:key_id>/rotate")
def rotate(key_id: UUID) -> ResponseReturnValue:
    """Ask for the overlap before a key is rotated."""
    return _show_rotate(key_id, RotateForm())


@blueprint.post("/<uuid:key_id>/rotate")
@answered_again(lambda: _show_once(*issuing.issue_again(actor())))
def rotate_now(key_id: UUID) -> ResponseReturnValue:
    """Make the successor and show its secret; see :func:`create`."""
    form = RotateForm()
    if is_known_form():
        with form.refusals(TooManyKeys):
            return _show_once(*rotation.rotate_key(actor(), key_id, overlap=form.chosen()))
    return _show_rotate(key_id, form), 422


@blueprint.get("/<uuid:key_id>/called")
def called(key_id: UUID) -> ResponseReturnValue:
    """Say, to a page that waits for it, whether a key was called yet, and why not if it was refused."""
    key = key_queries.get_key(me().id, key_id)
    last = key.usage.last_used_at if key.usage else None
    told = {"called": last is not None, "at": last and clock.iso(last), "said": _of_calls(key)}
    return Response(json.dumps(told), content_type=JSON_TYPE)


@blueprint.errorhandler(AlreadyCreated)
def show_already_created(error: AlreadyCreated) -> ResponseReturnValue:
    """Lead to the key that this form has made already, or that this key was rotated to."""
    flash(sentence(error.code), "warning")
    return redirect(url_for(".detail", key_id=error.key_id), 303)


def _of_calls(key: ApiKey) -> str:
    """The last call of a key in words, or why it was refused; empty when nothing was tried."""
    used = key.usage
    if used is not None and used.last_used_at is not None:
        place = used.last_used_ip_address or _("an unknown address")
        return str(_("Called at %(time)s from %(address)s.", time=second(used.last_used_at), address=place))
    last = refusals.list_recent(key.id)[:1] if used is not None and used.refused else []
    reasons = [_(REFUSALS[each.reason]) for each in last if each.reason in REFUSALS]
    return str(_("A call was refused. %(reason)s.", reason=reasons[0])) if reasons else ""


def _show_new(form: NewKeyForm) -> str:
    return render_template(
        "keys/new.html",
        form=form,
        address=client_ip_address(),
        room=quotas.quota_of(me().id, me().role),
        rates=rates.rates_by_role(settings)[me().role.value],
    )


def _show_rotate(key_id: UUID, form: RotateForm) -> BaseResponse | str:
    key = key_queries.get_key(me().id, key_id)
    successor = key_queries.find_successor(key)
    if successor is not None:
        flash(_("This key has already been rotated. Here is the new one."), "info")
        return redirect(url_for(".detail", key_id=successor.id))
    shown = row(key)
    form.tell(key, is_in_use=shown.recently_used)
    by_day = [day.calls for day in usage_queries.list_days([key_id], WEEK)[key_id]]
    return render_template(
        "keys/rotate.html",
        key=shown,
        form=form,
        new_end=clock.utcnow() + min(key.expires_at - key.created_at, quotas.longest_life(me().role)),
        day=usage_queries.read_series(Span.DAY, UsageScope(key_id=key_id)).calls,
        week=sum(by_day),
        addresses=usage_queries.list_ip_addresses(key_id),
    )


def _show_once(key: ApiKey, secret: str) -> str:
    old = key_queries.get_key(me().id, key.replaces_id) if key.replaces_id else None
    tabs = snippets(key, secret, settings.base_url)
    return render_template("keys/once.html", key=row(key), old=old and row(old), secret=secret, tabs=tabs)
