"""The guards: triggers that hold the rules when no code does.

A batch migration of SQLite makes a table anew and loses its triggers: a later revision that
touches ``accounts``, ``api_keys`` or ``audit_events`` must make them again.
"""

from __future__ import annotations

from alembic import op

from migrations.leftovers import drop_guard

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IMMUTABLE = (
    "id", "account_id", "name", "level", "digest", "pepper_id", "nonce", "made_by_key_id",
    "replaces_id", "created_at", "expires_at",
)  # fmt: skip
LEVELS = {"user": 4, "tester": 4, "curator": 5, "bughunter": 6, "support": 8, "admin": 9}


def level_of(role: str) -> str:
    cases = " ".join(f"WHEN '{name}' THEN {level}" for name, level in LEVELS.items())
    return f"CASE {role} {cases} END"


def quoted(message: str) -> str:
    return message.replace("'", "''")


CHANGED = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in IMMUTABLE)
REVIVED = (
    "OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at"
    " OR NEW.revoked_reason IS DISTINCT FROM OLD.revoked_reason)"
)
ABOVE_OWNER = (
    "NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = NEW.account_id AND a.status = 1"
    f" AND a.consent <> 0 AND NEW.level <= {level_of('a.role')})"
)
ABOVE_MAKER = (
    "NEW.made_by_key_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k"
    " WHERE k.id = NEW.made_by_key_id AND k.account_id = NEW.account_id"
    " AND k.revoked_at IS NULL AND NEW.level <= k.level AND NEW.expires_at <= k.expires_at)"
)
KEYS_LEFT = (
    f"(NEW.status <> 1 OR NEW.consent = 0 OR {level_of('NEW.role')} < {level_of('OLD.role')})"
    " AND EXISTS (SELECT 1 FROM api_keys k WHERE k.account_id = NEW.id AND k.revoked_at IS NULL)"
)
ALWAYS = "1 = 1"

GUARDS = (
    ("api_keys_immutable", "UPDATE", "api_keys", CHANGED, "a key is immutable"),
    ("api_keys_revoked", "UPDATE", "api_keys", REVIVED, "a key is revoked for good"),
    ("api_keys_kept", "DELETE", "api_keys", ALWAYS, "a key is revoked, not deleted"),
    ("api_keys_owner", "INSERT", "api_keys", ABOVE_OWNER, "a key stays within its owner's rights"),
    ("api_keys_maker", "INSERT", "api_keys", ABOVE_MAKER, "a key stays within its maker's rights"),
    ("accounts_keys", "UPDATE", "accounts", KEYS_LEFT, "its keys must be revoked first"),
    ("accounts_kept", "DELETE", "accounts", ALWAYS, "an account is emptied, not deleted"),
    ("audit_events_final", "UPDATE", "audit_events", ALWAYS, "the record is append-only"),
    ("audit_events_kept", "DELETE", "audit_events", ALWAYS, "the record is append-only"),
)


def upgrade() -> None:
    drop_guards()
    if op.get_bind().dialect.name == "sqlite":
        for name, event, table, condition, message in GUARDS:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table}"
                f" WHEN {condition.replace('IS DISTINCT FROM', 'IS NOT')}"
                f" BEGIN SELECT RAISE(ABORT, '{quoted(message)}'); END"
            )
        return
    for name, event, table, condition, message in GUARDS:
        # A key's owner is held while it is made, so that a raw INSERT can't race a downgrade.
        hold = (
            "PERFORM 1 FROM accounts WHERE id = NEW.account_id FOR SHARE;" if name == "api_keys_owner" else ""
        )
        row = "OLD" if event == "DELETE" else "NEW"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {hold}"
            f" IF {condition} THEN RAISE EXCEPTION '{quoted(message)}' USING ERRCODE = 'check_violation';"
            f" END IF; RETURN {row}; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
    op.execute(
        "CREATE TRIGGER audit_events_whole BEFORE TRUNCATE ON audit_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_events_kept()"
    )


def downgrade() -> None:
    drop_guards()


def drop_guards() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name, table in (("api_keys_whole", "api_keys"), ("accounts_whole", "accounts")):
            op.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        op.execute("DROP TRIGGER IF EXISTS audit_events_whole ON audit_events")
    for name, _event, table, *_ in GUARDS:
        drop_guard(name, table)
