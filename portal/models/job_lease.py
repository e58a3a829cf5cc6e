"""Who is at work on which job."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import UtcDateTime


class JobLease(Base):
    """Which job somebody is at work on, and until when, so that nobody does it twice."""

    __tablename__ = "job_leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    leased_until: Mapped[datetime] = mapped_column(UtcDateTime)
