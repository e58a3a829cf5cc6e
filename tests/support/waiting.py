"""Waiting until somebody else waits, so that two meet for certain."""

from __future__ import annotations

import time
from collections.abc import Callable

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
"""How many connections to a database of PostgreSQL wait for a lock."""


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Look again and again; AssertionError when it is not so in time."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)
