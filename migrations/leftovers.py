"""How a revision is made where a newer state has left something behind.

A dump of an older state that was restored over a newer one takes its own tables back, and leaves
the newer tables, columns and functions where they are. What a revision makes, it makes whether it
is there or not. The tables of the first revision are the exception: nothing is made over them.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from alembic import op


def now_ms() -> int:
    """Milliseconds since the epoch, as the tables keep a moment."""
    return time.time_ns() // 1_000_000


def make_table(name: str, *items: Any) -> None:
    """Create a table, in the place of one that a newer state has left: its rows belong to that state."""
    op.drop_table(name, if_exists=True)
    op.create_table(name, *items)


def add_column(table: str, name: str, definition: str) -> None:
    """Add a column with plain SQL (so that SQLite keeps the table and its triggers), unless it is there."""
    if name not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")


def drop_column(table: str, name: str) -> None:
    """Drop a column, if it is there."""
    if name in {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")


def drop_guard(name: str, table: str) -> None:
    """Drop a trigger and, on PostgreSQL, its function, if they are there."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER IF EXISTS {name}")
        return
    op.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
    op.execute(f"DROP FUNCTION IF EXISTS {name}()")
