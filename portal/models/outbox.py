"""Mail that waits to be sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import BigId, StrEnumType, UtcDateTime


class MailKind(StrEnum):
    """The mails that the portal writes; each has its template of the same name."""

    SIGN_UP = "sign-up"
    RESET = "reset"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105  # the name of a mail
    EMAIL_ASKED = "email-asked"
    EMAIL_CONFIRM = "email-confirm"
    EMAIL_CHANGED = "email-changed"
    LOCKED = "locked"
    KEY_CREATED = "key-made"
    KEY_ROTATED = "key-rotated"
    KEY_REUSED = "key-reused"
    KEYS_REVOKED = "keys-revoked"
    KEYS_LEAKED = "keys-leaked"
    EXCESS = "excess"
    ACCOUNT_BLOCKED = "account-blocked"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    ROLE_CHANGED = "role-changed"
    ACCOUNT_REMOVED = "account-removed"


class OutboxMail(Base):
    """One mail, written in the transaction of the act it tells of, sent later by the jobs.

    It holds what the template needs, and never a token: the jobs make that when they send.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "sent_at", "next_attempt_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[MailKind] = mapped_column(StrEnumType(MailKind))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    recipient: Mapped[str] = mapped_column("address", String(254))
    language: Mapped[str] = mapped_column(String(5))
    params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was done with: sent, ended by somebody, or refused."""
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    last_error: Mapped[str | None] = mapped_column(String(200))
