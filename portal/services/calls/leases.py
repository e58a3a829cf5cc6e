"""What one process holds of a key's limits: leases, and how they are spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from portal.services.calls.rates import Rates

MINUTE, DAY = 60, 86_400
"""The spans of the windows, in seconds."""
LARGEST_LEASE = 512
SHARES = 8
"""A lease is at most one in so many of what is left, so that little can be stranded or lost."""
LOOK_AGAIN_MS = 1000
"""How long a limit that was found used up is not looked at again."""

Headers = tuple[tuple[str, str], ...]


class Ask(NamedTuple):
    """A wish for a lease; ``owed`` was spent before without one, in the same window."""

    span: int
    limit: int
    owed: int = 0


class Lease(NamedTuple):
    """What was given: ``granted`` of a window's calls, and ``rest`` are there for all."""

    span: int
    ends_at: int
    granted: int
    rest: int
    owed: int = 0


class Unused(NamedTuple):
    """A part of a lease that goes back."""

    key_id: str
    span: int
    ends_at: int
    amount: int


class Allowance(NamedTuple):
    """Whether a call may be made; if not, in how many whole seconds; and what to tell about it."""

    allowed: bool
    retry_after: int
    headers: Headers


UNLIMITED = Allowance(True, 0, ())


def lease_size(left: int) -> int:
    """How much to take of what is left: much while there is much, one near the end."""
    return min(left, max(1, min(left // SHARES, LARGEST_LEASE)))


def window_end(now_ms: int, span: int) -> int:
    """When the window of this moment ends, in milliseconds since the epoch."""
    return now_ms - now_ms % (span * 1000) + span * 1000


class Window:
    """What this process holds of one window: ``left`` to spend, and what ``rest`` is shared."""

    __slots__ = ("ends_at", "left", "limit", "owed", "rest", "span")

    def __init__(self, span: int) -> None:
        self.span = span
        self.limit = self.left = self.rest = self.ends_at = 0
        self.owed = 0
        """Spent while the store was away; counted with the next lease."""

    def is_open(self, now_ms: int) -> bool:
        """Whether something can be spent."""
        return self.left > 0 and now_ms < self.ends_at

    def empty(self) -> int:
        """Stop holding what is left; return how much of it was counted, and so goes back."""
        counted = max(0, self.left - self.owed)
        self.owed -= self.left - counted
        self.rest += self.left
        self.left = 0
        return counted


class Held:
    """What this process holds for one key."""

    __slots__ = ("day", "look_again_at", "minute", "policy", "rates", "until", "used_at")

    def __init__(self) -> None:
        self.minute, self.day = Window(MINUTE), Window(DAY)
        self.rates: Rates | None = None
        self.policy: tuple[str, str] = ("", "")
        self.look_again_at = self.until = self.used_at = 0

    def set_rates(self, rates: Rates) -> None:
        """Hold these limits from the next lease on."""
        if rates == self.rates:
            return
        self.rates = rates
        self.minute.limit, self.day.limit = rates
        policy = f'"minute";q={rates.per_minute};w={MINUTE}, "day";q={rates.per_day};w={DAY}'
        self.policy = ("RateLimit-Policy", policy)

    def spend(self, now_ms: int) -> Allowance | None:
        """Spend one, or refuse what is known to be used up; None when a lease is needed."""
        minute, day = self.minute, self.day
        if minute.left > 0 and day.left > 0 and now_ms < minute.ends_at and now_ms < day.ends_at:
            minute.left -= 1
            day.left -= 1
            self.used_at = now_ms
            return Allowance(True, 0, (self.policy, self._rest(now_ms)))
        if now_ms < self.look_again_at:
            wait = max(1, -(-(self.until - now_ms) // 1000))
            return Allowance(False, wait, (self.policy, self._rest(now_ms)))
        return None

    def _rest(self, now_ms: int) -> tuple[str, str]:
        minute, day = self.minute, self.day
        # The brackets round up: whoever waits so many seconds is in the next window.
        text = f'"minute";r={minute.left + minute.rest};t={-((now_ms - minute.ends_at) // 1000)}, '
        text += f'"day";r={day.left + day.rest};t={-((now_ms - day.ends_at) // 1000)}'
        return "RateLimit", text

    def asks(self, now_ms: int) -> list[Ask]:
        """What to lease: for each window that has nothing left, or is over."""
        windows = [each for each in (self.minute, self.day) if not each.is_open(now_ms)]
        return [Ask(each.span, each.limit, each.owed if now_ms < each.ends_at else 0) for each in windows]

    def receive(self, leases: list[Lease], now_ms: int) -> None:
        """Take what was leased; where a window is used up, remember until when to refuse."""
        self.look_again_at = self.until = 0
        for lease in leases:
            window = self.minute if lease.span == MINUTE else self.day
            window.ends_at, window.left, window.rest = lease.ends_at, lease.granted, lease.rest
            window.owed = lease.owed
            if not lease.granted and not lease.rest:
                self.until = max(self.until, lease.ends_at)
        if self.until:
            self.look_again_at = min(self.until, now_ms + LOOK_AGAIN_MS)


Taken = dict[str, dict[int, int]]
"""By key and span: how much of the window of this moment is taken."""


class StoreAway(Exception):
    """The store can't be asked now."""


class CallStore(Protocol):
    """What the limits ask of a store; each method raises StoreAway."""

    cheap_to_ask: bool
    """Whether many keys are asked about at once, so that it can be done every other second."""

    def take(self, key_id: str, asks: Sequence[Ask], now_ms: int) -> list[Lease]:
        """Lease for all the asks, or for none of them when one window is used up."""

    def give_back(self, unused: Sequence[Unused]) -> None:
        """Count back what was leased and not used; nothing happens to a window that is over."""

    def taken(self, key_ids: Sequence[str], now_ms: int) -> Taken:
        """How much is taken of the windows of this moment."""

    def close(self) -> None:
        """Close the connections."""
