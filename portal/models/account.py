"""Accounts: who owns keys."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import BigId, IntEnumType, StrEnumType, UtcDateTime
from portal.permissions import Role

LANGUAGES = ("en", "de", "es", "fr", "nl")


class AccountStatus(IntEnum):
    """The state of an account, as the wire has it."""

    ACTIVE = 1
    INACTIVE = 0
    LOCKED = -1
    BLOCKED = -2

    @property
    def word(self) -> str:
        """What it is called in forms, commands, figures and the audit log."""
        return self.name.lower()


class Consent(IntEnum):
    """What the owner allows: nothing, processing of the account, or open data too."""

    NONE = 0
    PROCESSING = 1
    OPEN_DATA = 2


def quoted(words: object) -> str:
    """Write the values of an enum as the list of a SQL ``IN``."""
    return ", ".join(f"'{word}'" for word in words)  # type: ignore[attr-defined]  # any iterable


class Account(Base):
    """One owner of keys. Never deleted: removal empties it, so that the audit log stays whole."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint(f"role IN ({quoted(role.value for role in Role)})", name="role"),
        CheckConstraint("status IN (1, 0, -1, -2)", name="status"),
        CheckConstraint(
            "status_before_block IS NULL OR (status = -2 AND status_before_block IN (1, 0, -1))",
            name="status_before_block",
        ),
        CheckConstraint("consent IN (0, 1, 2)", name="consent"),
        CheckConstraint("status <> 1 OR removed_at IS NULL", name="removed_is_not_active"),
        CheckConstraint("(email IS NULL) = (removed_at IS NOT NULL)", name="email_until_removed"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    email: Mapped[str | None] = mapped_column(String(254))
    lemail: Mapped[str | None] = mapped_column(String(254), unique=True)
    username: Mapped[str] = mapped_column(String(60))
    lusername: Mapped[str] = mapped_column(String(60), unique=True)
    bio: Mapped[str] = mapped_column(String(2000), default="")
    language: Mapped[str] = mapped_column(String(5), default="en")
    role: Mapped[Role] = mapped_column(StrEnumType(Role), default=Role.USER)
    status: Mapped[AccountStatus] = mapped_column(IntEnumType(AccountStatus), default=AccountStatus.INACTIVE)
    status_before_block: Mapped[AccountStatus | None] = mapped_column(IntEnumType(AccountStatus))
    """What it is again when the block is taken away; of a blocked account only."""
    consent: Mapped[Consent] = mapped_column(IntEnumType(Consent), default=Consent.NONE)
    consent_version: Mapped[str | None] = mapped_column(String(20))
    consent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    mfa_enabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def __repr__(self) -> str:
        return f"<Account {self.id}>"
