"""A year of use as it might have been: working days, nights, services; the same for the same seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from random import Random

from portal import clock
from portal.models import ApiKey
from portal.services.core.outcomes import Outcome, ShownAt
from portal.services.usage import refusals
from portal.services.usage.batch import MINUTE_MS, Batch, Slot
from portal.services.usage.refusals import Collected
from portal.services.usage.rollup import HOURS_KEPT

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS = range(24)
AT_WORK = (0,) * 6 + (1, 3, 6, 8, 8, 6, 4, 6, 8, 8, 7, 5, 2, 1, 1, 1, 0, 0)
AWAKE = (2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 9, 9, 8, 8, 8, 9, 10, 10, 9, 7, 5, 3)
ELSEWHERE = "198.51.100.77"
"""From where keys are refused that are bound to a network."""
KNOCKS_ON = 6
"""Days for which somebody goes on to call with a key that has ended."""


class Use(Enum):
    """How calls are spread: the weights of the hours and of a weekend, and how many days have any."""

    WORKDAYS = AT_WORK, 0.04, 1.0
    SERVICE = AWAKE, 0.7, 1.0
    STEADY = (1,) * 24, 1.0, 1.0
    NIGHTLY = (0, 0, 5, 1, *(0,) * 20), 1.0, 1.0
    NOW_AND_THEN = AT_WORK, 0.5, 0.35


def batch_of(key: ApiKey, use: Use, calls: int, ip_addresses: Sequence[str], until: datetime) -> Batch:
    """The calls of a key from its first moment to ``until``, about so many on a day.

    Old days are written as the jobs fold them: one row each.
    """
    chance, written = Random(key.name), defaultdict[Slot, list[int]](lambda: [0, 0, 0])  # noqa: S311  # no secret
    refused: defaultdict[Slot, int] = defaultdict(int)
    name, folded = str(key.id), clock.today() - HOURS_KEPT
    for hour, number in _hours(
        use, calls, max(key.created_at, key.not_before or key.created_at), until, chance
    ):
        row = hour if hour >= folded else hour.replace(hour=0)
        ip_address = chance.choices(ip_addresses, range(len(ip_addresses), 0, -1))[0]
        slot = written[name, clock.to_ms(row), ip_address]
        slot[0] += number
        slot[1] = clock.to_ms(min(hour + HOUR * chance.random(), until))
        if chance.random() < 0.02:
            refused[name, clock.to_ms(row), Outcome.LEVEL] += 1 + number // 40
    if key.networks:
        refused |= _from_elsewhere(name, until)
    return Batch(dict(written), refused, _recent(refused, ip_addresses[0]))


def _from_elsewhere(name: str, until: datetime) -> dict[Slot, int]:
    """What is refused since somebody moved a script to another machine, until today."""
    last = until.replace(minute=0, second=0, microsecond=0)
    return {
        (name, clock.to_ms(last - DAY * ago), Outcome.ADDRESS): times
        for ago, times in enumerate((30, 38, 22, 6))
    }


def _recent(refused: Mapping[Slot, int], ip_address: str) -> Collected:
    """The refusals of the last weeks with their circumstances."""
    found: Collected = {}
    since = clock.to_ms(clock.utcnow() - refusals.KEPT_FOR)
    for (name, hour, reason), times in sorted(refused.items()):
        if hour > since:
            place = ELSEWHERE if reason == Outcome.ADDRESS else ip_address
            asked = "4" if reason == Outcome.LEVEL else ""
            day = hour - hour % refusals.DAY_MS
            refusal = refusals.Refusal(day, str(reason), place, ShownAt.FORWARD_AUTH.value, asked)
            known = found.setdefault(name, {}).setdefault(refusal, [0, hour, hour])
            known[0] += times
            known[2] = min(hour + MINUTE_MS * 42, clock.now_ms())
    return found


def knocks(key: ApiKey, calls: int, ended: datetime, reason: Outcome, ip_address: str) -> Batch:
    """What is refused after the end of a key, fewer from day to day, until somebody notices."""
    chance, refused = Random(key.name), dict[Slot, int]()  # noqa: S311  # no secret
    for day in range(KNOCKS_ON):
        first = (ended + DAY * day).replace(minute=0, second=0, microsecond=0) + HOUR
        if first <= clock.utcnow() - HOUR:
            share = calls * chance.uniform(0.2, 0.5) / 4**day
            refused[str(key.id), clock.to_ms(first.replace(hour=0) if day else first), reason] = 1 + int(
                share
            )
    return Batch({}, refused, _recent(refused, ip_address))


def _hours(
    use: Use, calls: int, begin: datetime, until: datetime, chance: Random
) -> Iterator[tuple[datetime, int]]:
    """Each hour with calls, and how many; more in the later part of the year."""
    weights, weekend, often = use.value
    day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < until:
        grown = 1 - 0.5 * max(timedelta(0), clock.utcnow() - day) / timedelta(days=365)
        today = calls * grown * chance.uniform(0.7, 1.3) * (weekend if day.weekday() > 4 else 1)
        if chance.random() < often:
            for hour in HOURS:
                expected = today * weights[hour] / sum(weights)
                number = int(expected * chance.uniform(0.8, 1.2) + chance.random())
                if number and begin <= day + HOUR * hour and day + HOUR * (hour + 1) <= until:
                    yield day + HOUR * hour, number
        day += DAY
