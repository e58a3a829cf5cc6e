"""Mails that ended because nothing would bring them through: what an account is told."""

from __future__ import annotations

from sqlalchemy import or_, select

from portal.extensions import db
from portal.models import Account, OutboxMail


def find_refused(account_id: int) -> OutboxMail | None:
    """The last mail to the address that the account has now, if it was refused; None if it came through.

    Mails that wait, and those that their owner ended, say nothing of the address.
    """
    last = db.session.scalar(
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
    )
    return last if last is not None and last.refused_at is not None else None
