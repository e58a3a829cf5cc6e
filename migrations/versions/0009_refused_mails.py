"""When a mail ended because nothing will bring it through, so that operators and its account are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_outbox_refused_at"


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("outbox")}
    if "refused_at" not in columns:
        op.execute("ALTER TABLE outbox ADD COLUMN refused_at BIGINT")
    op.execute(f"CREATE INDEX IF NOT EXISTS {INDEX} ON outbox (refused_at)")


def downgrade() -> None:
    op.execute(f"DROP INDEX IF EXISTS {INDEX}")
    op.execute("ALTER TABLE outbox DROP COLUMN refused_at")
