"""How the facts of a key are read from PostgreSQL; loaded only where that is the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.exc import OperationalError

from portal.services.verification import BY_DIGEST, BY_ID, QUERY, KeyFacts


class PostgresReader:
    """Reads with one prepared statement; connects again, once, when the connection is gone."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        """``arguments`` are those of the driver, as SQLAlchemy reads them out of the database's URL."""
        self._arguments = {"connect_timeout": 5, **arguments}
        self._by_id, self._by_digest = (QUERY.format(by).format("%s") for by in (BY_ID, BY_DIGEST))
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def kept(self, _asked: str | bytes) -> KeyFacts | None:
        """Nothing: every check reads."""
        return None

    def read(self, key_id: str) -> KeyFacts | None:
        """The facts, read now, or None for a key that is not there.

        Raises OperationalError when the database can't be read.
        """
        return self._read_twice(self._by_id, UUID(key_id))

    def read_digest(self, digest: bytes) -> KeyFacts | None:
        """The facts of the key with this digest; else as :meth:`read`."""
        return self._read_twice(self._by_digest, digest)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    __del__ = close

    def _read_twice(self, query: str, value: UUID | bytes) -> KeyFacts | None:
        try:
            try:
                return self._read(query, value)
            except psycopg.OperationalError:
                self.close()
                return self._read(query, value)
        except psycopg.Error as error:
            raise OperationalError(None, None, error) from error

    def _read(self, query: str, value: UUID | bytes) -> KeyFacts | None:
        if self._connection is None:
            self._connection = psycopg.connect(**self._arguments, autocommit=True, prepare_threshold=0)
        row = self._connection.execute(query, (value,), prepare=True, binary=True).fetchone()
        return KeyFacts(str(row[0]), *row[1:]) if row else None  # type: ignore[arg-type]  # as QUERY has them
