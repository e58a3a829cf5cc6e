"""Where the calls of all workers and machines are counted: the project's own database.

What is leased in one window never adds up to more than the limit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection, Engine, bindparam, case, create_engine, event, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from portal import clock
from portal.extensions import engine_options, prepare_engine
from portal.models import CallWindow
from portal.services.calls.leases import Ask, Lease, StoreAway, Taken, Unused, lease_size, window_end
from portal.services.core.trouble import words_of
from portal.services.core.upsert import dialect_of

CONNECTIONS = 5
BUSY_MS = 2000
"""How long a lease waits for a lock, of the file or of the key's rows; then the store is away."""
TRIES = 10
"""Times that a lease is tried; another makes the first rows of a key once."""
CHUNK = 500

table = CallWindow.metadata.tables[CallWindow.__tablename__]
_HURRY = f"""SELECT set_config('synchronous_commit', 'off', true),
       set_config('lock_timeout', '{BUSY_MS}', true),
       set_config('idle_in_transaction_session_timeout', '{5 * BUSY_MS}', true)
"""
_GIVE_BACK = (
    update(table)
    .where(
        table.c.key_id == bindparam("of_key"),
        table.c.span == bindparam("of_span"),
        table.c.starts_at == bindparam("began"),
    )
    .values(taken=table.c.taken - bindparam("amount"))
)


class DatabaseStore:
    """Counts in the project's own database, through connections of its own.

    A request may hold one of the application's; were all of those to wait for a second one,
    none would get it.
    """

    cheap_to_ask = True

    def __init__(self, engine: Engine, *, is_pooled: bool = False) -> None:
        self._engine = create_engine(
            engine.url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            **engine_options(engine.url.render_as_string(hide_password=False), is_pooled=is_pooled),
        )
        prepare_engine(self._engine)
        if engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _hurry_sqlite)
        else:
            event.listen(self._engine, "begin", _hurry_postgresql)
        self._dialect = dialect_of(engine)

    def take(self, key_id: str, asks: Sequence[Ask], now_ms: int) -> list[Lease]:
        """Lease in one short transaction that holds the rows of the key."""
        with self._connect(writes=True) as connection:
            for _ in range(TRIES):
                leases = self._try(connection, UUID(key_id), asks, now_ms)
                if leases is not None:
                    return leases
        raise StoreAway("others count the same calls at every try")

    def give_back(self, unused: Sequence[Unused]) -> None:
        """Count back, all in one transaction, in the order of the keys."""
        rows = [
            {
                "of_key": UUID(each.key_id),
                "of_span": each.span,
                "began": clock.from_ms(each.ends_at - each.span * 1000),
                "amount": each.amount,
            }
            for each in unused
        ]
        with self._connect(writes=True) as connection:
            connection.execute(_GIVE_BACK, rows)
            connection.commit()

    def taken(self, key_ids: Sequence[str], now_ms: int) -> Taken:
        """Read it, without a lock."""
        found: Taken = {}
        with self._connect(writes=False) as connection:
            for first in range(0, len(key_ids), CHUNK):
                ids = [UUID(key_id) for key_id in key_ids[first : first + CHUNK]]
                query = select(table).where(table.c.key_id.in_(ids))
                for key_id, span, starts_at, taken in connection.execute(query):
                    if now_ms < clock.to_ms(starts_at) + span * 1000:
                        found.setdefault(str(key_id), {})[span] = taken
        return found

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _connect(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(portal_writes=writes) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreAway(words_of(error)) from error

    def _try(
        self, connection: Connection, key_id: UUID, asks: Sequence[Ask], now_ms: int
    ) -> list[Lease] | None:
        """Lease once. None, with nothing done, when another has made the key's first rows just now."""
        with connection.begin() as work:
            counts = _read(connection, key_id, now_ms)
            leases = [_plan(ask, *counts.get(ask.span, (window_end(now_ms, ask.span), 0))) for ask in asks]
            if any(lease.granted == 0 for lease in leases):
                work.rollback()
                return [
                    lease._replace(granted=0, rest=lease.rest + lease.granted, owed=ask.owed)
                    for lease, ask in zip(leases, asks, strict=True)
                ]
            if self._write(connection, key_id, leases, asks):
                return leases
            work.rollback()
        return None

    def _write(
        self, connection: Connection, key_id: UUID, leases: Sequence[Lease], asks: Sequence[Ask]
    ) -> bool:
        """Count the leases; whether the counts are what they were planned to be."""
        insert = self._dialect.insert(table)
        new, old = insert.excluded, table.c
        is_current = old.starts_at == new.starts_at
        statement = insert.on_conflict_do_update(
            index_elements=[old.key_id, old.span],
            set_={
                "starts_at": new.starts_at,
                "taken": case((is_current, old.taken + new.taken), else_=new.taken),
            },
        ).returning(old.span, old.taken)
        rows = [
            {
                "key_id": key_id,
                "span": lease.span,
                "starts_at": clock.from_ms(lease.ends_at - lease.span * 1000),
                "taken": lease.granted + ask.owed,
            }
            for lease, ask in zip(leases, asks, strict=True)
        ]
        planned = {lease.span: ask.limit - lease.rest for lease, ask in zip(leases, asks, strict=True)}
        return all(taken == planned[span] for span, taken in connection.execute(statement.values(rows)).all())


def _read(connection: Connection, key_id: UUID, now_ms: int) -> dict[int, tuple[int, int]]:
    """By span: the end of the window that is on, and what is taken of it; locks the rows.

    A machine whose clock is ahead may have begun the next window already; then that one counts.
    """
    query = select(table).where(table.c.key_id == key_id).order_by(table.c.span).with_for_update()
    found = {}
    for row in connection.execute(query):
        ends_at = clock.to_ms(row.starts_at) + row.span * 1000
        end = window_end(now_ms, row.span)
        found[row.span] = (ends_at, row.taken) if end <= ends_at <= end + row.span * 1000 else (end, 0)
    return found


def _plan(ask: Ask, ends_at: int, taken: int) -> Lease:
    left = max(0, ask.limit - taken - ask.owed)
    granted = lease_size(left)
    return Lease(ask.span, ends_at, granted, left - granted)


def _hurry_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    """Wait briefly for the lock, and not for the disk: a power cut may forget the last leases."""
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA synchronous = NORMAL")


def _hurry_postgresql(connection: Connection) -> None:
    """The same; and whoever stands still with a key's rows in hand holds up nobody for long.

    For this transaction only: a pooler before the server may give the session to somebody else
    after it, whose revocation would not wait for the disk either.
    """
    connection.exec_driver_sql(_HURRY)
