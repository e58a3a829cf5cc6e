"""Nothing takes the place of a key, an account or a record, by REPLACE or TRUNCATE either.

On SQLite the conflict clause REPLACE deletes rows without firing the triggers of DELETE, also by
the hidden rowid; on PostgreSQL TRUNCATE reaches keys and accounts.
"""

from __future__ import annotations

from alembic import op

from migrations.leftovers import drop_guard

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SAME_KEY = (
    "EXISTS (SELECT 1 FROM api_keys k WHERE k.rowid = NEW.rowid OR k.id = NEW.id"
    " OR k.nonce = NEW.nonce OR k.replaces_id = NEW.replaces_id)"
)
SAME_ACCOUNT = (
    "EXISTS (SELECT 1 FROM accounts a WHERE a.id = NEW.id OR a.lemail = NEW.lemail"
    " OR a.lusername = NEW.lusername)"
)
SAME_NAME = (
    "EXISTS (SELECT 1 FROM accounts a WHERE a.id <> OLD.id"
    " AND (a.lemail = NEW.lemail OR a.lusername = NEW.lusername))"
)
SAME_EVENT = "EXISTS (SELECT 1 FROM audit_events e WHERE e.id = NEW.id)"
RENUMBERED = "NEW.id <> OLD.id"

SQLITE = (
    ("api_keys_unique", "INSERT", "api_keys", SAME_KEY, "a key is unique: nothing takes its place"),
    ("api_keys_in_place", "UPDATE", "api_keys", "NEW.rowid <> OLD.rowid", "a key is immutable"),
    ("accounts_unique", "INSERT", "accounts", SAME_ACCOUNT, "an account is unique: nothing takes its place"),
    ("accounts_apart", "UPDATE", "accounts", SAME_NAME, "an address and a name are unique"),
    ("accounts_number", "UPDATE", "accounts", RENUMBERED, "an account keeps its number"),
    ("audit_events_unique", "INSERT", "audit_events", SAME_EVENT, "the record is append-only"),
)  # fmt: skip
TRUNCATED = (("api_keys_whole", "api_keys"), ("accounts_whole", "accounts"))


def upgrade() -> None:
    drop_guards()
    if op.get_bind().dialect.name == "sqlite":
        for name, event, table, condition, message in SQLITE:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table}"
                f" WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION accounts_number() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {RENUMBERED} THEN RAISE EXCEPTION 'an account keeps its number'"
        " USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER accounts_number BEFORE UPDATE ON accounts"
        " FOR EACH ROW EXECUTE FUNCTION accounts_number()"
    )
    for name, table in TRUNCATED:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept()"
        )


def downgrade() -> None:
    drop_guards()


def drop_guards() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name, _event, table, *_ in SQLITE:
            drop_guard(name, table)
        return
    drop_guard("accounts_number", "accounts")
    for name, table in TRUNCATED:
        op.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
