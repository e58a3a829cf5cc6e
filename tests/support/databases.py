"""A migrated database with nothing in it for each test.

On SQLite it is a copy of one that was migrated once; on PostgreSQL the one of the last test,
emptied, or a copy where a test has changed more than rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import flask_migrate
from sqlalchemy import Connection, MetaData, create_engine, select, text
from sqlalchemy.pool import NullPool

from portal.app import create_app
from portal.extensions import db
from tests.support.postgres import Postgres
from tests.support.recycled import Shape, shape_of, was_emptied
from tests.support.settings import settings_for

Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")
ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "migrations"


@dataclass(frozen=True)
class Database:
    """The database of one test, to look into past the application."""

    kind: Kind
    url: str

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection of its own; what is done in it is committed at once."""
        engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def execute(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run one SQL statement past the application; return the rows, if it has any."""
        with self.connect() as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored, by table, in a stable order."""
        with self.connect() as connection:
            tables = MetaData()
            tables.reflect(connection)
            return {
                table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for table in tables.sorted_tables
            }

    def dump(self) -> str:
        """Everything that is stored as one text, bytes in hexadecimal too, to search for a marker."""
        cells = (cell for rows in self.rows().values() for row in rows for cell in row)
        return "\n".join(
            f"{bytes(cell)!r} {bytes(cell).hex()}" if isinstance(cell, bytes | memoryview) else str(cell)
            for cell in cells
        )


class Databases:
    """Where the databases of a test run come from; one of them for each process of it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._count = 0
        self._spare: list[tuple[str, Shape]] = []

    @cached_property
    def postgres(self) -> Postgres:
        """The PostgreSQL of this run, started when it is first needed."""
        server = Postgres()
        server.start()
        return server

    def stop(self) -> None:
        """Stop the PostgreSQL, if it was needed."""
        if "postgres" in self.__dict__:
            self.postgres.stop()

    @contextmanager
    def migrated(self, kind: Kind) -> Iterator[Database]:
        """Give a database with the newest tables and nothing in them."""
        if kind == "sqlite":
            copy = self._home / f"{self._next_name()}.db"
            shutil.copy(self._sqlite_template, copy)
            yield Database(kind, f"sqlite:///{copy}")
            _remove_sqlite(copy)
        else:
            name, shape = self._spare.pop() if self._spare else self._new_copy()
            yield Database(kind, self.postgres.url(name))
            with self.postgres.connect(name) as connection:
                is_clean = was_emptied(connection, shape)
            if is_clean:
                self._spare.append((name, shape))
            else:
                self.postgres.drop(name)

    @contextmanager
    def empty(self, kind: Kind) -> Iterator[Database]:
        """Give a database without any table, for the tests of the migrations."""
        name = self._next_name()
        if kind == "sqlite":
            path = self._home / f"{name}.db"
            yield Database(kind, f"sqlite:///{path}")
            _remove_sqlite(path)
        else:
            yield Database(kind, self.postgres.create(name))
            self.postgres.drop(name)

    @contextmanager
    def copy(self, database: Database) -> Iterator[Database]:
        """Give a copy of a PostgreSQL database that nobody is connected to."""
        name = self._next_name()
        yield Database("postgresql", self.postgres.create(name, database.url.rpartition("/")[2]))
        self.postgres.drop(name)

    def _new_copy(self) -> tuple[str, Shape]:
        name = self._next_name()
        self.postgres.create(name, self._postgres_template)
        with self.postgres.connect(name) as connection:
            return name, shape_of(connection)

    @cached_property
    def _sqlite_template(self) -> Path:
        path = self._home / "template.db"
        upgrade(f"sqlite:///{path}", self._home / "template-sqlite")
        return path

    @cached_property
    def _postgres_template(self) -> str:
        url = self.postgres.create("portal_template")
        upgrade(url, self._home / "template-postgresql")
        return "portal_template"

    def _next_name(self) -> str:
        self._count += 1
        return f"portal_{self._count}"


def upgrade(url: str, instance: Path, revision: str = "head") -> None:
    """Bring a database to a revision, as ``flask db upgrade`` does."""
    _migrate(flask_migrate.upgrade, url, instance, revision)


def downgrade(url: str, instance: Path, revision: str) -> None:
    """Take a database back to a revision, as ``flask db downgrade`` does."""
    _migrate(flask_migrate.downgrade, url, instance, revision)


def _migrate(step: Any, url: str, instance: Path, revision: str) -> None:
    app = create_app(settings_for(url, instance))
    flask_migrate.Migrate(app, db, str(MIGRATIONS))
    with app.app_context():
        try:
            step(revision=revision)
        finally:
            for engine in db.engines.values():
                engine.dispose()


def _remove_sqlite(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
