"""What an account was before its block stands in its row; until now only the audit log told.

The column is added with plain SQL, so that SQLite keeps the table and its triggers.
"""

from __future__ import annotations

from alembic import op

from migrations.leftovers import add_column, drop_column

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CHECK = "status_before_block IS NULL OR (status = -2 AND status_before_block IN (1, 0, -1))"
DEFINITION = f"SMALLINT CONSTRAINT ck_accounts_status_before_block CHECK ({CHECK})"
WORD = {"sqlite": "json_extract(details, '$.before')", "postgresql": "details ->> 'before'"}
FILL = """
UPDATE accounts SET status_before_block = CASE
    WHEN consent_at IS NULL THEN 0
    ELSE CASE (SELECT {word} FROM audit_events WHERE account_id = accounts.id
            AND action = 'account:blocked' ORDER BY id DESC LIMIT 1)
        WHEN 'active' THEN 1 WHEN 'inactive' THEN 0 ELSE -1 END
    END
WHERE status = -2
"""
"""Where the line has ended, the owner may have locked the account, and opens it with a mailed link."""


def upgrade() -> None:
    add_column("accounts", "status_before_block", DEFINITION)
    op.execute(FILL.format(word=WORD[op.get_bind().dialect.name]))


def downgrade() -> None:
    drop_column("accounts", "status_before_block")
