"""How the facts of a key are read from PostgreSQL; loaded only where that is the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.extensions import pinned
from portal.services.usage.moments import LAST_MOMENT
from portal.services.verify.key_record import QUERY, VerifiedKey

Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresReader:
    """Reads with one statement, prepared if it can be; safe to share between threads.

    A thread takes the connection that was used last, so there are as few as are needed at once.
    One that has gone is replaced, once. Each read is a transaction of one statement, which sees
    what was committed before it, in every isolation level: none is left open to look at the past.
    """

    def __init__(self, arguments: Mapping[str, Any], *, is_pooled: bool = False) -> None:
        """``arguments`` are those of the driver, as SQLAlchemy reads them out of the database's URL.

        Behind a pooler of transactions the statement is sent whole each time, and not prepared.
        """
        self._arguments = {
            "connect_timeout": 5,
            **arguments,
            "prepare_threshold": 0,
            **pinned(is_pooled=is_pooled),
        }
        self._query = QUERY.format("%s")
        self._idle: deque[Connection] = deque()

    def find(self, digest: bytes) -> VerifiedKey | None:
        """The facts of the key with this digest, read now, or None when there is none.

        Raises OperationalError when the database can't be read.
        """
        try:
            try:
                return self._read(self._idle.pop(), digest)
            except (IndexError, psycopg.OperationalError):
                return self._read(self._connect(), digest)
        except psycopg.Error as error:
            raise OperationalError(None, None, error) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    __del__ = close

    def _connect(self) -> Connection:
        connection = psycopg.connect(**self._arguments, autocommit=True)
        try:
            clock.seen(*(connection.execute(LAST_MOMENT).fetchone() or (0,)))
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, connection: Connection, digest: bytes) -> VerifiedKey | None:
        """Read, and give the connection back; one that fails is closed."""
        try:
            row = connection.execute(self._query, (digest,), binary=True).fetchone()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return VerifiedKey._make((str(row[0]), *row[1:-1], str(row[-1]))) if row else None
