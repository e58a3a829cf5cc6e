"""The only source of time. Everything is UTC and aware."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Milliseconds since the epoch, as the database keeps them."""
    return time.time_ns() // 1_000_000


def utcnow() -> datetime:
    """The present moment in UTC, to the millisecond, as the database keeps it."""
    return from_ms(now_ms())


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
