"""What the installation knows of itself: its peppers, its last moment, and of what its proofs were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.BigInteger()
WORD = sa.String(40)


def upgrade() -> None:
    for table in ("pepper_checks", "last_moments"):
        op.execute(f"DROP TABLE IF EXISTS {table}")
    op.create_table(
        "pepper_checks",
        sa.Column("pepper_id", sa.String(length=16), nullable=False),
        sa.Column("check_value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("length(check_value) = 32", name=op.f("ck_pepper_checks_check_value")),
        sa.PrimaryKeyConstraint("pepper_id", name="pk_pepper_checks"),
    )
    op.create_table(
        "last_moments",
        sa.Column("name", WORD, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_last_moments"),
    )
    op.execute("ALTER TABLE promise_proofs ADD COLUMN version VARCHAR(40)")
    op.execute("ALTER TABLE promise_proofs ADD COLUMN revision VARCHAR(40)")


def downgrade() -> None:
    op.execute("ALTER TABLE promise_proofs DROP COLUMN revision")
    op.execute("ALTER TABLE promise_proofs DROP COLUMN version")
    op.drop_table("last_moments")
    op.drop_table("pepper_checks")
