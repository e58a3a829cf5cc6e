"""Show a key."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from portal.extensions import settings
from portal.services.keys import queries as key_queries
from portal.web.identity import me
from portal.web.keys.blueprint import blueprint
from portal.web.keys.key_page import key_page


@blueprint.get("/<uuid:key_id>")
def detail(key_id: UUID) -> ResponseReturnValue:
    """Show a key."""
    return render_template(
        "keys/detail.html",
        p=key_page(key_queries.get_key(me().id, key_id)),
        all_refusals=request.args.get("refusals") == "all",
        base_url=settings.base_url,
    )
