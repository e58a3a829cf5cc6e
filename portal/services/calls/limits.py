"""How many calls a key may make in a minute and in a day: exact in total, cheap at each call.

Every process takes small leases out of the shared count and spends them from memory; see
docs/decisions/0010-call-limits.md. Windows are fixed: minutes and days of UTC.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import Engine

from config import Settings
from portal import clock
from portal.services.calls.database_store import DatabaseStore
from portal.services.calls.leases import (
    DAY,
    LOOK_AGAIN_MS,
    MINUTE,
    UNLIMITED,
    Allowance,
    Ask,
    CallStore,
    Held,
    Lease,
    StoreAway,
    Unused,
    lease_size,
    window_end,
)
from portal.services.calls.library_store import LibraryStore
from portal.services.calls.rates import Rates, narrowed, rates_by_role
from portal.services.core.trouble import tell_swallowed

PAUSE = 2.0
"""Seconds between two looks at what is held and not used."""
FORGET_MS = 10 * 60 * 1000
"""A key that rests for so long is given back all that is held for it."""
QUEUES = 4
"""How many leases one process asks for at once; those of one key stand in one queue."""

log = logging.getLogger(__name__)


class LimitedKey(Protocol):
    """What has to be known of a key and its owner; the numbers are the key's own, if it has any."""

    @property
    def counted_as(self) -> str:
        """The id, a canonical UUID, of the first key of its line: a rotation renews no calls."""

    @property
    def role(self) -> str:
        """The owner's role, as it is now."""

    @property
    def calls_per_minute(self) -> int | None:
        """The key's own limit, fixed when it was made."""

    @property
    def calls_per_day(self) -> int | None:
        """The same for a day."""


