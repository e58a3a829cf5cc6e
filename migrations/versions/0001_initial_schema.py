"""The tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger()
WORD = sa.String(40)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("lemail", sa.String(length=254), nullable=True),
        sa.Column("username", sa.String(length=60), nullable=False),
        sa.Column("lusername", sa.String(length=60), nullable=False),
        sa.Column("bio", sa.String(length=2000), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("consent", sa.SmallInteger(), nullable=False),
        sa.Column("consent_version", sa.String(length=20), nullable=True),
        sa.Column("consent_at", TIME, nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("mfa_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=True),
        sa.Column("removed_at", TIME, nullable=True),
        sa.CheckConstraint(
            "role IN ('user', 'tester', 'curator', 'bughunter', 'support', 'admin')",
            name=op.f("ck_accounts_role"),
        ),
        sa.CheckConstraint(
            "(email IS NULL) = (removed_at IS NOT NULL)", name=op.f("ck_accounts_email_until_removed")
        ),
        sa.CheckConstraint("consent IN (0, 1, 2)", name=op.f("ck_accounts_consent")),
        sa.CheckConstraint(
            "status <> 1 OR removed_at IS NULL", name=op.f("ck_accounts_removed_is_not_active")
        ),
        sa.CheckConstraint("status IN (1, 0, -1, -2)", name=op.f("ck_accounts_status")),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("lemail", name="uq_accounts_lemail"),
        sa.UniqueConstraint("lusername", name="uq_accounts_lusername"),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("action", WORD, nullable=False),
        sa.Column("actor_kind", WORD, nullable=False),
        sa.Column("actor_account_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_key_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("request_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_account_id_id", "audit_events", ["account_id", "id"])
    op.create_index("ix_audit_events_action", "audit_events", ["action"])
    op.create_index("ix_audit_events_actor_account_id", "audit_events", ["actor_account_id"])
    op.create_index("ix_audit_events_key_id", "audit_events", ["key_id"])
    op.create_table(
        "job_leases",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("leased_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_job_leases"),
    )
    op.create_table(
        "limit_counters",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_limit_counters"),
    )
    op.create_index("ix_limit_counters_expires_at", "limit_counters", ["expires_at"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pepper_id", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.Uuid(), nullable=True),
        sa.Column("made_by_key_id", sa.Uuid(), nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("revoked_reason", WORD, nullable=True),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_reason IS NULL)", name=op.f("ck_api_keys_revoked_with_reason")
        ),
        sa.CheckConstraint("expires_at <= created_at + 31536000000", name=op.f("ck_api_keys_longest_life")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_api_keys_lives")),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_api_keys_digest")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_api_keys_name")),
        sa.CheckConstraint("level BETWEEN 0 AND 9", name=op.f("ck_api_keys_level")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_account_id"),
        sa.ForeignKeyConstraint(["made_by_key_id"], ["api_keys.id"], name="fk_api_keys_made_by_key_id"),
        sa.ForeignKeyConstraint(["replaces_id"], ["api_keys.id"], name="fk_api_keys_replaces_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("nonce", name="uq_api_keys_nonce"),
        sa.UniqueConstraint("replaces_id", name="uq_api_keys_replaces_id"),
    )
    op.create_index("ix_api_keys_account_id_created_at", "api_keys", ["account_id", "created_at"])
    op.create_table(
        "mail_tokens",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", WORD, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("address", sa.String(length=254), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_mail_tokens_token_hash")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_mail_tokens_account_id"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_mail_tokens"),
    )
    op.create_index("ix_mail_tokens_account_id", "mail_tokens", ["account_id"])
    op.create_index("ix_mail_tokens_expires_at", "mail_tokens", ["expires_at"])
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_outbox_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_account_id", "outbox", ["account_id"])
    op.create_index("ix_outbox_sent_at_next_attempt_at", "outbox", ["sent_at", "next_attempt_at"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "kind = 'jwt' OR length(token_hash) = 32", name=op.f("ck_sessions_browser_has_token")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "key_usage",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("last_used_address", sa.String(length=45), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_key_usage_key_id"),
        sa.PrimaryKeyConstraint("key_id", name="pk_key_usage"),
    )
    op.create_table(
        "key_usage_hours",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("hour", TIME, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_key_usage_hours_key_id"),
        sa.PrimaryKeyConstraint("key_id", "hour", name="pk_key_usage_hours"),
    )


def downgrade() -> None:
    op.drop_table("key_usage_hours")
    op.drop_table("key_usage")
    op.drop_table("sessions")
    op.drop_table("outbox")
    op.drop_table("mail_tokens")
    op.drop_table("api_keys")
    op.drop_table("limit_counters")
    op.drop_table("job_leases")
    op.drop_table("audit_events")
    op.drop_table("accounts")
