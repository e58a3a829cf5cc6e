"""How often something was done: tries in a window, and the calls of a key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import UtcDateTime


class CallWindow(Base):
    """How many calls workers have taken out of a key's limit, in its window of ``span`` seconds."""

    __tablename__ = "call_windows"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    span: Mapped[int] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken: Mapped[int] = mapped_column(BigInteger, default=0)


class LimitCounter(Base):
    """How often something was done in a window, counted across all workers."""

    __tablename__ = "limit_counters"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    hits: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
