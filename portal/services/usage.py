"""The use of keys: counted in the process, written in batches.

A check must not pay for a write. Each process collects its calls and writes the sums every
two seconds and when it ends.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, case, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.extensions import db
from portal.models import ApiKey, KeyUsage, KeyUsageHour

PAUSE = 2.0
HOUR_MS = 3_600_000

log = logging.getLogger(__name__)


class UsageCollector:
    """Collects the use of keys in one process; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], list[int]] = {}
        self._last: dict[str, tuple[int, str]] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def note_call(self, key_id: str, address: str, now_ms: int) -> None:
        """Count a call that a key was good for."""
        with self._lock:
            self._count(key_id, now_ms)[0] += 1
            self._last[key_id] = (now_ms, address)
        if self._thread is None:
            self._start()

    def note_refusal(self, key_id: str, now_ms: int) -> None:
        """Count a call by a holder of the secret that was refused."""
        with self._lock:
            self._count(key_id, now_ms)[1] += 1
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Write what was collected; when that fails, keep it for the next time."""
        with self._lock:
            counts, self._counts = self._counts, {}
            last, self._last = self._last, {}
        if not counts:
            return
        try:
            writing = self._engine.connect().execution_options(portal_writes=True)
            with writing as connection, connection.begin():
                _write(connection, counts, last)
        except SQLAlchemyError as error:
            log.warning("use of keys could not be written, kept for later: %s", type(error))
            self._take_back(counts, last)

    def close(self) -> None:
        """Write what is left, and end the thread; a collector that is closed isn't used again."""
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()
        atexit.unregister(self.flush)

    def _count(self, key_id: str, now_ms: int) -> list[int]:
        slot = (key_id, now_ms - now_ms % HOUR_MS)
        count = self._counts.get(slot)
        if count is None:
            count = self._counts[slot] = [0, 0]
        return count

    def _take_back(self, counts: dict[tuple[str, int], list[int]], last: dict[str, tuple[int, str]]) -> None:
        with self._lock:
            for slot, (calls, refused) in counts.items():
                count = self._counts.setdefault(slot, [0, 0])
                count[0] += calls
                count[1] += refused
            self._last = last | self._last

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


def _write(
    connection: Connection,
    counts: dict[tuple[str, int], list[int]],
    last: dict[str, tuple[int, str]],
) -> None:
    hours = [
        {"key_id": UUID(key_id), "hour": clock.from_ms(hour), "calls": calls, "refused": refused}
        for (key_id, hour), (calls, refused) in sorted(counts.items())
    ]
    totals: dict[str, dict[str, Any]] = {}
    for (key_id, _hour), (calls, refused) in sorted(counts.items()):
        total = totals.setdefault(
            key_id,
            {
                "key_id": UUID(key_id),
                "calls": 0,
                "refused": 0,
                "last_used_at": clock.from_ms(last[key_id][0]) if key_id in last else None,
                "last_used_address": last[key_id][1] if key_id in last else None,
            },
        )
        total["calls"] += calls
        total["refused"] += refused
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for model, rows in ((KeyUsage, list(totals.values())), (KeyUsageHour, hours)):
        insert = dialect.insert(model.__table__)
        new, old = insert.excluded, model.__table__.c
        sums = {name: old[name] + new[name] for name in ("calls", "refused")}
        if model is KeyUsage:
            is_later = new.last_used_at > func.coalesce(old.last_used_at, 0)
            sums |= {
                name: case((is_later, new[name]), else_=old[name])
                for name in ("last_used_at", "last_used_address")
            }
        keys = list(model.__table__.primary_key)
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=sums), rows)


def calls_by_day(key_ids: Sequence[UUID], days: int) -> dict[UUID, list[int]]:
    """The calls of each key on each of the last days in UTC, the oldest first, today last."""
    midnight = clock.utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=days - 1)
    found = {key_id: [0] * days for key_id in key_ids}
    rows = db.session.execute(
        select(KeyUsageHour.key_id, KeyUsageHour.hour, KeyUsageHour.calls).where(
            KeyUsageHour.key_id.in_(key_ids), KeyUsageHour.hour >= first
        )
    )
    for key_id, hour, calls in rows:
        day = (hour - first).days
        if day < days:
            found[key_id][day] += calls
    return found


def sums_since(account_id: int, since: datetime) -> tuple[int, int]:
    """The calls and the refusals of all keys of an account since a moment."""
    row = db.session.execute(
        select(
            func.coalesce(func.sum(KeyUsageHour.calls), 0),
            func.coalesce(func.sum(KeyUsageHour.refused), 0),
        )
        .join(ApiKey, ApiKey.id == KeyUsageHour.key_id)
        .where(ApiKey.account_id == account_id, KeyUsageHour.hour >= since)
    ).one()
    return int(row[0]), int(row[1])
