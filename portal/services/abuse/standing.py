"""Where the keys of an account stand: the calls that their limits count, and what was refused.

Calls are those that every process has written, a few seconds late; what workers hold of a limit
is not among them. A rotated key and its new one have one limit between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import joinedload

from portal import clock
from portal.extensions import db
from portal.models import ApiKey, KeyKind, KeyRefusal, KeyUsageHour, key_states
from portal.services.abuse.excess import ABOVE_LIMIT
from portal.services.calls.rates import Rates, narrowed

FULL = 100


class KeyStanding(NamedTuple):
    """A key with its limits, what was called of them, and what was refused of it today."""

    key_id: UUID
    name: str
    state: str
    is_live: bool
    is_limited: bool
    shares: bool
    """Whether another key of its rotations works, too, and counts with it."""
    in_minute: int
    today: int
    rates: Rates
    refused: int
    """Calls with the right secret that weren't let through today, whatever the reason."""
    above_limit: int
    """Those of them that were above a limit."""

    @property
    def percent(self) -> int:
        """How much of the limit that is nearer is used, at most 100."""
        if not self.is_limited:
            return 0
        used = (self.in_minute * FULL // self.rates.per_minute, self.today * FULL // self.rates.per_day)
        return min(FULL, max(used))

    @property
    def is_day_over(self) -> bool:
        """Whether the calls of the day are used."""
        return self.is_limited and self.today >= self.rates.per_day


class Counted(NamedTuple):
    """What was counted of an account's keys today."""

    at: datetime
    both: dict[UUID, tuple[int, int]]
    """Calls and refusals."""
    above_limit: dict[UUID, int]


def standings(account_id: int, rates: dict[str, Rates]) -> list[KeyStanding]:
    """The living keys of an account, and those that were called today; those in trouble first."""
    now, today = clock.utcnow(), clock.today()
    counted = Counted(now, _both(account_id, today), _above_limit(account_id, today))
    may_live = and_(ApiKey.revoked_at.is_(None), ApiKey.expires_at > now)
    was_called = ApiKey.id.in_(counted.both)
    query = (
        select(ApiKey)
        .where(ApiKey.account_id == account_id, or_(may_live, was_called))
        .options(joinedload(ApiKey.account))
    )
    lines: dict[UUID, list[ApiKey]] = {}
    for key in db.session.scalars(query):
        if key.id in counted.both or key.is_live(now):
            lines.setdefault(key.counted_with_id or key.id, []).append(key)
    found = [_standing(key, line, counted, rates) for line in lines.values() for key in line]
    return sorted(found, key=lambda each: (-each.above_limit, -each.refused, -each.percent, -each.today))


def _standing(key: ApiKey, line: Sequence[ApiKey], counted: Counted, rates: dict[str, Rates]) -> KeyStanding:
    """How a key stands, whose line counts with it."""
    minute = counted.at.replace(second=0, microsecond=0)
    used = [each.usage for each in line if each.usage is not None]
    return KeyStanding(
        key_id=key.id,
        name=key.name,
        state=key_states.word_of(key, counted.at),
        is_live=key.is_live(counted.at),
        is_limited=key.kind is not KeyKind.SERVICE,
        shares=sum(each.is_live(counted.at) for each in line) > 1,
        in_minute=sum(use.minute_calls for use in used if (use.last_used_at or key.created_at) >= minute),
        today=sum(counted.both.get(each.id, (0, 0))[0] for each in line),
        rates=narrowed(rates[key.account.role.value], key.calls_per_minute, key.calls_per_day),
        refused=counted.both.get(key.id, (0, 0))[1],
        above_limit=counted.above_limit.get(key.id, 0),
    )


def _both(account_id: int, since: datetime) -> dict[UUID, tuple[int, int]]:
    """Calls and refusals of each key since a moment."""
    query = (
        select(KeyUsageHour.key_id, func.sum(KeyUsageHour.calls), func.sum(KeyUsageHour.refused))
        .join(ApiKey, ApiKey.id == KeyUsageHour.key_id)
        .where(ApiKey.account_id == account_id, KeyUsageHour.hour >= since)
        .group_by(KeyUsageHour.key_id)
    )
    return {key_id: (int(calls), int(refused)) for key_id, calls, refused in db.session.execute(query)}


def _above_limit(account_id: int, since: datetime) -> dict[UUID, int]:
    query = (
        select(KeyRefusal.key_id, func.sum(KeyRefusal.refused))
        .join(ApiKey, ApiKey.id == KeyRefusal.key_id)
        .where(ApiKey.account_id == account_id, KeyRefusal.hour >= since, KeyRefusal.reason == ABOVE_LIMIT)
        .group_by(KeyRefusal.key_id)
    )
    return {key_id: int(refused) for key_id, refused in db.session.execute(query)}
