"""What was done to an account, and by it, for its owner."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal.services.core import audit
from portal.web.activity.presenters import row
from portal.web.identity import me, require

blueprint = Blueprint("activity", __name__, url_prefix="/account/activity")
require(blueprint)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The newest acts first, a page at a time."""
    page = audit.list_events_before(request.args.get("before", type=int), account_id=me().id)
    shown = [row(event, me().id) for event in page.items]
    return render_template("activity/index.html", page=page, rows=shown)
