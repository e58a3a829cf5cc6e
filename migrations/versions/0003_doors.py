"""The life of a key after its creation: conditions, rotation, limits, use in detail, promises.

Columns are added with plain SQL and not in a batch, so that SQLite keeps the table and its
triggers; those that have to know the new columns are made again.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import sqlalchemy as sa
from alembic import op

from migrations.leftovers import add_column, drop_column, drop_guard, make_table, now_ms

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger()
WORD = sa.String(40)

COLUMNS = (
    ("kind", "VARCHAR(40) NOT NULL DEFAULT 'account'", "kind IN ('account', 'service')"),
    ("environment", "VARCHAR(40)", "environment IN ('live', 'test')"),
    ("networks", "VARCHAR(2000) NOT NULL DEFAULT ''", None),
    ("not_before", "BIGINT", "not_before < expires_at"),
    ("max_idle", "INTEGER", "max_idle >= 3600"),
    ("calls_per_minute", "INTEGER", "calls_per_minute > 0"),
    ("calls_per_day", "INTEGER", "calls_per_day > 0"),
    ("note", "VARCHAR(500) NOT NULL DEFAULT ''", None),
    ("retires_at", "BIGINT", "retires_at <= expires_at"),
)
DOWNGRADED = "An older portal, which the database was made ready for, can't hold what the key is bound to."
FIXED = tuple(name for name, *_ in COLUMNS if name != "retires_at")


def guards_of_0002() -> ModuleType:
    """The revision before this one, whose triggers are made again."""
    spec = importlib.util.spec_from_file_location("guards", Path(__file__).with_name("0002_guards.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def level_of(role: str) -> str:
    levels = {"user": 4, "tester": 4, "curator": 5, "bughunter": 6, "support": 8, "admin": 9}
    cases = " ".join(f"WHEN '{name}' THEN {level}" for name, level in levels.items())
    return f"CASE {role} {cases} END"


IMMUTABLE = (
    "id", "account_id", "name", "level", "digest", "pepper_id", "nonce", "made_by_key_id",
    "replaces_id", "created_at", "expires_at", *FIXED,
)  # fmt: skip
CHANGED = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in IMMUTABLE)
ABOVE_OWNER = (
    "NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = NEW.account_id AND a.status = 1"
    f" AND a.consent <> 0 AND NEW.level <= {level_of('a.role')}"
    " AND (NEW.kind = 'account' OR a.role = 'admin'))"
)
ABOVE_MAKER = (
    "NEW.made_by_key_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k"
    " WHERE k.id = NEW.made_by_key_id AND k.account_id = NEW.account_id AND k.kind = 'account'"
    " AND k.revoked_at IS NULL AND NEW.level <= k.level AND NEW.expires_at <= k.expires_at"
    " AND (k.retires_at IS NULL OR NEW.expires_at <= k.retires_at)"
    " AND (k.networks = '' OR NEW.networks <> '')"
    " AND (k.max_idle IS NULL OR NEW.max_idle <= k.max_idle)"
    " AND (k.calls_per_minute IS NULL OR NEW.calls_per_minute <= k.calls_per_minute)"
    " AND (k.calls_per_day IS NULL OR NEW.calls_per_day <= k.calls_per_day))"
)
UNLIKE = (
    "NEW.replaces_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k"
    " WHERE k.id = NEW.replaces_id AND k.account_id = NEW.account_id AND k.name = NEW.name"
    " AND k.level = NEW.level AND k.kind = NEW.kind AND k.networks = NEW.networks"
    " AND k.max_idle IS NOT DISTINCT FROM NEW.max_idle"
    " AND k.calls_per_minute IS NOT DISTINCT FROM NEW.calls_per_minute"
    " AND k.calls_per_day IS NOT DISTINCT FROM NEW.calls_per_day)"
)
UNRETIRED = (
    "NEW.retires_at IS DISTINCT FROM OLD.retires_at AND (OLD.retires_at IS NOT NULL"
    " OR NOT EXISTS (SELECT 1 FROM api_keys s WHERE s.replaces_id = NEW.id))"
)

NEWER = (
    ("api_keys_immutable", "UPDATE", CHANGED, "a key is immutable"),
    ("api_keys_owner", "INSERT", ABOVE_OWNER, "a key stays within its owner's rights"),
    ("api_keys_maker", "INSERT", ABOVE_MAKER, "a key stays within its maker's rights"),
)
NEW = (
    ("api_keys_successor", "INSERT", UNLIKE, "a successor is as the key that it replaces"),
    ("api_keys_retired", "UPDATE", UNRETIRED, "a key retires once, for its successor"),
)


def make_guard(name: str, event: str, condition: str, message: str) -> None:
    """Make one trigger on api_keys, on either database."""
    drop_guard(name, "api_keys")
    text = message.replace("'", "''")
    if op.get_bind().dialect.name == "sqlite":
        condition = condition.replace("IS NOT DISTINCT FROM", "IS").replace("IS DISTINCT FROM", "IS NOT")
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON api_keys"
            f" WHEN {condition} BEGIN SELECT RAISE(ABORT, '{text}'); END"
        )
        return
    # A key's owner is held while it is made, so that a raw INSERT can't race a downgrade.
    hold = "PERFORM 1 FROM accounts WHERE id = NEW.account_id FOR SHARE;" if name == "api_keys_owner" else ""
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {hold}"
        f" IF {condition} THEN RAISE EXCEPTION '{text}' USING ERRCODE = 'check_violation';"
        f" END IF; RETURN NEW; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON api_keys FOR EACH ROW EXECUTE FUNCTION {name}()")


def upgrade() -> None:
    for name, kind, check in COLUMNS:
        constraint = f" CONSTRAINT ck_api_keys_{name} CHECK ({check})" if check else ""
        add_column("api_keys", name, f"{kind}{constraint}")
    op.create_index("ix_api_keys_digest", "api_keys", ["digest"], if_not_exists=True)
    add_column("key_usage", "reused_at", "BIGINT")
    for guard in (*NEWER, *NEW):
        make_guard(*guard)
    make_tables()


def make_tables() -> None:
    make_table(
        "key_refusals",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("hour", TIME, nullable=False),
        sa.Column("reason", WORD, nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_key_refusals_key_id"),
        sa.PrimaryKeyConstraint("key_id", "hour", "reason", name="pk_key_refusals"),
    )
    make_table(
        "key_addresses",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_key_addresses_key_id"),
        sa.PrimaryKeyConstraint("key_id", "address", name="pk_key_addresses"),
    )
    make_table(
        "call_windows",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_call_windows_key_id"),
        sa.PrimaryKeyConstraint("key_id", "span", name="pk_call_windows"),
    )
    make_table(
        "excess_steps",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("day", TIME, nullable=False),
        sa.Column("step", WORD, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_excess_steps_account_id"),
        sa.PrimaryKeyConstraint("account_id", "day", "step", name="pk_excess_steps"),
    )
    make_table(
        "promise_proofs",
        sa.Column("promise", WORD, nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("ran_at", TIME, nullable=False),
        sa.Column("proved_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("promise", name="pk_promise_proofs"),
    )


def revoke_what_was_bound() -> None:
    """Revoke what the older portal would let in from everywhere, again or for more; with its record."""
    now = now_ms()
    revoke(f"retires_at <= {now}", "retires_at", "replaced", why=None)
    revoke(
        "(kind = 'service' OR networks <> '' OR max_idle IS NOT NULL OR retires_at IS NOT NULL"
        f" OR not_before > {now})",
        str(now),
        "operator",
        why=DOWNGRADED,
    )


def revoke(condition: str, at: str, cause: str, *, why: str | None) -> None:
    """Revoke the unrevoked keys of a condition, and write a line into the record for each."""
    keys = sa.table("api_keys", sa.column("id", sa.Uuid()), sa.column("account_id"), sa.column("name"))
    are_meant = f"revoked_at IS NULL AND {condition}"
    found = op.get_bind().execute(sa.select(keys).where(sa.text(are_meant)).order_by(keys.c.id)).all()
    op.execute(f"UPDATE api_keys SET revoked_at = {at}, revoked_reason = '{cause}' WHERE {are_meant}")
    events = sa.table(
        "audit_events",
        *map(sa.column, ("at", "action", "actor_kind", "account_id", "reason")),
        sa.column("key_id", sa.Uuid()),
        sa.column("details", sa.JSON()),
    )
    told = {"at": now_ms(), "action": "key:revoked", "actor_kind": "system", "reason": why}
    op.bulk_insert(
        events,
        [
            {**told, "account_id": account_id, "key_id": key_id, "details": {"cause": cause, "name": name}}
            for key_id, account_id, name in found
        ],
    )


def downgrade() -> None:
    revoke_what_was_bound()
    for table in ("promise_proofs", "excess_steps", "call_windows", "key_addresses", "key_refusals"):
        op.drop_table(table, if_exists=True)
    for guard in (*NEWER, *NEW):
        drop_guard(guard[0], "api_keys")
    drop_column("key_usage", "reused_at")
    op.drop_index("ix_api_keys_digest", "api_keys", if_exists=True)
    for name, *_ in reversed(COLUMNS):
        drop_column("api_keys", name)
    older = guards_of_0002().GUARDS
    for name, event, _table, condition, message in older:
        if name in {guard[0] for guard in NEWER}:
            make_guard(name, event, condition, message)
