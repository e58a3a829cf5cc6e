"""The forms that were sent a moment ago, so that one that is sent twice is done once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.leftovers import make_table

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    make_table(
        "sent_forms",
        sa.Column("id", sa.LargeBinary(32), nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint("length(id) = 32", name="id"),
        sa.CheckConstraint("length(salt) = 32", name="salt"),
        sa.PrimaryKeyConstraint("id", name="pk_sent_forms"),
    )
    op.create_index("ix_sent_forms_at", "sent_forms", ["at"])


def downgrade() -> None:
    op.drop_table("sent_forms", if_exists=True)
