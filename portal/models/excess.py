"""How far the use of an account went above its limits."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import StrEnumType, UtcDateTime


class ExcessLevel(StrEnum):
    """How far it went, and so what was done."""

    WARNED = "warned"
    THROTTLED = "throttled"
    REVOKED = "revoked"


class ExcessStep(Base):
    """A level that an account reached on one day (UTC), and the figures that took it there."""

    __tablename__ = "excess_steps"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    day: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    step: Mapped[ExcessLevel] = mapped_column(StrEnumType(ExcessLevel), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
