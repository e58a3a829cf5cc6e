"""The forms that were sent a moment ago, so that one that is sent twice is done once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import UtcDateTime


class SentForm(Base):
    """One form, by a digest of what was sent, and how it was answered; kept for moments only.

    ``request_id`` is the request that did what it asks for. ``salt`` makes it possible to make the
    same secret or session again, together with what only the form and only the server know; once
    the row is gone, nobody can.
    """

    __tablename__ = "sent_forms"
    __table_args__ = (
        CheckConstraint("length(id) = 32", name="id"),
        CheckConstraint("length(salt) = 32", name="salt"),
    )

    id: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(36))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
