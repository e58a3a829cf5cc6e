"""Old acts may end: what is over 400 days old, from the oldest on, and only with a line that says so.

What was created with a key is looked for by it, so that has an index now.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ENDED = "record:ended-by-retention"
AGE = 400 * 86_400_000
SLACK = 86_400_000
"""How far the clocks of the portal and of the database may be apart, in milliseconds."""
MESSAGE = "the record is append-only"
NOW = {
    "sqlite": "CAST(strftime('%s', 'now') AS INTEGER) * 1000",
    "postgresql": "CAST(extract(epoch FROM now()) AS BIGINT) * 1000",
}
BEFORE = {
    "sqlite": "json_extract(e.details, '$.before')",
    "postgresql": "CAST(e.details ->> 'before' AS BIGINT)",
}


def unsaid(dialect: str) -> str:
    """Whether no line says that this act ends, or it is too young to."""
    return (
        f"NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.action = '{ENDED}'"
        f" AND OLD.id < {BEFORE[dialect]} AND OLD.at <= e.at - {AGE} AND e.at <= {NOW[dialect]} + {SLACK})"
    )


def upgrade() -> None:
    op.create_index("ix_api_keys_made_by_key_id", "api_keys", ["made_by_key_id"], if_not_exists=True)
    if op.get_bind().dialect.name == "sqlite":
        guard_sqlite(unsaid("sqlite"))
        return
    op.execute(function("audit_events_whole", "TRUE", "NULL"))
    op.execute("DROP TRIGGER IF EXISTS audit_events_whole ON audit_events")
    op.execute(
        "CREATE TRIGGER audit_events_whole BEFORE TRUNCATE ON audit_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_events_whole()"
    )
    op.execute(function("audit_events_kept", unsaid("postgresql"), "OLD"))


def downgrade() -> None:
    op.drop_index("ix_api_keys_made_by_key_id", "api_keys", if_exists=True)
    if op.get_bind().dialect.name == "sqlite":
        guard_sqlite("1 = 1")
        return
    op.execute(function("audit_events_kept", "1 = 1", "OLD"))
    op.execute("DROP TRIGGER IF EXISTS audit_events_whole ON audit_events")
    op.execute(
        "CREATE TRIGGER audit_events_whole BEFORE TRUNCATE ON audit_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_events_kept()"
    )
    op.execute("DROP FUNCTION IF EXISTS audit_events_whole()")


def guard_sqlite(condition: str) -> None:
    op.execute("DROP TRIGGER IF EXISTS audit_events_kept")
    op.execute(
        "CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events"
        f" WHEN {condition} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    )


def function(name: str, condition: str, row: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f" IF {condition} THEN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'check_violation';"
        f" END IF; RETURN {row}; END $$"
    )
