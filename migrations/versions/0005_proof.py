"""What the installation knows of itself: its peppers, its last moment, and of what its proofs were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.leftovers import add_column, drop_column, make_table

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.BigInteger()
WORD = sa.String(40)


def upgrade() -> None:
    make_table(
        "pepper_checks",
        sa.Column("pepper_id", sa.String(length=16), nullable=False),
        sa.Column("check_value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("length(check_value) = 32", name=op.f("ck_pepper_checks_check_value")),
        sa.PrimaryKeyConstraint("pepper_id", name="pk_pepper_checks"),
    )
    make_table(
        "last_moments",
        sa.Column("name", WORD, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_last_moments"),
    )
    add_column("promise_proofs", "version", "VARCHAR(40)")
    add_column("promise_proofs", "revision", "VARCHAR(40)")


def downgrade() -> None:
    drop_column("promise_proofs", "revision")
    drop_column("promise_proofs", "version")
    op.drop_table("last_moments", if_exists=True)
    op.drop_table("pepper_checks", if_exists=True)
