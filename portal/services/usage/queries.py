"""Use read back: calls and refusals over a span of time, by hour, day or week (UTC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, func, or_, select, type_coerce
from sqlalchemy.orm import joinedload

from portal import clock
from portal.extensions import db
from portal.models import ApiKey, KeyIpAddress, KeyRefusal, KeyUsage, KeyUsageHour

UNKNOWN_REASON = ""
"""Refusals of the time before reasons were kept."""
TOP_KEYS = 20
DAY_MS = 86_400_000


class Span(StrEnum):
    """How far back to look, as links say it."""

    DAY = "24h"
    MONTH = "30d"
    YEAR = "1y"


SLOTS = {
    Span.DAY: (24, timedelta(hours=1)),
    Span.MONTH: (30, timedelta(days=1)),
    Span.YEAR: (52, timedelta(weeks=1)),
}
"""How many slots a span has, and how long each of them is."""


@dataclass(frozen=True, slots=True)
class UsageScope:
    """Whose use is read: one key's, one account's, or, with neither, that of all."""

    key_id: UUID | None = None
    account_id: int | None = None


ALL = UsageScope()


@dataclass(frozen=True, slots=True)
class Slot:
    """What was counted in an hour, a day or a week that begins at this moment."""

    begins: datetime
    calls: int
    refused: int


@dataclass(frozen=True, slots=True)
class Series:
    """The slots of a span, the oldest first; and why calls were refused, the commonest first."""

    span: Span
    slots: Sequence[Slot]
    reasons: Sequence[tuple[str, int]]

    @property
    def calls(self) -> int:
        """All calls of the span."""
        return sum(slot.calls for slot in self.slots)

    @property
    def refused(self) -> int:
        """All refusals of the span."""
        return sum(slot.refused for slot in self.slots)


@dataclass(frozen=True, slots=True)
class BusyKey:
    """A key with what it did in a span; its account comes with it."""

    key: ApiKey
    calls: int
    refused: int


def first_moment(span: Span) -> datetime:
    """When a span begins; its last slot is the one that is running."""
    number, length = SLOTS[span]
    now = clock.utcnow().replace(minute=0, second=0, microsecond=0)
    if span is not Span.DAY:
        now = now.replace(hour=0)
    if span is Span.YEAR:
        now -= timedelta(days=now.weekday())
    return now - (number - 1) * length


def read_series(span: Span, whose: UsageScope = ALL) -> Series:
    """What was counted over a span, with nothing left out."""
    first = first_moment(span)
    number, length = SLOTS[span]
    width = int(length.total_seconds()) * 1000
    counts = [(0, 0)] * number
    # A label, not the expression again: PostgreSQL takes two of its parameters for different.
    slot = ((type_coerce(KeyUsageHour.hour, BigInteger) - clock.to_ms(first)) // width).label("slot")
    sums = func.sum(KeyUsageHour.calls), func.sum(KeyUsageHour.refused)
    query = select(slot, *sums).where(_counts(whose, KeyUsageHour, first)).group_by("slot")
    for place, calls, refused in db.session.execute(query):
        if place < number:
            counts[place] = (int(calls), int(refused))
    slots = [Slot(first + place * length, *count) for place, count in enumerate(counts)]
    return Series(span, slots, _reasons(whose, first, sum(slot.refused for slot in slots)))


class Day(NamedTuple):
    """What was counted on one day in UTC."""

    calls: int
    refused: int


def list_days(key_ids: Sequence[UUID], days: int) -> dict[UUID, list[Day]]:
    """What each key did on each of the last days in UTC, the oldest first, today last."""
    first = clock.today() - timedelta(days=days - 1)
    found = {key_id: [Day(0, 0)] * days for key_id in key_ids}
    # A label, not the expression again: PostgreSQL takes two of its parameters for different.
    day = ((type_coerce(KeyUsageHour.hour, BigInteger) - clock.to_ms(first)) // DAY_MS).label("day")
    sums = func.sum(KeyUsageHour.calls), func.sum(KeyUsageHour.refused)
    counted = KeyUsageHour.key_id.in_(key_ids), KeyUsageHour.hour >= first
    query = select(KeyUsageHour.key_id, day, *sums).where(*counted).group_by(KeyUsageHour.key_id, "day")
    for key_id, place, calls, refused in db.session.execute(query):
        if place < days:
            found[key_id][place] = Day(int(calls), int(refused))
    return found


def count_refused(key_ids: Sequence[UUID], within: timedelta) -> dict[UUID, int]:
    """How often each key was refused of late; keys that were not are left out."""
    since = (clock.utcnow() - within).replace(minute=0, second=0, microsecond=0)
    query = (
        select(KeyRefusal.key_id, func.sum(KeyRefusal.refused))
        .where(KeyRefusal.key_id.in_(key_ids), KeyRefusal.hour >= since)
        .group_by(KeyRefusal.key_id)
    )
    return {key_id: int(number) for key_id, number in db.session.execute(query)}


def list_ip_addresses(key_id: UUID) -> Sequence[KeyIpAddress]:
    """From where a key was used: the last few addresses, the newest first."""
    newest_first = KeyIpAddress.last_used_at.desc(), KeyIpAddress.ip_address
    return db.session.scalars(
        select(KeyIpAddress).where(KeyIpAddress.key_id == key_id).order_by(*newest_first)
    ).all()


class CallsNow(NamedTuple):
    """Calls in the minute that is running, and since midnight (UTC)."""

    in_minute: int
    today: int


def list_counted_together(key: ApiKey) -> Sequence[ApiKey]:
    """The keys whose calls count together: a key with all that it replaced, or was replaced by.

    The oldest first; the key itself is among them.
    """
    first = key.counted_with_id or key.id
    return db.session.scalars(
        select(ApiKey)
        .where(ApiKey.account_id == key.account_id, or_(ApiKey.id == first, ApiKey.counted_with_id == first))
        .order_by(ApiKey.created_at, ApiKey.id)
    ).all()


def calls_now(key_ids: Sequence[UUID]) -> CallsNow:
    """The calls of some keys together, as every process has written them: a few seconds late."""
    minute = clock.utcnow().replace(second=0, microsecond=0)
    in_minute = select(func.sum(KeyUsage.minute_calls)).where(
        KeyUsage.key_id.in_(key_ids), KeyUsage.last_used_at >= minute
    )
    today = select(func.sum(KeyUsageHour.calls)).where(
        KeyUsageHour.key_id.in_(key_ids), KeyUsageHour.hour >= clock.today()
    )
    return CallsNow(int(db.session.scalar(in_minute) or 0), int(db.session.scalar(today) or 0))


def refused_by_key(key_ids: Sequence[UUID], span: Span = Span.MONTH) -> dict[UUID, int]:
    """How many calls of each of these keys were refused in a span, whatever for; one query for a list."""
    query = (
        select(KeyUsageHour.key_id, func.sum(KeyUsageHour.refused))
        .where(KeyUsageHour.key_id.in_(key_ids), KeyUsageHour.hour >= first_moment(span))
        .group_by(KeyUsageHour.key_id)
    )
    return dict.fromkeys(key_ids, 0) | {key_id: int(sum_) for key_id, sum_ in db.session.execute(query)}


def busiest_keys(span: Span) -> list[BusyKey]:
    """The keys with the most calls in a span, then with the most refusals."""
    calls = func.sum(KeyUsageHour.calls).label("calls")
    refused = func.sum(KeyUsageHour.refused).label("refused")
    most = (
        select(KeyUsageHour.key_id, calls, refused)
        .where(_counts(ALL, KeyUsageHour, first_moment(span)))
        .group_by(KeyUsageHour.key_id)
        .order_by(calls.desc(), refused.desc(), KeyUsageHour.key_id)
        .limit(TOP_KEYS)
    )
    counted = {key_id: (int(calls), int(refused)) for key_id, calls, refused in db.session.execute(most)}
    query = select(ApiKey).where(ApiKey.id.in_(counted)).options(joinedload(ApiKey.account))
    found = {key.id: key for key in db.session.scalars(query)}
    return [BusyKey(found[key_id], *counts) for key_id, counts in counted.items()]


def _reasons(whose: UsageScope, first: datetime, refused: int) -> list[tuple[str, int]]:
    count = func.sum(KeyRefusal.refused)
    counted = _counts(whose, KeyRefusal, first)
    query = select(KeyRefusal.reason, count).where(counted).group_by(KeyRefusal.reason)
    reasons = {reason: int(number) for reason, number in db.session.execute(query)}
    rest = refused - sum(reasons.values())
    if rest > 0:
        reasons[UNKNOWN_REASON] = rest
    return sorted(reasons.items(), key=lambda each: (-each[1], each[0]))


def _counts(
    whose: UsageScope, model: type[KeyUsageHour | KeyRefusal], first: datetime
) -> ColumnElement[bool]:
    """Whether a row belongs to whom it is asked about, and to the span."""
    is_in = model.hour >= first
    if whose.key_id is not None:
        return is_in & (model.key_id == whose.key_id)
    if whose.account_id is not None:
        return is_in & model.key_id.in_(select(ApiKey.id).where(ApiKey.account_id == whose.account_id))
    return is_in
