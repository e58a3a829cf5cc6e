"""The only source of time. Everything is UTC and aware.

It is the wall clock, unless that was set back: then time goes on from the last moment that the
installation has seen, less a leeway, so that nothing that has ended begins again. How long ago
that moment was, the steady clock tells, which nobody sets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

LEEWAY_MS = 10_000
"""How far time may run behind the last moment seen: as far as the clocks of two machines may differ."""

_moved: list[int] = []
"""The time that a self-check has set, in milliseconds; else empty."""

_NEVER = -(2**62)
_seen = [_NEVER]
"""What to add to the steady clock to come from the last moment seen to the present one."""


def now_ms() -> int:
    """Milliseconds since the epoch, as the database keeps them."""
    if _moved:
        return _moved[0]
    wall = time.time_ns() // 1_000_000
    steady = time.monotonic_ns() // 1_000_000
    latest = steady + _seen[0]
    if wall >= latest:
        _seen[0] = wall - steady
        return wall
    return max(wall, latest - LEEWAY_MS)


def seen(moment_ms: int) -> None:
    """Take note of a moment that the installation has seen: time does not run behind it from now on."""
    if not _moved:
        _seen[0] = max(_seen[0], moment_ms - time.monotonic_ns() // 1_000_000)


def latest_ms() -> int:
    """The last moment seen, carried on to the present: time without its leeway."""
    now = now_ms()
    return now if _moved else max(now, time.monotonic_ns() // 1_000_000 + _seen[0])


def behind_ms() -> int:
    """By how much the wall clock is behind the last moment seen; 0 when it is not."""
    return max(0, latest_ms() - time.time_ns() // 1_000_000)


def forget() -> None:
    """Believe the wall clock again, whatever was seen: for an operator, and between two tests."""
    _seen[0] = _NEVER


def utcnow() -> datetime:
    """The present moment in UTC, to the millisecond, as the database keeps it."""
    return from_ms(now_ms())


def today() -> datetime:
    """The first moment of the present day in UTC."""
    return utcnow().replace(hour=0, minute=0, second=0, microsecond=0)


def from_ms(value: int) -> datetime:
    """Make an aware datetime of milliseconds since the epoch."""
    seconds, milliseconds = divmod(value, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)


def to_ms(moment: datetime) -> int:
    """Make milliseconds since the epoch of an aware datetime; ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a naive time has no place here")
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds and Z, as the wire has it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class FrozenClock:
    """The hands of a clock that stands still until it is put forward."""

    @staticmethod
    def forward(*, milliseconds: int = 0, **span: float) -> None:
        """Put the clock forward by so many days, hours, minutes, seconds; ValueError for back."""
        step = int(timedelta(**span) / timedelta(milliseconds=1)) + milliseconds
        if step < 0:
            raise ValueError("time does not run backwards")
        _moved[0] += step

    @staticmethod
    @contextmanager
    def set_back() -> Iterator[None]:
        """Let the wall clock run while the block runs, as in a process that begins and has seen nothing.

        Time was put forward by hand, so that clock is behind the last moment that was kept.
        """
        moment, seen_before = _moved.pop(), _seen[0]
        _seen[0] = _NEVER
        try:
            yield
        finally:
            _moved.append(moment)
            _seen[0] = seen_before


@contextmanager
def freeze(start: datetime | None = None) -> Iterator[FrozenClock]:
    """Stop the time of this process, to be put forward by hand, while the block runs.

    It stands still at ``start``, or where it is. Only for ``portal.selfcheck``, on an installation
    of its own, and ``portal.demo``, on an empty one: a test holds that nothing else calls it.
    RuntimeError when the clock is in somebody's hand already.
    """
    if _moved:
        raise RuntimeError("the clock is in hand already")
    _moved.append(now_ms() if start is None else to_ms(start))
    try:
        yield FrozenClock()
    finally:
        _moved.clear()
