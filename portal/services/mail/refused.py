"""Mails that ended because nothing would bring them through: what an account and operators are told."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from portal.extensions import db
from portal.models import Account, OutboxMail


def find_refused(account_id: int) -> OutboxMail | None:
    """The last mail to the address that the account has now, if it was refused; None if it came through.

    Mails that wait, and those that their owner ended, say nothing of the address.
    """
    last = db.session.scalars(
        select(OutboxMail)
        .join(Account, Account.id == OutboxMail.account_id)
        .where(
            Account.id == account_id,
            OutboxMail.address == Account.email,
            OutboxMail.sent_at.is_not(None),
            or_(OutboxMail.refused_at.is_not(None), OutboxMail.last_error.is_(None)),
        )
        .order_by(OutboxMail.sent_at.desc(), OutboxMail.id.desc())
        .limit(1)
    ).one_or_none()
    return last if last is not None and last.refused_at is not None else None


def count_refused() -> int:
    """How many there are; they are kept for as long as mails that were sent."""
    query = select(func.count()).select_from(OutboxMail).where(OutboxMail.refused_at.is_not(None))
    return db.session.scalar(query) or 0