class CallLimits:
    """Says of each good call whether it is within its key's limits; safe to share between threads."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        """Raises ConfigurationError for a store that can't be used."""
        self._enabled = settings.limits_enabled
        self._rates = rates_by_role(settings)
        self._store: CallStore = (
            LibraryStore(settings.limits_store.get_secret_value())
            if settings.limits_store
            else DatabaseStore(engine, is_pooled=settings.is_pooled)
        )
        self._lock = threading.Lock()
        self._queues = tuple(threading.Lock() for _ in range(QUEUES))
        self._held: dict[str, Held] = {}
        self._away_until = 0
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, facts: LimitedKey, now_ms: int) -> Allowance:
        """Count one call of a key, unless that would be above one of its limits."""
        if not self._enabled:
            return UNLIMITED
        with self._lock:
            held = self._held.get(facts.counted_as)
            allowance = held.spend(now_ms) if held is not None else None
        return allowance or self._lease_and_spend(facts, now_ms)

    def would_take(self, facts: LimitedKey, now_ms: int) -> bool | None:
        """Whether :meth:`take` would count a call now; nothing is counted. None while the store is away."""
        if not self._enabled:
            return True
        with self._lock:
            held = self._held.get(facts.counted_as)
            windows = (held.minute, held.day) if held else ()
            closed = {MINUTE, DAY} - {window.span for window in windows if window.is_open(now_ms)}
            is_refused = held is not None and now_ms < held.look_again_at
        if not closed or is_refused:
            return not closed
        try:
            taken = self._store.taken([facts.counted_as], now_ms).get(facts.counted_as, {})
        except StoreAway as error:
            tell_swallowed(error, "it is not told whether a call would be taken")
            return None
        rates = self.rates_of(facts.role, facts.calls_per_minute, facts.calls_per_day)
        most = {MINUTE: rates.per_minute, DAY: rates.per_day}
        return all(taken.get(span, 0) < most[span] for span in closed)

    @property
    def enabled(self) -> bool:
        """Whether anything is limited here."""
        return self._enabled

    def rates_of(self, role: str, per_minute: int | None, per_day: int | None) -> Rates:
        """The limits of a key whose owner has this role."""
        return narrowed(self._rates[role], per_minute, per_day)

    def give_back(self) -> None:
        """Give back what others may be waiting for, and what is held for keys that rest."""
        now_ms = clock.now_ms()
        with self._lock:
            everything = list(self._held.items())
        resting = {key_id for key_id, held in everything if held.used_at < now_ms - FORGET_MS}
        holding = [
            key_id for key_id, held in everything if held.minute.is_open(now_ms) or held.day.is_open(now_ms)
        ]
        try:
            taken = self._store.taken(holding, now_ms) if self._store.cheap_to_ask else None
        except StoreAway as error:
            tell_swallowed(error, "what is held stays held")
            return
        unused: list[Unused] = []
        for key_id, held in everything:
            counts = None if taken is None or key_id in resting else taken.get(key_id, {})
            unused += self._let_go(key_id, held, counts, now_ms)
            if key_id in resting:
                self._forget(key_id, held)
        self._return(unused)

    def close(self) -> None:
        """Give back all that is held and end the thread; not to be used again."""
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            atexit.unregister(self._give_back_all)
        self._give_back_all()
        self._store.close()

    def _lease_and_spend(self, facts: LimitedKey, now_ms: int) -> Allowance:
        """Fill up from the store, one thread for each key at a time."""
        if self._thread is None:
            self._start()
        with self._queue(facts.counted_as):
            with self._lock:
                held = self._held.setdefault(facts.counted_as, Held())
                held.set_rates(self.rates_of(facts.role, facts.calls_per_minute, facts.calls_per_day))
                allowance = held.spend(now_ms)
                if allowance:
                    return allowance
                asks = held.asks(now_ms)
            leases = self._lease(facts.counted_as, asks, now_ms)
            with self._lock:
                held.receive(leases, now_ms)
                allowance = held.spend(now_ms)
        assert allowance, "what was leased can be spent, what was not is refused"
        return allowance

    def _lease(self, key_id: str, asks: list[Ask], now_ms: int) -> list[Lease]:
        if now_ms >= self._away_until:
            try:
                return self._store.take(key_id, asks, now_ms)
            except StoreAway as error:
                self._away_until = now_ms + LOOK_AGAIN_MS
                log.warning("call limits: the store is away, each process lends a little: %s", error)
        return [_lend(ask, now_ms) for ask in asks]

    def _let_go(self, key_id: str, held: Held, taken: Mapping[int, int] | None, now_ms: int) -> list[Unused]:
        """Stop holding what is more than the rest that is shared; all of it with ``taken`` None."""
        unused = []
        with self._queue(key_id), self._lock:
            for window in (held.minute, held.day):
                rest = 0 if taken is None else window.limit - taken.get(window.span, 0)
                if window.is_open(now_ms) and window.left > rest:
                    unused.append(Unused(key_id, window.span, window.ends_at, window.empty()))
        return unused

    def _return(self, unused: list[Unused]) -> None:
        if not unused:
            return
        try:
            self._store.give_back(sorted(unused))
        except StoreAway as error:
            log.warning("call limits: unused calls could not be given back: %s", error)

    def _forget(self, key_id: str, held: Held) -> None:
        with self._queue(key_id), self._lock:
            if not held.minute.left and not held.day.left and self._held.get(key_id) is held:
                del self._held[key_id]

    def _give_back_all(self) -> None:
        now_ms = clock.now_ms()
        unused: list[Unused] = []
        for key_id, held in list(self._held.items()):
            unused += self._let_go(key_id, held, None, now_ms)
        self._return(unused)

    def _queue(self, key_id: str) -> threading.Lock:
        return self._queues[hash(key_id) % QUEUES]

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="call-limits", daemon=True)
        self._thread.start()
        atexit.register(self._give_back_all)

    def _run(self) -> None:
        while not self._wake.wait(PAUSE):
            self.give_back()


def _lend(ask: Ask, now_ms: int) -> Lease:
    """What a process allows by itself while the store is away: once so much in each window."""
    granted = 0 if ask.owed else lease_size(ask.limit)
    return Lease(ask.span, window_end(now_ms, ask.span), granted, 0, ask.owed or granted)
