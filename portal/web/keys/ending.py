"""Revoke keys: a page that asks first, and the deed."""

from __future__ import annotations

from uuid import UUID

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal import clock
from portal.services.keys import queries as key_queries
from portal.services.keys import revocation
from portal.services.usage import queries as usage_queries
from portal.web.forms import done
from portal.web.identity import actor, me
from portal.web.keys.blueprint import blueprint
from portal.web.keys.forms import RevokeForm
from portal.web.keys.presenters import SPARK_DAYS, row

MOST_LISTED = 20
"""Keys that the page before a revocation lists."""


@blueprint.get("/<uuid:key_id>/revoke")
def revoke(key_id: UUID) -> ResponseReturnValue:
    """Ask before a key is revoked, and whether what it created shall end with it."""
    key = key_queries.get_key(me().id, key_id)
    created = key_queries.list_unrevoked_descendants(me().id, key_id)
    if key.is_revoked(clock.utcnow()) and not created:
        return redirect(url_for(".detail", key_id=key_id))
    return render_template(
        "keys/revoke.html",
        key=row(key, usage_queries.list_days([key_id], SPARK_DAYS)[key_id]),
        addresses=usage_queries.list_ip_addresses(key_id),
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
