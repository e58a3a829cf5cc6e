"""A successor goes on with the calls of the key that it replaces: both are counted in one place.

Successors from before keep a place of their own. The column is added with plain SQL, so that
SQLite keeps the table; the triggers that have to know it are made again.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from alembic import op

from migrations.leftovers import add_column, drop_column

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMN = "counted_with_id"
KINDS = {"sqlite": "CHAR(32)", "postgresql": "UUID"}
ELSEWHERE = (
    "(NEW.counted_with_id IS NOT NULL AND NEW.counted_with_id IS DISTINCT FROM"
    " (SELECT COALESCE(c.counted_with_id, c.id) FROM api_keys c WHERE c.id = NEW.replaces_id))"
)
MORE = {
    "api_keys_immutable": f"NEW.{COLUMN} IS DISTINCT FROM OLD.{COLUMN}",
    "api_keys_successor": ELSEWHERE,
}


def guards_of_0003() -> ModuleType:
    """The revision whose triggers are made again."""
    spec = importlib.util.spec_from_file_location("doors", Path(__file__).with_name("0003_doors.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_again(*, with_column: bool) -> None:
    older = guards_of_0003()
    known = {name: (event, condition, message) for name, event, condition, message in older.NEWER + older.NEW}
    for name, addition in MORE.items():
        event, condition, message = known[name]
        older.make_guard(name, event, f"({condition}) OR {addition}" if with_column else condition, message)


def upgrade() -> None:
    add_column("api_keys", COLUMN, KINDS[op.get_bind().dialect.name])
    make_again(with_column=True)


def downgrade() -> None:
    make_again(with_column=False)
    drop_column("api_keys", COLUMN)
