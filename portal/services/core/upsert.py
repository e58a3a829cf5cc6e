"""Inserts that change the row instead when there is one, as each database has them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine

from portal.extensions import Base


def dialect_of(bind: Engine | Connection) -> Any:
    """The module that has the ``insert`` of a database; the other's would take 2 MB of each worker."""
    if bind.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite


def insert_into(connection: Connection, model: type[Base]) -> Any:
    """An INSERT that knows ON CONFLICT, in the words of the connection's database."""
    return dialect_of(connection).insert(model.__table__)
