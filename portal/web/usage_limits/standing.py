"""What is left to a key at this moment, for its page."""

from __future__ import annotations

from typing import NamedTuple

from portal import clock
from portal.models import ApiKey
from portal.runtime import runtime
from portal.services.calls.limits import LimitStatus


class Subject(NamedTuple):
    """A key of the database, as the limits want to know it."""

    counted_as: str
    role: str
    calls_per_minute: int | None
    calls_per_day: int | None


def standing(key: ApiKey) -> LimitStatus | None:
    """Its limits and what is left; None for a key that has ended, or where nothing is limited."""
    if not key.is_live(clock.utcnow()):
        return None
    limits = runtime.call_limits
    role = key.account.role.value
    counted_as = str(key.counted_with_id or key.id)
    return limits.standing(Subject(counted_as, role, key.calls_per_minute, key.calls_per_day))
