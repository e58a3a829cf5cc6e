"""The list of keys, each view of it an address; and several of them revoked at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.datastructures import MultiDict

from portal.models.key_lists import KeyFilter, KeyOrder, KeySort
from portal.services.abuse import excess
from portal.services.core.errors import NotFound
from portal.services.keys import queries as key_queries
from portal.services.keys import quotas, revocation
from portal.web.forms import done
from portal.web.identity import actor, me
from portal.web.keys.blueprint import blueprint
from portal.web.keys.presenters import rows

LONGEST_QUERY = 100
DESCENDING_AT_FIRST = {KeySort.CREATED, KeySort.USED, KeySort.CALLS}
"""Sorts whose first click shows the latest, or the most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks the list for; what it has no word for is as ever."""

    status: KeyFilter = KeyFilter.ALL
    query: str = ""
    sort: KeySort = KeySort.EXPIRES
    is_descending: bool = False

    @classmethod
    def of(cls, args: MultiDict[str, str]) -> Asked:
        """Read an address; words that nobody knows are passed over."""
        status, sort = args.get("status"), args.get("sort")
        by = KeySort(sort) if sort in set(KeySort) else KeySort.EXPIRES
        order = args.get("order")
        return cls(
            KeyFilter(status) if status in set(KeyFilter) else KeyFilter.ALL,
            args.get("query", "").strip()[:LONGEST_QUERY],
            by,
            order == "desc" if order in ("asc", "desc") else by in DESCENDING_AT_FIRST,
        )

    @property
    def args(self) -> dict[str, Any]:
        """The arguments of the address, without what goes without saying."""
        order = "desc" if self.is_descending else "asc"
        sorted_by = {"sort": self.sort.value, "order": order} if self != self._unsorted() else {}
        status = None if self.status is KeyFilter.ALL else self.status.value
        return {"status": status, "query": self.query or None, **sorted_by}

    def filtered(self, status: str) -> str:
        """The address of another filter."""
        return url_for("keys.index", **replace(self, status=KeyFilter(status)).args)

    def sorted_by(self, sort: str) -> str:
        """The address of another sort, or of the other direction of this one."""
        by = KeySort(sort)
        is_descending = not self.is_descending if by is self.sort else by in DESCENDING_AT_FIRST
        return url_for("keys.index", **replace(self, sort=by, is_descending=is_descending).args)

    def _unsorted(self) -> Asked:
        return replace(self, sort=KeySort.EXPIRES, is_descending=False)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The keys of the account: those first that have not ended, the next to end before others."""
    asked, account_id = Asked.of(request.args), me().id
    page = key_queries.list_keys(
        account_id,
        status=asked.status,
        query=asked.query,
        order=KeyOrder(asked.sort, asked.is_descending),
        nest=True,
        page=request.args.get("page", 1, int),
    )
    return render_template(
        "keys/index.html",
        page=page,
        rows=rows(page.items, key_queries.list_beneath(page.items)),
        asked=asked,
        counts=key_queries.count_shown(account_id, asked.query, nest=True),
        has_keys=bool(page.total) or key_queries.has_keys(account_id),
        room=quotas.quota_of(account_id, me().role),
        notice=excess.notice(account_id),
    )


@blueprint.get("/revoke")
def revoke_selected() -> ResponseReturnValue:
    """Ask before several keys are revoked."""
    key_ids = _selected(request.args)
    if not key_ids:
        flash(_("Select the keys to revoke first."), "warning")
        return redirect(url_for(".index"))
    keys = [key for key in rows(key_queries.list_owned(me().id, key_ids)) if key.state != "revoked"]
    if not keys:
        flash(_("These keys have been revoked already."), "info")
        return redirect(url_for(".index"))
    return render_template("keys/revoke_selected.html", keys=keys)


@blueprint.post("/revoke")
def revoke_selected_now() -> ResponseReturnValue:
    """Revoke the keys that the page before has listed, all or none."""
    ended = revocation.revoke_selected(actor(), _selected(request.args))
    if not ended:
        flash(_("These keys have been revoked already."), "info")
        return redirect(url_for(".index"), 303)
    told = ngettext(
        "%(num)d key revoked. Nothing accepts it any more.",
        "%(num)d keys revoked. Nothing accepts them any more.",
        ended,
    )
    return done(told, ".index")


def _selected(given: MultiDict[str, str]) -> list[UUID]:
    """The keys that were selected, each once; raises NotFound for what is no id."""
    try:
        return [UUID(text) for text in dict.fromkeys(given.getlist("key"))]
    except ValueError as error:
        raise NotFound from error
