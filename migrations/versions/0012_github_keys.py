"""The public keys of GitHub's secret scanning, which the jobs read from their source and requests look up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.leftovers import make_table

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    make_table(
        "github_keys",
        sa.Column("identifier", sa.String(200), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("identifier", name="pk_github_keys"),
    )


def downgrade() -> None:
    op.drop_table("github_keys", if_exists=True)
