"""How the facts of a key are read from SQLite."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from uuid import UUID

from sqlalchemy.exc import OperationalError

from portal import clock
from portal.extensions import SQLITE_BUSY_MS, create_privately
from portal.services.usage.moments import LAST_MOMENT
from portal.services.verify.key_record import QUERY, VerifiedKey

CACHED_KEYS = 10_000
PAGES = 16
"""Of the database, that a connection keeps in memory."""


class SqliteReader:
    """Reads through a connection of its own, which never writes and which all threads share.

    What it has read it keeps until another connection has committed anything. Threads take
    turns: a read is shorter than a turn of the interpreter's own lock, and each further
    connection would keep the schema, the pages and the keys once more.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._kept: dict[bytes, VerifiedKey] = {}

    def find(self, digest: bytes) -> VerifiedKey | None:
        """The facts of the key with this digest; those read before, if nobody has written since.

        Raises OperationalError when the database can't be read.
        """
        with self._turn:
            try:
                connection = self._connection or self._open()
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != self._version:
                    self._kept.clear()
                    self._version = version
                return self._kept.get(digest) or self._read(connection, digest)
            except sqlite3.Error as error:
                self._close()
                raise OperationalError(None, None, error) from error

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        with self._turn:
            self._close()

    def _open(self) -> sqlite3.Connection:
        with suppress(OSError):  # SQLite says it better
            create_privately(self._path)
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self._connection, self._version = connection, -1  # what fails from here on closes it
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = {PAGES}")
        clock.seen(*(connection.execute(LAST_MOMENT).fetchone() or (0,)))
        return connection

    def _read(self, connection: sqlite3.Connection, digest: bytes) -> VerifiedKey | None:
        row = connection.execute(QUERY.format("?"), (digest,)).fetchone()
        if row is None:
            return None
        if len(self._kept) >= CACHED_KEYS:
            self._kept.clear()
        facts = self._kept[digest] = VerifiedKey._make((str(UUID(row[0])), *row[1:-1], str(UUID(row[-1]))))
        return facts

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
