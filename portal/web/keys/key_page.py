"""The page of a key, for its owner and for operators: one function reads all that it shows.

The parts in ``templates/keys/_parts.html`` take what it returns, and know nothing of who looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from flask_babel import format_timedelta
from flask_babel import gettext as _

from portal import clock
from portal.labels import CREATED_THROUGH
from portal.models import ApiKey, AuditEvent, KeyIpAddress, KeyKind
from portal.runtime import runtime
from portal.services.core import audit
from portal.services.keys import queries as key_queries
from portal.services.usage import queries as usage_queries
from portal.services.usage import refusals
from portal.services.usage.queries import Series, Span, UsageScope
from portal.web import charts
from portal.web.activity import presenters as activity
from portal.web.activity.presenters import ActivityRow
from portal.web.keys.presenters import SPARK_DAYS, KeyRow, row
from portal.web.keys.refusal_advice import RefusalRow, refusal_row
from portal.web.keys.troubles import Trouble, troubles_of

Teller = Callable[[AuditEvent, int], ActivityRow]
ACTS = 8
"""Acts of the audit log that the page shows."""


class Meter(NamedTuple):
    """How much of a limit is used."""

    label: str
    used: int
    limit: int

    @property
    def percent(self) -> int:
        """How much of it, at most 100."""
        return min(100, self.used * 100 // max(1, self.limit))

    @property
    def is_full(self) -> bool:
        """Whether the next call is refused."""
        return self.used >= self.limit


class Rotation(NamedTuple):
    """One key of a line of rotations."""

    id: UUID
    is_this: bool
    is_newest: bool
    created_at: datetime
    ended_at: datetime
    both_worked: str
    works: bool


class Month(NamedTuple):
    """The last 30 days: sums, the last two weeks as bars, and the commonest reason of refusals."""

    calls: int
    refused: int
    calls_by_day: Sequence[int]
    refused_by_day: Sequence[int]
    reason: str

    @property
    def calls_today(self) -> int:
        """The calls since midnight, UTC."""
        return self.calls_by_day[-1]

    @property
    def refused_today(self) -> int:
        """The refusals since midnight, UTC."""
        return self.refused_by_day[-1]


@dataclass(frozen=True, slots=True)
class KeyPage:
    """All that the page of a key shows; ``endpoint`` is where its links to other keys lead."""

    key: KeyRow
    endpoint: str
    month: Month
    chart: charts.Chart
    refusals: Sequence[RefusalRow]
    troubles: Sequence[Trouble]
    ip_addresses: Sequence[KeyIpAddress]
    meters: Sequence[Meter]
    rotations: Sequence[Rotation]
    acts: Sequence[ActivityRow]
    maker: UUID | None
    created_through: str | None
    created: int
    successor: UUID | None


def key_page(key: ApiKey, *, endpoint: str = "keys.detail", tell: Teller = activity.row) -> KeyPage:
    """Read what the page of a key shows, in a fixed number of queries. Who may see it, the caller knows.

    The span of the chart is that of the request's address; the links of the chart and to other
    keys lead to ``endpoint``, with ``key_id``. ``tell`` makes the row of an act, as whoever looks
    may see it.
    """
    line = usage_queries.list_counted_together(key)
    successor = next((each.id for each in line if each.replaces_id == key.id), None)
    month = usage_queries.read_series(Span.MONTH, UsageScope(key_id=key.id))
    told = [refusal_row(key, successor, each) for each in refusals.list_recent(key.id)]
    shown = row(key)
    created = key_queries.list_unrevoked_descendants(key.account_id, key.id)
    return KeyPage(
        key=shown,
        endpoint=endpoint,
        month=_month(month),
        chart=charts.chart(_asked(month, key.id), endpoint, key_id=key.id),
        refusals=told,
        troubles=troubles_of(shown, told, successor, key.usage.reused_at if key.usage else None),
        ip_addresses=usage_queries.list_ip_addresses(key.id),
        meters=_meters(key, line),
        rotations=_rotations(key, line) if len(line) > 1 else (),
        acts=[tell(act, key.account_id) for act in audit.list_events_of_key(key.id, limit=ACTS)],
        maker=key.made_by_key_id,
        created_through=_created_through(key),
        created=len(created),
        successor=successor,
    )


def _asked(month: Series, key_id: UUID) -> Series:
    """The span that the address asks for."""
    span = charts.asked_span()
    return month if span is Span.MONTH else usage_queries.read_series(span, UsageScope(key_id=key_id))


def _month(series: Series) -> Month:
    newest = series.slots[-SPARK_DAYS:]
    return Month(
        calls=series.calls,
        refused=series.refused,
        calls_by_day=[slot.calls for slot in newest],
        refused_by_day=[slot.refused for slot in newest],
        reason=charts.reason_words(series.reasons[0][0]) if series.reasons else "",
    )


def _meters(key: ApiKey, line: Sequence[ApiKey]) -> Sequence[Meter]:
    """What was called in this minute and today, with the keys that count together; of a living key."""
    if key.kind is KeyKind.SERVICE or not key.is_live(clock.utcnow()) or not runtime.call_limits.enabled:
        return ()
    rates = runtime.call_limits.rates_of(key.account.role.value, key.calls_per_minute, key.calls_per_day)
    used = usage_queries.calls_now([each.id for each in line])
    return (
        Meter(_("This minute"), used.in_minute, rates.per_minute),
        Meter(_("Today"), used.today, rates.per_day),
    )


def _rotations(key: ApiKey, line: Sequence[ApiKey]) -> list[Rotation]:
    """The line of a key, the newest first."""
    now = clock.utcnow()
    next_of = {each.replaces_id: each for each in line}
    told = []
    for each in reversed(line):
        newer = next_of.get(each.id)
        ended = each.revoked_at or each.ends_at
        overlap = ended - newer.created_at if newer else None
        is_both = overlap is not None and overlap >= timedelta(minutes=1)
        told.append(
            Rotation(
                each.id,
                each.id == key.id,
                newer is None,
                each.created_at,
                ended,
                format_timedelta(overlap) if overlap and is_both else "",
                each.is_live(now),
            )
        )
    return told


def _created_through(key: ApiKey) -> str | None:
    """Through what a key was created, in words."""
    through = key_queries.find_creation(key)
    return _(CREATED_THROUGH[through]) if through in CREATED_THROUGH else None
