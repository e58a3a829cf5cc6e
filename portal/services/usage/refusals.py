"""The last refusals of each key, with what their owner needs to mend them.

Only whoever holds the secret brings one about. Equal ones of a day (UTC) are one row: how often,
first and last. They are collected and written with the counts, in the same batches, and are
bounded as those are: the newest of each key are kept, here and in the table, for 30 days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete, func, select, tuple_

from portal import clock
from portal.extensions import db
from portal.models import RecentRefusal
from portal.services.core.outcomes import ShownAt
from portal.services.core.upsert import insert_into

KEPT = 50
"""Rows of each key."""
KEPT_FOR = timedelta(days=30)
MOST = 10_000
"""Rows that a process collects before the oldest are let go."""
LONGEST_ASKED, LONGEST_ADDRESS = 40, 45
DAY_MS = 86_400_000
AT_ONCE = 500
"""Keys that one statement names."""


class Circumstances(NamedTuple):
    """From where a call came, to which door, and the level, method or audience that it asked for."""

    ip_address: str = ""
    door: str = ShownAt.API
    asked: str = ""


UNKNOWN_HOW = Circumstances()


class Refusal(NamedTuple):
    """What equal refusals have in common; ``day`` is the day's first millisecond."""

    day: int
    reason: str
    ip_address: str
    door: str
    asked: str


Times = list[int]
"""How often, and the milliseconds of the first and of the last."""
Collected = dict[str, dict[Refusal, Times]]
"""By key."""


class RecentRefusals:
    """What one process has collected; whoever shares it between threads holds a lock."""

    def __init__(self) -> None:
        self._by_key: Collected = {}
        self._rows = 0

    def note(self, key_id: str, now_ms: int, reason: str, how: Circumstances) -> None:
        """Note one refusal."""
        day = now_ms - now_ms % DAY_MS
        place = _plain(how.ip_address, LONGEST_ADDRESS)
        refusal = Refusal(day, str(reason), place, str(how.door), _plain(how.asked, LONGEST_ASKED))
        self._add(key_id, refusal, [1, now_ms, now_ms])

    def take(self) -> Collected:
        """What was collected, which is then no longer here."""
        taken, self._by_key, self._rows = self._by_key, {}, 0
        return taken

    def take_back(self, collected: Collected) -> None:
        """Keep what could not be written."""
        for key_id, refusals in collected.items():
            for refusal, times in refusals.items():
                self._add(key_id, refusal, times)

    def _add(self, key_id: str, refusal: Refusal, times: Times) -> None:
        of_key = self._by_key.setdefault(key_id, {})
        if refusal not in of_key:
            self._make_room(key_id, of_key)
        known = of_key.setdefault(refusal, [0, times[1], times[2]])
        known[0] += times[0]
        known[1], known[2] = min(known[1], times[1]), max(known[2], times[2])

    def _make_room(self, key_id: str, of_key: dict[Refusal, Times]) -> None:
        """Let the oldest go, half of what is too much, so that it is seldom done."""
        if len(of_key) >= 2 * KEPT:
            for refusal in sorted(of_key, key=lambda each: of_key[each][2])[:KEPT]:
                del of_key[refusal]
            self._rows -= KEPT
        if self._rows >= MOST:
            oldest_first = sorted(self._by_key, key=lambda each: _last(self._by_key[each]))
            for key in oldest_first[: len(oldest_first) // 2 + 1]:
                if key != key_id:
                    self._rows -= len(self._by_key.pop(key))
        self._rows += 1


def write(connection: Connection, collected: Mapping[str, Mapping[Refusal, Times]]) -> None:
    """Add what was collected to the table and forget the oldest, inside the caller's transaction.

    The keys are held by the caller: their sums come first in every batch.
    """
    rows = list(_rows(collected))
    if not rows:
        return
    insert = insert_into(connection, RecentRefusal)
    new, old = insert.excluded, RecentRefusal.__table__.c
    least, most = ("min", "max") if connection.dialect.name == "sqlite" else ("least", "greatest")
    change = {
        "times": old.times + new.times,
        "first_at": getattr(func, least)(old.first_at, new.first_at),
        "last_at": getattr(func, most)(old.last_at, new.last_at),
    }
    keys = list(RecentRefusal.__table__.primary_key)
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=change), rows)
    key_ids = [UUID(key_id) for key_id in sorted(collected)]
    for start in range(0, len(key_ids), AT_ONCE):
        _forget_older(connection, key_ids[start : start + AT_ONCE])


def list_recent(key_id: UUID) -> Sequence[RecentRefusal]:
    """The last refusals of a key, the newest first."""
    since = clock.utcnow() - KEPT_FOR
    return db.session.scalars(
        select(RecentRefusal)
        .where(RecentRefusal.key_id == key_id, RecentRefusal.last_at > since)
        .order_by(RecentRefusal.last_at.desc(), RecentRefusal.times.desc(), RecentRefusal.reason)
        .limit(KEPT)
    ).all()


def _rows(collected: Mapping[str, Mapping[Refusal, Times]]) -> Iterator[dict[str, Any]]:
    for key_id in sorted(collected):
        for refusal, (times, first, last) in sorted(collected[key_id].items()):
            yield {
                "key_id": UUID(key_id),
                "day": clock.from_ms(refusal.day),
                "reason": refusal.reason,
                "address": refusal.ip_address,
                "door": refusal.door,
                "asked": refusal.asked,
                "times": times,
                "first_at": clock.from_ms(first),
                "last_at": clock.from_ms(last),
            }


def _forget_older(connection: Connection, key_ids: Sequence[UUID]) -> None:
    """Delete the rows of these keys but for the newest."""
    columns = list(RecentRefusal.__table__.primary_key)
    newest_first = RecentRefusal.last_at.desc(), *columns
    place = func.row_number().over(partition_by=RecentRefusal.key_id, order_by=newest_first)
    ranked = select(*columns, place.label("place")).where(RecentRefusal.key_id.in_(key_ids)).subquery()
    older = select(*(ranked.c[column.name] for column in columns)).where(ranked.c.place > KEPT)
    connection.execute(delete(RecentRefusal).where(tuple_(*columns).in_(older)))


def _last(refusals: Mapping[Refusal, Times]) -> int:
    return max((times[2] for times in refusals.values()), default=0)


def _plain(text: str, longest: int) -> str:
    """What a caller wrote, as it can be kept: printable ASCII, and not too much of it."""
    return "".join(letter if "!" <= letter <= "~" else "?" for letter in text[:longest])
