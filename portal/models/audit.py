"""The audit log: who did what, on what, when, from where and why. Append-only by trigger."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import BigId, StrEnumType, UtcDateTime


class ActorKind(StrEnum):
    """Through what somebody acted."""

    ANONYMOUS = "anonymous"
    BROWSER = "browser"
    JWT = "jwt"
    KEY = "key"
    COMMAND_LINE = "command-line"
    SYSTEM = "system"


class Action(StrEnum):
    """Everything that the audit log knows, as ``subject:verb``."""

    ACCOUNT_SIGN_UP_REQUESTED = "account:sign-up-requested"
    ACCOUNT_CREATED = "account:created"
    ACCOUNT_CONFIRMED = "account:confirmed"
    ACCOUNT_UPDATED = "account:updated"
    ACCOUNT_EMAIL_CHANGE_REQUESTED = "account:email-change-requested"
    ACCOUNT_EMAIL_CHANGE_CANCELLED = "account:email-change-cancelled"
    ACCOUNT_EMAIL_CHANGED = "account:email-changed"
    ACCOUNT_LOCKED = "account:locked"
    ACCOUNT_UNLOCKED = "account:unlocked"
    ACCOUNT_UNLOCK_REQUESTED = "account:unlock-requested"
    ACCOUNT_LINK_MAILED = "account:link-mailed"
    ACCOUNT_BLOCKED = "account:blocked"
    ACCOUNT_UNBLOCKED = "account:unblocked"
    ACCOUNT_REMOVED = "account:removed"
    ACCOUNT_ROLE_CHANGED = "account:role-changed"
    ACCOUNT_READ = "account:read-by-operator"
    ACCOUNTS_SEARCHED = "account:searched-by-operator"
    KEY_READ = "key:read-by-operator"
    KEYS_SEARCHED = "key:searched-by-operator"
    MAIL_REFUSED = "mail:refused"
    AUDIT_LOG_READ = "record:read-by-operator"
    AUDIT_LOG_ENDED = "record:ended-by-retention"
    CLOCK_PUT_BACK = "clock:put-back"
    DEMO_FILLED = "demo:filled"
    USAGE_READ = "usage:read-by-operator"
    CONSENT_GIVEN = "consent:given"
    CONSENT_ENTERED = "consent:entered-by-operator"
    CONSENT_WITHDRAWN = "consent:withdrawn"
    PASSWORD_CHANGED = "password:changed"  # noqa: S105  # the name of an act
    PASSWORD_RESET_REQUESTED = "password:reset-requested"  # noqa: S105  # the name of an act
    PASSWORD_RESET = "password:reset"  # noqa: S105  # the name of an act
    SESSION_STARTED = "session:started"
    SESSION_REFUSED = "session:refused"
    SESSION_ENDED = "session:ended"
    SESSIONS_ENDED = "session:all-ended"
    KEY_CREATED = "key:created"
    KEY_ROTATED = "key:rotated"
    KEY_REUSED = "key:reused"
    KEY_REVOKED = "key:revoked"
    KEYS_REVOKED = "key:all-revoked"
    EXCESS_WARNED = "excess:warned"
    EXCESS_THROTTLED = "excess:throttled"
    EXCESS_REVOKED = "excess:revoked"


class AuditEvent(Base):
    """One act. It refers to accounts and keys by number, so that nothing can pull it down."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "account_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[Action] = mapped_column(StrEnumType(Action), index=True)
    actor_kind: Mapped[ActorKind] = mapped_column(StrEnumType(ActorKind))
    actor_account_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    actor_key_id: Mapped[UUID | None] = mapped_column(Uuid)
    account_id: Mapped[int | None] = mapped_column(BigInteger)
    key_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    ip_address: Mapped[str | None] = mapped_column("address", String(45))
    request_id: Mapped[str | None] = mapped_column(String(36), index=True)
    reason: Mapped[str | None] = mapped_column(String(500))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
