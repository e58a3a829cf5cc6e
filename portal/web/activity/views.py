"""What was done to an account, and by it, for its owner: looked through, and downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal import clock
from portal.services.core import audit
from portal.web import streams
from portal.web.activity.forms import ActivityForm
from portal.web.activity.pictures import KINDS
from portal.web.activity.presenters import row
from portal.web.identity import me, require

COLUMNS = ("at", "action", "what", "details", "by", "address", "key", "request_id")
"""Of a download."""

blueprint = Blueprint("activity", __name__, url_prefix="/account")
require(blueprint)


@blueprint.get("/activity")
def index() -> ResponseReturnValue:
    """The newest events first, a page at a time."""
    form = ActivityForm()
    wanted = form.wanted(me().id)
    page = audit.list_events_before(request.args.get("before", type=int), account_id=me().id, wanted=wanted)
    return render_template(
        "activity/index.html",
        form=form,
        page=page,
        rows=[row(event, me().id) for event in page.items],
        query=form.query,
        kinds=_kinds(form),
    )


@blueprint.get("/activity.csv")
def csv() -> Response:
    """The events that fit, as CSV."""
    return _download("csv")


@blueprint.get("/activity.jsonl")
def jsonl() -> Response:
    """The events that fit, as JSON, one a line."""
    return _download("jsonl")


def _kinds(form: ActivityForm) -> list[tuple[str, None, str, bool]]:
    """The kinds to narrow to, with their links."""
    others = {name: value for name, value in form.query.items() if name != "kind"}
    chosen = form.chosen_kind
    everything = (str(_("All")), None, url_for(".index", **others), chosen is None)  # type: ignore[arg-type]  # no name that url_for keeps for itself
    return [
        everything,
        *(
            (str(_(words)), None, url_for(".index", kind=kind.value, **others), kind is chosen)  # type: ignore[arg-type]  # as above
            for kind, words in KINDS.items()
        ),
    ]


def _download(form: str) -> Response:
    wanted = ActivityForm().wanted(me().id)
    return streams.download(_lines(me().id, wanted), COLUMNS, form, f"activity-{clock.today():%Y-%m-%d}")


def _lines(account_id: int, wanted: audit.EventFilter) -> Iterator[dict[str, Any]]:
    """Each event as its owner may see it, and no more than a page of the list says."""
    for event in audit.walk_events(account_id, wanted):
        shown = row(event, account_id)
        yield {
            "at": event.at.isoformat().replace("+00:00", "Z"),
            "action": event.action.value,
            "what": shown.what,
            "details": shown.more,
            "by": shown.by,
            "address": shown.ip_address,
            "key": str(shown.key_id) if shown.key_id else None,
            "request_id": shown.request_id,
        }
