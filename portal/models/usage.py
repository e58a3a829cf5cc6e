"""How much keys are used: calls and refusals, counted."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import UtcDateTime


class KeyUsage(Base):
    """What a key did in all, and when and from where last."""

    __tablename__ = "key_usage"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, default=0)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_ip_address: Mapped[str | None] = mapped_column("last_used_address", String(45))
    reused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its secret was first used after a successor had taken its place."""
    minute_calls: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Its calls in the minute (UTC) of the last one."""


class KeyUsageHour(Base):
    """What a key did in one hour; ``hour`` is its first moment."""

    __tablename__ = "key_usage_hours"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, default=0)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)


class KeyRefusal(Base):
    """How often a holder of the secret was refused in one hour, by the code of the refusal."""

    __tablename__ = "key_refusals"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    reason: Mapped[str] = mapped_column(String(40), primary_key=True)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)


class RecentRefusal(Base):
    """Equal refusals of one day (UTC): from where, why, at which door, and what was asked for.

    Only whoever holds the secret brings one about. The last few of each key are kept, for 30 days.
    """

    __tablename__ = "key_recent_refusals"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    day: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    reason: Mapped[str] = mapped_column(String(40), primary_key=True)
    ip_address: Mapped[str] = mapped_column("address", String(45), primary_key=True)
    door: Mapped[str] = mapped_column(String(20), primary_key=True)
    asked: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The level, the method or the audience that the refusal is about; empty where it is about none."""
    times: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyIpAddress(Base):
    """From where a key was used: the last few addresses."""

    __tablename__ = "key_addresses"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    ip_address: Mapped[str] = mapped_column("address", String(45), primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger, default=0)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
