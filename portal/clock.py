"""The only source of time. Everything is UTC and aware."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_moved: list[int] = []
"""The time that a self-check has set, in milliseconds; else empty."""


def now_ms() -> int:
    """Milliseconds since the epoch, as the database keeps them."""
    return _moved[0] if _moved else time.time_ns() // 1_000_000


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


class Hands:
    """The hands of a clock that stands still until it is put forward."""

    @staticmethod
    def forward(*, milliseconds: int = 0, **span: float) -> None:
        """Put the clock forward by so many days, hours, minutes, seconds; ValueError for back."""
        step = int(timedelta(**span) / timedelta(milliseconds=1)) + milliseconds
        if step < 0:
            raise ValueError("time does not run backwards")
        _moved[0] += step


@contextmanager
def taken_in_hand() -> Iterator[Hands]:
    """Stop the time of this process, to be put forward by hand, while the block runs.

    Only for ``portal.selfcheck``, on an installation of its own: a test holds that nothing
    else calls it. RuntimeError when the clock is in somebody's hand already.
    """
    if _moved:
        raise RuntimeError("the clock is in hand already")
    _moved.append(now_ms())
    try:
        yield Hands()
    finally:
        _moved.clear()
