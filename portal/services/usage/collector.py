"""The use of keys: counted in the process, written in batches.

A check must not pay for a write. Each process collects its calls and writes the sums every
two seconds and when it ends. What it collects is bounded: of the addresses of a key only the
newest few are told apart, however many a holder calls from.
"""

from __future__ import annotations

import atexit
import logging
import threading
from datetime import datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from portal.extensions import db
from portal.models import ApiKey, KeyUsageHour
from portal.services.core import trouble
from portal.services.usage.batch import HOUR_MS, MINUTE_MS, Batch, Slot, Use, add_up, fold_ip_addresses, write
from portal.services.usage.refusals import UNKNOWN_HOW, Circumstances, RecentRefusals

PAUSE = 2.0
MOST_SLOTS = 10_000
"""Slots of key, hour and address that are kept before addresses are folded together."""

log = logging.getLogger(__name__)


class UsageCollector:
    """Collects the use of keys in one process; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._calls: dict[Slot, Use] = {}
        self._refusals: dict[Slot, int] = {}
        self._recent = RecentRefusals()
        self._room = MOST_SLOTS
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def note_call(self, key_id: str, ip_address: str, now_ms: int) -> None:
        """Count a call that a key was good for."""
        slot = (key_id, now_ms - now_ms % HOUR_MS, ip_address)
        with self._lock:
            use = self._calls.get(slot)
            if use is None:
                use = self._new_use(slot)
            use[0] += 1
            use[2] = use[2] + 1 if now_ms // MINUTE_MS == use[1] // MINUTE_MS else 1
            use[1] = now_ms
        if self._thread is None:
            self._start()

    def note_refusal(self, key_id: str, now_ms: int, reason: str, how: Circumstances = UNKNOWN_HOW) -> None:
        """Count a call by a holder of the secret that was refused; the reason is the error's code."""
        slot = (key_id, now_ms - now_ms % HOUR_MS, reason)
        with self._lock:
            self._refusals[slot] = self._refusals.get(slot, 0) + 1
            self._recent.note(key_id, now_ms, reason, how)
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Write what was collected; when that fails, keep it for the next time."""
        with self._lock:
            batch = Batch(self._calls, self._refusals, self._recent.take())
            self._calls, self._refusals = {}, {}
            self._room = MOST_SLOTS
        if not batch.calls and not batch.refusals:
            return
        try:
            writing = self._engine.connect().execution_options(portal_writes=True)
            with writing as connection, connection.begin():
                write(connection, batch)
        except SQLAlchemyError as error:
            if isinstance(error, DBAPIError):
                trouble.note(self._engine, error)
            log.warning("use of keys could not be written, kept for later: %s", trouble.words_of(error))
            self._take_back(batch)

    def close(self) -> None:
        """Write what is left, and end the thread; a collector that is closed isn't used again."""
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()
        atexit.unregister(self.flush)

    def _new_use(self, slot: Slot) -> Use:
        """Make room for a slot; the lock is held. Folding is rare: each time there is more room."""
        if len(self._calls) >= self._room:
            self._fold()
        use = self._calls[slot] = [0, 0, 0]
        return use

    def _fold(self) -> None:
        self._calls = fold_ip_addresses(self._calls)
        self._room = max(MOST_SLOTS, 2 * len(self._calls))

    def _take_back(self, batch: Batch) -> None:
        with self._lock:
            for slot, use in batch.calls.items():
                add_up(self._calls.setdefault(slot, [0, 0, 0]), use)
            for slot, refused in batch.refusals.items():
                self._refusals[slot] = self._refusals.get(slot, 0) + refused
            self._recent.take_back(batch.recent)
            self._fold()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self._thread.start()
        atexit.register(self.flush)

    def _run(self) -> None:
        while not self._wake.wait(PAUSE):
            self.flush()


def sums_since(account_id: int, since: datetime, *, until: datetime | None = None) -> tuple[int, int]:
    """The calls and the refusals of all keys of an account since a moment, or from one to another."""
    counted = [ApiKey.account_id == account_id, KeyUsageHour.hour >= since]
    if until is not None:
        counted.append(KeyUsageHour.hour < until)
    row = db.session.execute(
        select(
            func.coalesce(func.sum(KeyUsageHour.calls), 0), func.coalesce(func.sum(KeyUsageHour.refused), 0)
        )
        .join(ApiKey, ApiKey.id == KeyUsageHour.key_id)
        .where(*counted)
    ).one()
    return int(row[0]), int(row[1])
