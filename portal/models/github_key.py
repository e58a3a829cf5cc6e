"""The public keys that GitHub signs its reports with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.extensions import Base
from portal.models.types import UtcDateTime

LONGEST_IDENTIFIER = 200


class GithubKey(Base):
    """One key of the list, by GitHub's name for it: where the list was read from, and when last."""

    __tablename__ = "github_keys"

    identifier: Mapped[str] = mapped_column(String(LONGEST_IDENTIFIER), primary_key=True)
    pem: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
