"""Keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.extensions import Base
from portal.models.account import Account
from portal.models.types import StrEnumType, UtcDateTime
from portal.models.usage import KeyUsage
from portal.permissions import HIGHEST_LEVEL, LONGEST_LIFE

NAME_LENGTH = 100
NOTE_LENGTH = 500
NETWORKS_LENGTH = 2000
AUDIENCES_LENGTH = 500
SHORTEST_IDLE = 3600
"""Seconds. Use is written in batches, so a shorter one could end a key that is in use."""
DIGEST_BYTES = 32
LONGEST_LIFE_MS = int(LONGEST_LIFE.total_seconds()) * 1000


class RevocationReason(StrEnum):
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
    LEAKED = "leaked"


class KeyKind(StrEnum):
    """What a key is for: its owner's access, or a service that introspects the keys of others."""

    ACCOUNT = "account"
    SERVICE = "service"


class Environment(StrEnum):
    """Where a key is meant to be used; a label, and no right."""

    LIVE = "live"
    TEST = "test"


class ApiKey(Base):
    """One key. Immutable but for its end: revocation, or retirement for its successor.

    Triggers hold that too. ``networks`` are CIDRs between spaces, those with ``!`` are kept
    out; ``audiences`` are names between spaces, of a service key one; ``max_idle`` is in seconds.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(f"level BETWEEN 0 AND {HIGHEST_LEVEL}", name="level"),
        CheckConstraint("expires_at > created_at", name="lives"),
        CheckConstraint(f"expires_at <= created_at + {LONGEST_LIFE_MS}", name="longest_life"),
        CheckConstraint(f"length(digest) = {DIGEST_BYTES}", name="digest"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_reason IS NULL)", name="revoked_with_reason"),
        CheckConstraint("kind IN ('account', 'service')", name="kind"),
        CheckConstraint("environment IN ('live', 'test')", name="environment"),
        CheckConstraint("not_before < expires_at", name="not_before"),
        CheckConstraint(f"max_idle >= {SHORTEST_IDLE}", name="max_idle"),
        CheckConstraint("calls_per_minute > 0", name="calls_per_minute"),
        CheckConstraint("calls_per_day > 0", name="calls_per_day"),
        CheckConstraint("retires_at <= expires_at", name="retires_at"),
        CheckConstraint("kind <> 'service' OR replace(audiences, ' ', '') = audiences", name="audiences"),
        Index(None, "account_id", "created_at"),
        Index(None, "digest"),
        Index(None, "made_by_key_id"),
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
    counted_with_id: Mapped[UUID | None] = mapped_column(Uuid)
    """The first key of its line, with which its calls are counted; None for that key itself."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[KeyKind] = mapped_column(
        StrEnumType(KeyKind), default=KeyKind.ACCOUNT, server_default=KeyKind.ACCOUNT.value
    )
    environment: Mapped[Environment | None] = mapped_column(StrEnumType(Environment))
    networks: Mapped[str] = mapped_column(String(NETWORKS_LENGTH), default="", server_default="")
    audiences: Mapped[str] = mapped_column(String(AUDIENCES_LENGTH), default="", server_default="")
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    max_idle: Mapped[int | None] = mapped_column(Integer)
    calls_per_minute: Mapped[int | None] = mapped_column(Integer)
    calls_per_day: Mapped[int | None] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH), default="", server_default="")
    retires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_reason: Mapped[RevocationReason | None] = mapped_column(StrEnumType(RevocationReason))

    account: Mapped[Account] = relationship(viewonly=True)
    usage: Mapped[KeyUsage | None] = relationship(viewonly=True, lazy="joined")

    @property
    def idles_out_at(self) -> datetime | None:
        """When it ends if it is not used again; None where it may rest."""
        if self.max_idle is None:
            return None
        last = self.usage.last_used_at if self.usage else None
        awake = max(self.created_at, self.not_before or self.created_at, last or self.created_at)
        return awake + timedelta(seconds=self.max_idle)

    @property
    def ends_at(self) -> datetime:
        """When it ends, as things stand: the earliest of expiry, retirement and rest."""
        ends = (self.expires_at, self.retires_at, self.idles_out_at)
        return min(end for end in ends if end is not None)

    def is_revoked(self, now: datetime) -> bool:
        """Whether it was revoked, or its successor has taken its place."""
        return self.revoked_at is not None or (self.retires_at is not None and now >= self.retires_at)

    def is_expired(self, now: datetime) -> bool:
        """Whether its life is over, at the very second, or it rested too long."""
        idle = self.idles_out_at
        return now >= self.expires_at or (idle is not None and now >= idle)

    def is_unused_too_long(self, now: datetime) -> bool:
        """Whether it ended because it was not used, and not by its expiry or a revocation."""
        idle = self.idles_out_at
        return idle is not None and idle <= now and idle < self.expires_at and not self.is_revoked(now)

    def is_pending(self, now: datetime) -> bool:
        """Whether its first moment lies ahead, so that its calls are refused."""
        return self.not_before is not None and now < self.not_before

    def is_live(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.is_revoked(now) and not self.is_expired(now)

    def __repr__(self) -> str:
        return f"<ApiKey {self.id}>"
