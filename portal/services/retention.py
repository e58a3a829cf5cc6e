"""The end of old acts in the record, where an operator has set one (``PORTAL_AUDIT_DAYS``).

The record is append-only: the database lets go only of the oldest acts, of those over 400 days
old, and only where a line of the record says that they end. See docs/decisions/0018-retention.md.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import takewhile

from sqlalchemy import delete, select

from portal import clock
from portal.models import Action, AuditEvent
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction

AT_ONCE = 5_000
"""Acts that end in one transaction, so that nobody waits long for it."""
IN_A_ROUND = 20
"""Transactions in one round of the jobs."""


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
        audit.record(
            session,
            Actor.system(),
            Action.RECORD_ENDED,
            ended=len(over),
            before=before,
            until=clock.iso(over[-1].at),
            days=days,
        )
        session.flush()
        session.execute(
            delete(AuditEvent).where(AuditEvent.id < before).execution_options(synchronize_session=False)
        )
    return len(over)
