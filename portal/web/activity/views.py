"""What was done to an account, and by it, for its owner."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal.services.core import audit
from portal.web.activity.presenters import row
from portal.web.identity import me, require

HIGHEST_ID = 2**62

blueprint = Blueprint("activity", __name__, url_prefix="/account/activity")
require(blueprint)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The newest acts first, a page at a time."""
    before = request.args.get("before", type=int)
    before = min(before, HIGHEST_ID) if before and before > 0 else None
    events = audit.list_events(account_id=me().id, before=before, limit=audit.PAGE_SIZE + 1)
    shown = events[: audit.PAGE_SIZE]
    return render_template(
        "activity/index.html",
        rows=[row(event, me().id) for event in shown],
        older=shown[-1].id if len(events) > len(shown) else None,
        begins=before is None,
    )
