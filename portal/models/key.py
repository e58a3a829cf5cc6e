"""Keys and their use."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.extensions import Base
from portal.models.account import Account
from portal.models.types import UtcTime, Word
from portal.permissions import HIGHEST_LEVEL, LONGEST_LIFE

NAME_LENGTH = 100
DIGEST_BYTES = 32
LONGEST_LIFE_MS = int(LONGEST_LIFE.total_seconds()) * 1000


class Reason(StrEnum):
    """Why a key was revoked."""

    OWNER = "owner"
    REPLACED = "replaced"
    ROLE_LOWERED = "role-lowered"
    BLOCKED = "blocked"
    LOCKED = "locked"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    ACCOUNT_REMOVED = "account-removed"
    EXCESSIVE = "excessive"
    OPERATOR = "operator"


class ApiKey(Base):
    """One key. Immutable but for its revocation; triggers hold that too."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(f"level BETWEEN 0 AND {HIGHEST_LEVEL}", name="level"),
        CheckConstraint("expires_at > created_at", name="lives"),
        CheckConstraint(f"expires_at <= created_at + {LONGEST_LIFE_MS}", name="longest_life"),
        CheckConstraint(f"length(digest) = {DIGEST_BYTES}", name="digest"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_reason IS NULL)", name="revoked_with_reason"),
        Index(None, "account_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    level: Mapped[int] = mapped_column(SmallInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary(DIGEST_BYTES))
    pepper_id: Mapped[str] = mapped_column(String(16))
    nonce: Mapped[UUID | None] = mapped_column(Uuid, unique=True)
    made_by_key_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"))
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_reason: Mapped[Reason | None] = mapped_column(Word(Reason))

    account: Mapped[Account] = relationship(viewonly=True)
    usage: Mapped[KeyUsage | None] = relationship(viewonly=True, lazy="joined")

    def is_expired(self, now: datetime) -> bool:
        """Whether its life is over, at the very second."""
        return now >= self.expires_at

    def is_live(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and not self.is_expired(now)

    def __repr__(self) -> str:
        return f"<ApiKey {self.id}>"


class KeyUsage(Base):
    """What a key did in all, and when and from where last."""

    __tablename__ = "key_usage"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, default=0)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used_address: Mapped[str | None] = mapped_column(String(45))


class KeyUsageHour(Base):
    """What a key did in one hour; ``hour`` is its first moment."""

    __tablename__ = "key_usage_hours"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcTime, primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, default=0)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)
