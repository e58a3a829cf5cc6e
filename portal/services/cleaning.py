"""What is no longer needed goes away; and who does a job that must not be done twice."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import CursorResult, Delete, Update, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from portal import clock
from portal.models import (
    Account,
    ExcessStep,
    JobLease,
    MailToken,
    OutboxMail,
    SignedSession,
)
from portal.services.core.transaction import transaction
from portal.services.ratelimits import counters

KEPT = timedelta(days=30)
"""How long an ended session and a sent mail's row can still be looked at."""
STEPS_KEPT = timedelta(days=400)
"""How long the steps of excess are kept; the record keeps them for ever."""


def take_lease(name: str, length: timedelta) -> bool:
    """Take a job for so long; False when somebody has it, in this process or another."""
    try:
        with transaction() as session:
            now = clock.utcnow()
            taken = session.execute(
                update(JobLease)
                .where(JobLease.name == name, JobLease.leased_until <= now)
                .values(leased_until=now + length)
            )
            assert isinstance(taken, CursorResult)
            if taken.rowcount == 1:
                return True
            if session.get(JobLease, name) is not None:
                return False
            session.add(JobLease(name=name, leased_until=now + length))
    except IntegrityError:
        return False
    return True


def clean() -> dict[str, int]:
    """Delete what is over; return how many rows of which table.

    Sessions 30 days after their end, mail tokens that were used or are too old, counters of
    limits whose window is over, rows of mails sent 30 days ago, steps of excess after 400 days.
    Where an account was removed, its steps, its sessions and the addresses that its mails went
    to are forgotten at once; so is the address of a mail that was for nobody.
    """
    now = clock.utcnow()
    old, too_old = now - KEPT, now - STEPS_KEPT
    newest = select(func.max(OutboxMail.id)).scalar_subquery()
    removed = select(Account.id).where(Account.removed_at.is_not(None))
    return {
        "sessions": _change(
            delete(SignedSession).where(
                or_(
                    SignedSession.expires_at < old,
                    SignedSession.ended_at < old,
                    SignedSession.account_id.in_(removed),
                )
            )
        ),
        "mail_tokens": _change(
            delete(MailToken).where(or_(MailToken.used_at.is_not(None), MailToken.expires_at <= now))
        ),
        "limit_counters": counters.forget_expired(),
        # The newest row stays: SQLite would give its number, and so its file's name, again.
        "outbox": _change(delete(OutboxMail).where(OutboxMail.sent_at < old, OutboxMail.id < newest)),
        "excess_steps": _change(
            delete(ExcessStep).where(or_(ExcessStep.at < too_old, ExcessStep.account_id.in_(removed)))
        ),
        "addresses": _change(
            update(OutboxMail)
            .where(
                OutboxMail.sent_at.is_not(None),
                or_(OutboxMail.account_id.is_(None), OutboxMail.account_id.in_(removed)),
                OutboxMail.address != "",
            )
            .values(address="")
        ),
    }


def _change(statement: Delete | Update) -> int:
    """One short transaction for each table, so that nobody waits for all of them."""
    with transaction() as session:
        gone = session.execute(statement.execution_options(synchronize_session=False))
        assert isinstance(gone, CursorResult)
        return gone.rowcount
