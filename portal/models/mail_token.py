"""The tokens that travel by mail."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import StrEnumType, UtcDateTime


class TokenPurpose(StrEnum):
    """What a mailed token is good for, and nothing else."""

    CONFIRM = "confirm"
    RESET = "reset"
    UNLOCK = "unlock"
    EMAIL = "email"
    EMAIL_STOP = "email-stop"
    FIRST_ADMIN = "first-admin"


class MailToken(Base):
    """A token in a mailed link: kept as SHA-256, for one purpose and one address, used once."""

    __tablename__ = "mail_tokens"
    __table_args__ = (CheckConstraint("length(token_hash) = 32", name="token_hash"),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    purpose: Mapped[TokenPurpose] = mapped_column(StrEnumType(TokenPurpose))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    email: Mapped[str | None] = mapped_column("address", String(254))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
