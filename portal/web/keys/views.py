"""List, make, show, rotate and revoke keys."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_number, ngettext
from flask_babel import gettext as _
from werkzeug import Response as BaseResponse

from portal import clock
from portal.error_messages import sentence
from portal.extensions import settings
from portal.labels import CREATED_THROUGH
from portal.models import ApiKey, KeyKind
from portal.services.abuse import excess
from portal.services.calls import rates
from portal.services.core.errors import AlreadyCreated, TooManyKeys
from portal.services.keys import creation, issuing, quotas, revocation, rotation
from portal.services.keys import queries as key_queries
from portal.services.keys.queries import KeyFilter
from portal.services.keys.quotas import KeyQuota
from portal.services.usage import collector
from portal.services.usage import queries as usage_queries
from portal.services.usage.queries import Span, UsageScope
from portal.web import charts
from portal.web.forms import done, text
from portal.web.identity import actor, me, require
from portal.web.keys.forms import NewKeyForm, RevokeForm, RotateForm
from portal.web.keys.presenters import row, rows, standing
from portal.web.once import answered_again, is_known_form

LONGEST_QUERY = 100
MOST_LISTED = 20
"""Keys that the page before a revocation lists."""

blueprint = Blueprint("keys", __name__, url_prefix="/account/keys")
require(blueprint)


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


@blueprint.get("/new")
def new() -> ResponseReturnValue:
    """Show the form of a new key."""
    return _show_new(NewKeyForm(me().role))


@blueprint.post("/new")
@answered_again(lambda: _show_once(*issuing.issue_again(actor())))
def create() -> ResponseReturnValue:
    """Make the key and show its secret.

    The answer to a good post is the page itself and no redirect: the secret exists in this
    answer only, so there is no other page that could show it.
    """
    form = NewKeyForm(me().role)
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


@blueprint.get("/<uuid:key_id>")
def detail(key_id: UUID) -> ResponseReturnValue:
    """Show a key."""
    key = key_queries.get_key(me().id, key_id)
    series = usage_queries.read_series(charts.asked_span(), UsageScope(key_id=key_id))
    return render_template(
        "keys/detail.html",
        key=row(key),
        chart=charts.chart(series, ".detail", key_id=key_id),
        ip_addresses=usage_queries.list_ip_addresses(key_id),
        base_url=settings.base_url,
        successor=key_queries.find_successor(key),
        maker=key.made_by_key_id,
        created_through=_created_through(key),
        created=len(key_queries.list_unrevoked_descendants(me().id, key_id)),
        reused_at=key.usage.reused_at if key.usage else None,
        standing=standing(key) if key.kind is KeyKind.ACCOUNT else None,
    )


@blueprint.get("/<uuid:key_id>/revoke")
def revoke(key_id: UUID) -> ResponseReturnValue:
    """Ask before a key is revoked, and whether what it created shall end with it."""
    key = key_queries.get_key(me().id, key_id)
    created = key_queries.list_unrevoked_descendants(me().id, key_id)
    if key.is_revoked(clock.utcnow()) and not created:
        return redirect(url_for(".detail", key_id=key_id))
    return render_template(
        "keys/revoke.html",
        key=row(key),
        created=[row(each) for each in created[:MOST_LISTED]],
        more=max(0, len(created) - MOST_LISTED),
        form=RevokeForm(),
    )


@blueprint.post("/<uuid:key_id>/revoke")
def revoke_now(key_id: UUID) -> ResponseReturnValue:
    """Revoke a key for good, alone or with everything that it created."""
    if RevokeForm().everything.data:
        ended = revocation.revoke_line(actor(), key_id)
        told = ngettext(
            "%(num)d key is revoked. Nothing accepts it any more.",
            "%(num)d keys are revoked. Nothing accepts them any more.",
            ended,
        )
    else:
        revocation.revoke_key(actor(), key_id)
        told = _("The key is revoked. Nothing accepts it any more.")
    return done(told, ".index")


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


@blueprint.errorhandler(AlreadyCreated)
def show_already_created(error: AlreadyCreated) -> ResponseReturnValue:
    """Lead to the key that this form has made already, or that this key was rotated to."""
    flash(sentence(error.code), "warning")
    return redirect(url_for(".detail", key_id=error.key_id), 303)


def _created_through(key: ApiKey) -> str | None:
    """Through what a key was created, in words."""
    through = key_queries.find_creation(key)
    return _(CREATED_THROUGH[through]) if through in CREATED_THROUGH else None


def _show_new(form: NewKeyForm) -> str:
    return render_template(
        "keys/new.html",
        form=form,
        room=quotas.quota_of(me().id, me().role),
        rates=rates.rates_by_role(settings)[me().role.value],
    )


def _show_rotate(key_id: UUID, form: RotateForm) -> BaseResponse | str:
    key = key_queries.get_key(me().id, key_id)
    successor = key_queries.find_successor(key)
    if successor is not None:
        flash(_("This key was rotated already. Here is its successor."), "info")
        return redirect(url_for(".detail", key_id=successor.id))
    shown = row(key)
    form.tell(key, is_in_use=shown.recently_used)
    return render_template("keys/rotate.html", key=shown, form=form)


def _show_once(key: ApiKey, secret: str) -> str:
    old = key_queries.get_key(me().id, key.replaces_id) if key.replaces_id else None
    return render_template(
        "keys/once.html", key=row(key), old=old and row(old), secret=secret, base_url=settings.base_url
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
