"""An index for the acts of one request: operators look for them by its id."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INDEX = "ix_audit_events_request_id"


def upgrade() -> None:
    op.create_index(INDEX, "audit_events", ["request_id"], if_not_exists=True)


def downgrade() -> None:
    op.drop_index(INDEX, "audit_events", if_exists=True)
