"""What an owner narrows the list of events by; it stands in the address."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from flask_babel import lazy_gettext as _l
from wtforms import SearchField, StringField

from portal.services.core.audit import EventFilter
from portal.services.keys import queries as key_queries
from portal.web import zones
from portal.web.activity.pictures import Kind, actions_of
from portal.web.admin.forms import FilterForm
from portal.web.forms import text

DATE = {"type": "date"}
LONGEST_QUERY = 100
MOST_KEYS = 50
"""Keys whose events are shown at a time, the newest first."""


class ActivityForm(FilterForm):
    """Narrow the events: every field may be empty, and what makes no sense is left out."""

    key = SearchField(
        _l("Name or id of a key"), default="", render_kw={"maxlength": LONGEST_QUERY, "autocomplete": "off"}
    )
    since = StringField(_l("From day"), default="", render_kw=DATE)
    until = StringField(_l("To day"), default="", render_kw=DATE)
    kind = StringField(default="")

    @property
    def chosen_kind(self) -> Kind | None:
        """The kind that the address asks for."""
        return Kind(self.kind.data) if self.kind.data in set(Kind) else None

    @property
    def query(self) -> dict[str, str]:
        """The filters, as an address has them."""
        kind = self.chosen_kind
        days = {name: text(self[name]) for name in ("since", "until") if _day(text(self[name]))}
        found = {"key": text(self.key).strip()[:LONGEST_QUERY], "kind": kind.value if kind else "", **days}
        return {name: value for name, value in found.items() if value}

    def wanted(self, account_id: int) -> EventFilter:
        """What is looked for among the events of this account."""
        since, until, zone = _day(text(self.since)), _day(text(self.until)), zones.reader_zone()
        kind = self.chosen_kind
        return EventFilter(
            actions=actions_of(kind) if kind else (),
            since=zones.first_moment(since, zone) if since else None,
            until=zones.first_moment(until + timedelta(days=1), zone) if until else None,
            key_ids=self._key_ids(account_id),
        )

    def _key_ids(self, account_id: int) -> list[UUID] | None:
        words = self.query.get("key")
        if words is None:
            return None
        return [key.id for key in key_queries.list_keys(account_id, query=words, size=MOST_KEYS).items]


def _day(typed: str) -> date | None:
    """The day that was typed, of the years that every zone has."""
    try:
        found = datetime.strptime(typed, "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no zone yet
    except ValueError:
        return None
    return found if 1970 <= found.year < 9999 else None  # years
