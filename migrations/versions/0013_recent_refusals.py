"""The last refusals of each key with their circumstances, and how many calls its last minute had."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.leftovers import add_column, drop_column, make_table

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WORD = sa.String(length=40)


def upgrade() -> None:
    add_column("key_usage", "minute_calls", "BIGINT NOT NULL DEFAULT 0")
    make_table(
        "key_recent_refusals",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("reason", WORD, nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("door", sa.String(length=20), nullable=False),
        sa.Column("asked", WORD, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_key_recent_refusals_key_id"),
        sa.PrimaryKeyConstraint(
            "key_id", "day", "reason", "address", "door", "asked", name="pk_key_recent_refusals"
        ),
    )


def downgrade() -> None:
    op.drop_table("key_recent_refusals", if_exists=True)
    drop_column("key_usage", "minute_calls")
