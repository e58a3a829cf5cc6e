"""A database for each contestant, on SQLite or on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

KINDS = ("sqlite", "postgresql")
MOST_CONNECTIONS = "500"


class Databases(Protocol):
    """Makes databases."""

    def create(self, name: str) -> str:
        """Make an empty database; its address as SQLAlchemy wants it."""


class SqliteDatabases:
    """One file for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str) -> str:
        """The address of a file that is not there yet."""
        return f"sqlite:///{self._folder / name}.db"


@contextmanager
def open_databases(kind: str, folder: Path) -> Iterator[Databases]:
    """Offer databases of a kind for as long as the block runs."""
    if kind == "sqlite":
        yield SqliteDatabases(folder)
        return
    from tests.support import postgres  # noqa: PLC0415  # needs what SQLite does not

    postgres.OPTIONS["max_connections"] = MOST_CONNECTIONS
    server = postgres.Postgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()
