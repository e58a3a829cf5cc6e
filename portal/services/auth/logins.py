"""Which account is meant by what somebody typed."""

from __future__ import annotations

from sqlalchemy import or_, select

from portal.extensions import db
from portal.models import Account
from portal.services.core.emails import email_key


def find_by_login(username: str) -> Account | None:
    """The account of this name, email or number, in any case."""
    text = username.strip().lower()
    conditions = [Account.lusername == text, Account.lemail == (email_key(text) if "@" in text else text)]
    if text.isascii() and text.isdecimal() and len(text) < 16:
        conditions.append(Account.id == int(text))
    return db.session.scalars(select(Account).where(or_(*conditions))).one_or_none()
