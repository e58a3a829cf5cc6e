"""What the installation knows of itself: what it proved, its peppers, and its last moment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import UtcDateTime


class PromiseProof(Base):
    """When this installation last ran a promise, when it last held, and what it ran with.

    ``version`` is the portal's, ``revision`` that of the tables: a proof is of these, and no others.
    """

    __tablename__ = "promise_proofs"

    promise: Mapped[str] = mapped_column(String(40), primary_key=True)
    held: Mapped[bool]
    ran_at: Mapped[datetime] = mapped_column(UtcDateTime)
    proved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[str | None] = mapped_column(String(40))
    revision: Mapped[str | None] = mapped_column(String(40))


class PepperCheck(Base):
    """What tells whether a pepper is the one that goes by this id, and tells nothing else of it."""

    __tablename__ = "pepper_checks"
    __table_args__ = (CheckConstraint("length(check_value) = 32", name="check_value"),)

    pepper_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    check_value: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LastMoment(Base):
    """The last moment that the installation has seen; there is one row."""

    __tablename__ = "last_moments"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
