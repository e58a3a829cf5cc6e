"""Sessions of browsers and of JWTs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.extensions import Base
from portal.models.account import Account
from portal.models.types import StrEnumType, UtcDateTime


class SessionKind(StrEnum):
    """What holds the session: a browser's cookie or a JWT."""

    BROWSER = "browser"
    JWT = "jwt"


class UserSession(Base):
    """One sign-in, which can be ended. The token itself is not kept, only its SHA-256."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("kind = 'jwt' OR length(token_hash) = 32", name="browser_has_token"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[SessionKind] = mapped_column(StrEnumType(SessionKind))
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ip_address: Mapped[str | None] = mapped_column("address", String(45))
    user_agent: Mapped[str] = mapped_column(String(200), default="")

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True, viewonly=True)
