"""When a mail ended because nothing will bring it through, so that operators and its account are told."""

from __future__ import annotations

from alembic import op

from migrations.leftovers import add_column, drop_column

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_outbox_refused_at"


def upgrade() -> None:
    add_column("outbox", "refused_at", "BIGINT")
    op.execute(f"CREATE INDEX IF NOT EXISTS {INDEX} ON outbox (refused_at)")


def downgrade() -> None:
    op.execute(f"DROP INDEX IF EXISTS {INDEX}")
    drop_column("outbox", "refused_at")
