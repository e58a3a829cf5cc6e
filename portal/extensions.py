"""The extensions, unbound. Imports nothing of the portal."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import Any, cast

from flask import current_app
from flask_babel import Babel
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from werkzeug.local import LocalProxy

from config import Settings

SQLITE_BUSY_MS = 10_000
PINNED = {"target_session_attrs": "read-write", "client_encoding": "utf8"}
"""What libpq is told: it connects to no standby and to nothing that is read-only, and speaks UTF-8."""


class Base(DeclarativeBase):
    """What every model derives from; constraints are named so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(metadata=Base.metadata)
login_manager = LoginManager()
babel = Babel()

settings: Settings = cast(Settings, LocalProxy(lambda: current_app.config["PORTAL"]))
"""The settings of the application that is in context."""


def pinned(*, is_pooled: bool) -> dict[str, Any]:
    """What the driver is told, whoever connects.

    Behind a pooler that gives each transaction another session, no statement is prepared: the next
    session does not know it, or knows another one by its name.
    """
    return {**PINNED, "prepare_threshold": None} if is_pooled else dict(PINNED)


def engine_options(url: str, *, is_pooled: bool = False) -> dict[str, Any]:
    """How an engine is made for this address, whatever it, the server or its role have for defaults.

    On PostgreSQL each transaction is READ COMMITTED, which the locks of the rules rest on, and
    a server that takes no writes (a standby) is not connected to.
    """
    options: dict[str, Any] = {"hide_parameters": True, "pool_pre_ping": True}
    if make_url(url).get_backend_name() == "postgresql":
        options |= {"isolation_level": "READ COMMITTED", "connect_args": pinned(is_pooled=is_pooled)}
    return options


def prepare_engine(engine: Engine) -> None:
    """Make an engine keep SQLite's promises; to be called before it connects."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _create_sqlite)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def create_privately(path: str) -> None:
    """Create an empty file for its user alone, unless it is there; SQLite goes by its mode for the others."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _create_sqlite(_dialect: object, _record: object, arguments: list[Any], _named: object) -> None:
    """Let no other user read a database that is about to be created."""
    with suppress(OSError):  # SQLite says it better
        create_privately(str(arguments[0]))


def _prepare_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    """Give each SQLite connection the pragmas without which it loses updates."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin a writing transaction with the write lock in hand, a reading one without it."""
    writes = connection.get_execution_options().get("portal_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
