"""How the facts of a key are read from PostgreSQL; loaded only where that is the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy.exc import OperationalError

from portal.services.verification import QUERY, KeyFacts


class PostgresReader:
    """Reads with one prepared statement; connects again, once, when the connection is gone."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        """``arguments`` are those of the driver, as SQLAlchemy reads them out of the database's URL."""
        self._arguments = {"connect_timeout": 5, **arguments}
        self._query = QUERY.format("%s")
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def find(self, digest: bytes) -> KeyFacts | None:
        """The facts of the key with this digest, read now, or None when there is none.

        Raises OperationalError when the database can't be read.
        """
        try:
            try:
                return self._read(digest)
            except psycopg.OperationalError:
                self.close()
                return self._read(digest)
        except psycopg.Error as error:
            raise OperationalError(None, None, error) from error

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    __del__ = close

    def _read(self, digest: bytes) -> KeyFacts | None:
        if self._connection is None:
            self._connection = psycopg.connect(**self._arguments, autocommit=True, prepare_threshold=0)
        row = self._connection.execute(self._query, (digest,), prepare=True, binary=True).fetchone()
        return KeyFacts(str(row[0]), *row[1:]) if row else None  # type: ignore[arg-type]  # as QUERY has them
