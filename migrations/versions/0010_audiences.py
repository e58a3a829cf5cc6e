"""A key may be bound to audiences, and a service key has one: who may ask about whose keys.

The column is added with plain SQL, so that SQLite keeps the table; the triggers that have to know
it are made again, and are those of 0007 with one condition more.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from alembic import op

from migrations.leftovers import add_column, drop_column, now_ms

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CHECK = "kind <> 'service' OR replace(audiences, ' ', '') = audiences"
DEFINITION = f"VARCHAR(500) NOT NULL DEFAULT '' CONSTRAINT ck_api_keys_audiences CHECK ({CHECK})"
OUTSIDE = {
    "sqlite": (
        "EXISTS (SELECT 1 FROM json_each('[\"' || replace(NEW.audiences, ' ', '\",\"') || '\"]') n"
        " WHERE instr(' ' || k.audiences || ' ', ' ' || n.value || ' ') = 0)"
    ),
    "postgresql": "NOT string_to_array(NEW.audiences, ' ') <@ string_to_array(k.audiences, ' ')",
}
"""Whether one audience of the new key is none of its maker's."""
DOWNGRADED = "An older portal, which the database was made ready for, knows nothing of audiences."


def past(name: str) -> ModuleType:
    """An older revision, whose triggers are made again."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def upgrade() -> None:
    add_column("api_keys", "audiences", DEFINITION)
    older, between = past("0003_doors"), past("0007_counted_with")
    outside = OUTSIDE[op.get_bind().dialect.name]
    wider = (
        "NEW.made_by_key_id IS NOT NULL AND EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.made_by_key_id"
        f" AND k.audiences <> '' AND (NEW.audiences = '' OR {outside}))"
    )
    unlike = (
        "NEW.replaces_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k"
        " WHERE k.id = NEW.replaces_id AND k.audiences = NEW.audiences)"
    )
    more = {
        "api_keys_immutable": (
            f"{between.MORE['api_keys_immutable']} OR NEW.audiences IS DISTINCT FROM OLD.audiences"
        ),
        "api_keys_successor": f"{between.MORE['api_keys_successor']} OR ({unlike})",
        "api_keys_maker": wider,
    }
    for name, event, condition, message in (*older.NEWER, *older.NEW):
        if name in more:
            older.make_guard(name, event, f"({condition}) OR {more[name]}", message)


def downgrade() -> None:
    older = past("0003_doors")
    older.revoke("audiences <> ''", str(now_ms()), "operator", why=DOWNGRADED)
    for name, event, condition, message in older.NEWER:
        if name == "api_keys_maker":
            older.make_guard(name, event, condition, message)
    past("0007_counted_with").make_again(with_column=True)
    drop_column("api_keys", "audiences")
