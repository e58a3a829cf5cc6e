"""What is no longer needed goes away: ended sessions, used links, sent mails, and, where set, old acts.

The audit log is append-only: the database lets go only of its oldest acts, of those over 400
days old, and only where a line of it says that they end. An operator sets for how long they
stay (``PORTAL_AUDIT_DAYS``); see docs/decisions/0018-retention.md.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import takewhile

from sqlalchemy import Delete, Update, delete, func, or_, select, update

from portal import clock
from portal.models import Account, Action, AuditEvent, ExcessStep, MailToken, OutboxMail, UserSession
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import count_changed, transaction
from portal.services.ratelimits import counters

AT_ONCE = 5_000
"""Acts that end in one transaction, so that nobody waits long for it."""
IN_A_ROUND = 20
"""Transactions in one round of the jobs."""

KEPT = timedelta(days=30)
"""How long an ended session and a sent mail's row can still be looked at."""
STEPS_KEPT = timedelta(days=400)
"""How long the steps of excess are kept; the audit log keeps them for ever."""


def end_old_acts(days: int) -> int:
    """End the acts that are older than so many days, a bounded number; return how many.

    0 keeps them all. What is left comes in the next round.
    """
    ended = 0
    for _round in range(IN_A_ROUND if days else 0):
        now_ended = _end_some(days)
        ended += now_ended
        if now_ended < AT_ONCE:
            break
    return ended


def _end_some(days: int) -> int:
    """End the oldest acts, up to the first that stays: no gap is left in what is kept."""
    limit = clock.utcnow() - timedelta(days=days)
    with transaction() as session:
        oldest = select(AuditEvent.id, AuditEvent.at).order_by(AuditEvent.id).limit(AT_ONCE)
        over = list(takewhile(lambda act: act.at < limit, session.execute(oldest)))
        if not over:
            return 0
        before = over[-1].id + 1
        audit.log_event(
            session,
            Actor.system(),
            Action.AUDIT_LOG_ENDED,
            ended=len(over),
            before=before,
            until=clock.iso(over[-1].at),
            days=days,
        )
        session.flush()
        count_changed(session, delete(AuditEvent).where(AuditEvent.id < before))
    return len(over)


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
    ended = (UserSession.expires_at < old, UserSession.ended_at < old, UserSession.account_id.in_(removed))
    return {
        "sessions": _change(delete(UserSession).where(or_(*ended))),
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
                OutboxMail.recipient != "",
            )
            .values(recipient="")
        ),
    }


def _change(statement: Delete | Update) -> int:
    """One short transaction for each table, so that nobody waits for all of them."""
    with transaction() as session:
        return count_changed(session, statement)
