"""How the facts of a key are read from PostgreSQL; loaded only where that is the database."""

from __future__ import annotations

from uuid import UUID

import psycopg
from sqlalchemy.exc import OperationalError

from portal.services.verification import QUERY, KeyFacts


class PostgresReader:
    """Reads with one prepared statement; connects again, once, when the connection is gone."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._query = QUERY.format("%s")
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def kept(self, _key_id: str) -> KeyFacts | None:
        """Nothing: every check reads."""
        return None

    def read(self, key_id: str) -> KeyFacts | None:
        """The facts, read now, or None for a key that is not there.

        Raises OperationalError when the database can't be read.
        """
        try:
            try:
                return self._read(key_id)
            except psycopg.OperationalError:
                self.close()
                return self._read(key_id)
        except psycopg.Error as error:
            raise OperationalError(None, None, error) from error

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    __del__ = close

    def _read(self, key_id: str) -> KeyFacts | None:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._conninfo, autocommit=True, connect_timeout=5, prepare_threshold=0
            )
        row = self._connection.execute(self._query, (UUID(key_id),), prepare=True, binary=True).fetchone()
        return KeyFacts(key_id, *row) if row else None  # type: ignore[arg-type]  # as QUERY has them
