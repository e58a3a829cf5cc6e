"""Whether the portal can serve: its database answers, and is what the portal relies on.

That the tables are there says little. A trigger may be gone, a default of the server may take
the ground from under a lock, and somebody may have written past all rules. So a probe compares
the guards with what they must be, and looks for rows that break a rule: not each time, but
often enough, and each time while something is wrong.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from portal import clock
from portal.extensions import db
from portal.models.guards import REVISION
from portal.services.core.trouble import Readiness, lately, note
from portal.services.keys.peppers import Ring, WrongPepper, require_ring
from portal.services.system.broken_rules import broken_rules, is_too_slow, within
from portal.services.system.guard_check import differences
from portal.services.usage import moments

WRITTEN_EVERY = 10.0
GUARDS_EVERY = 60.0
ROWS_EVERY = 600.0
"""Seconds between two looks of one process."""
DAY_MS = 24 * 60 * 60 * 1000
_POSTGRESQL = """
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
       current_setting('transaction_isolation') = 'read committed'
       AND current_setting('session_replication_role') = 'origin'
"""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Looks:
    """When what is not looked at each time was last found well in this process, and what was found."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    written_at: float = float("-inf")
    guards_at: float = float("-inf")
    rows_at: float = float("-inf")
    found: Readiness = Readiness.READY


_looks: WeakKeyDictionary[Engine, _Looks] = WeakKeyDictionary()


def readiness(ring: Ring) -> Readiness:
    """Ask the database, now; what takes longer is asked in its time. What is wrong is logged.

    ``ring`` are the peppers of this process.
    """
    looks = _looks.setdefault(db.engine, _Looks())
    try:
        with db.engine.connect() as connection:
            found = _plain(connection) or _due(connection, looks, ring)
        if found is Readiness.READY:
            _write_if_due(looks)
    except DBAPIError as error:
        looks.written_at = float("-inf")
        return note(db.engine, error)
    return (lately(db.engine) or found) if found is Readiness.READY else found


def unsafe_settings(connection: Connection) -> Readiness | None:
    """What is wrong with how the database is set up, for this connection; None when all is well."""
    if connection.dialect.name == "postgresql":
        is_read_only, is_safe = connection.execute(text(_POSTGRESQL)).one()
    else:
        is_read_only = bool(_pragma(connection, "query_only"))
        is_safe = (
            _pragma(connection, "journal_mode") == "wal"
            and _pragma(connection, "foreign_keys") == 1
            and int(str(_pragma(connection, "synchronous"))) >= 2
            and _pragma(connection, "ignore_check_constraints") == 0
        )
    if is_read_only:
        return Readiness.READ_ONLY
    return None if is_safe else Readiness.UNSAFE


def is_at_newest(connection: Connection) -> bool:
    """Whether the tables are those that the newest migration leaves."""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [REVISION]


def _plain(connection: Connection) -> Readiness | None:
    """What costs nothing to ask."""
    unsafe = unsafe_settings(connection)
    if unsafe is not None:
        return unsafe
    return None if is_at_newest(connection) else Readiness.OTHER_SCHEMA


def _write_if_due(looks: _Looks) -> None:
    """Write a row: that a database answers does not say that it takes anything. Raises DBAPIError."""
    now = time.monotonic()
    if now - looks.written_at >= WRITTEN_EVERY:
        looks.written_at = now
        moments.keep_now()


def _due(connection: Connection, looks: _Looks, ring: Ring) -> Readiness:
    """What was found last, looked at again if it is time, or if it was wrong; by one at a time."""
    if not looks.lock.acquire(blocking=False):
        return looks.found
    try:
        looks.found = _look(connection, looks, ring, time.monotonic())
    finally:
        looks.lock.release()
    return looks.found


def _look(connection: Connection, looks: _Looks, ring: Ring, now: float) -> Readiness:
    if now - looks.guards_at >= GUARDS_EVERY:
        found = differences(connection)
        if found:
            log.error("readiness.unguarded", found=found)
            looks.rows_at = float("-inf")  # anything may have been written meanwhile
            return Readiness.UNGUARDED
    is_time_for_rows = now - looks.rows_at >= ROWS_EVERY
    try:
        require_ring(connection, ring, with_keys=is_time_for_rows)
    except WrongPepper as error:
        log.error("readiness.wrong-pepper", why=str(error))  # noqa: TRY400  # where it is raised tells nobody
        return Readiness.WRONG_PEPPER
    looks.guards_at = now
    if is_time_for_rows:
        broken = _broken_rows(connection)
        if broken:
            log.error("readiness.broken-rule", found=broken)
            return Readiness.BROKEN_RULE
        looks.rows_at = now
    return Readiness.READY


def _broken_rows(connection: Connection) -> list[str]:
    """Revocations of the last day, and all that lives; what takes too long is left to a self-check."""
    try:
        with within(connection):
            return list(broken_rules(connection, since_ms=clock.now_ms() - DAY_MS))
    except DBAPIError as error:
        if not is_too_slow(error):
            raise
        log.warning("readiness.rows-not-looked-through", why="there are too many; run selfcheck")
        return []


def _pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()
