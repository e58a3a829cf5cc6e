"""The last moment that the installation has seen, kept in the database.

It is written with the use of keys and by the jobs, not by each request, and read whenever a
process opens a connection: so a process that starts with a clock that was set back knows it
before it decides anything. See :mod:`portal.clock`.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, case, delete, event
from sqlalchemy.pool import ConnectionPoolEntry

from portal import clock
from portal.extensions import db
from portal.models import Action, LastMoment
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.core.upsert import insert_into

LAST_MOMENT = "SELECT seen_at FROM last_moments"
"""Read when a reader connects, so that its first answer is not of the past."""
NAME = "installation"
KEEP_EVERY = 10.0
"""Seconds between two times that a process keeps the moment without other reason."""

log = structlog.get_logger(__name__)
_kept_at = [float("-inf")]


def watch(engine: Engine) -> None:
    """Let each new connection of an engine tell the last moment; to be called before it connects."""
    event.listen(engine, "connect", _learn)


def keep(connection: Connection) -> None:
    """Write the present moment, unless a later one is known, and take note of that; the caller commits."""
    table = LastMoment.__table__
    moment = clock.from_ms(clock.latest_ms())
    insert = insert_into(connection, LastMoment).values(name=NAME, seen_at=moment)
    later = case((insert.excluded.seen_at > table.c.seen_at, insert.excluded.seen_at), else_=table.c.seen_at)
    statement = insert.on_conflict_do_update(index_elements=[table.c.name], set_={"seen_at": later})
    clock.seen(clock.to_ms(connection.execute(statement.returning(table.c.seen_at)).scalar_one()))


def keep_if_due() -> None:
    """Keep the moment every few seconds, whatever happens; for the jobs. Raises DBAPIError."""
    if time.monotonic() - _kept_at[0] < KEEP_EVERY:
        return
    _kept_at[0] = time.monotonic()
    keep_now()
    behind = clock.behind_ms()
    if behind > clock.LEEWAY_MS:
        log.warning("clock.behind", seconds=behind // 1000, hint="set it right, or see: flask clock")


def keep_now() -> None:
    """Keep the moment in a transaction of its own. Raises DBAPIError."""
    writing = db.engine.connect().execution_options(portal_writes=True)
    with writing as connection, connection.begin():
        keep(connection)


def last_kept() -> int | None:
    """The moment that is kept, in milliseconds. Raises DBAPIError."""
    with db.engine.connect() as connection:
        found = connection.exec_driver_sql(LAST_MOMENT).scalar()
    return None if found is None else int(found)


def put_back(actor: Actor, *, why: str) -> None:
    """Keep what the wall clock says, though a later moment was seen, and record that.

    Whatever ended in between begins again, and a process that runs brings the later moment
    back: so it is for an installation that stands still, whose clock had run ahead.
    """
    kept = last_kept()
    with transaction() as session:
        clock.forget()
        session.execute(delete(LastMoment))
        keep(session.connection())
        was = clock.iso(clock.from_ms(kept)) if kept is not None else None
        audit.log_event(session, actor, Action.CLOCK_PUT_BACK, reason=why, kept=was)


def _learn(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Read the moment from a new connection of either driver; before the migration there is none."""
    cursor = connection.cursor()
    try:
        cursor.execute(LAST_MOMENT)
        row = cursor.fetchone()
    except Exception as error:  # of either driver; what is wrong shows when the connection is used
        if isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
            row = None
        else:
            raise
    finally:
        cursor.close()
        connection.rollback()
    if row is not None:
        clock.seen(int(row[0]))
