"""The audit log, searched and taken out by operators. Each look is recorded.

Acts have growing numbers, and later ones later moments. So a span of time is looked up as a span of
numbers first, which every order and every index of the table has, however long the log is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session

from portal.extensions import db
from portal.models import Action, AuditEvent
from portal.models.pages import Slice, read_slice
from portal.services.auth.logins import find_by_login
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.operators.exports import Whose, whose_of
from portal.services.operators.queries import admit_look, refuse_too_many

AT_ONCE = 500
"""Acts that an export holds in memory."""
APART = timedelta(minutes=1)
"""How far the clocks of machines that share the log may be apart, with room to spare."""
LARGEST_ID = 2**63 - 1
MOST_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is None is not asked for.

    ``account`` and ``actor`` are a number, an email or a name, as somebody typed it; ``until`` is
    the first moment that is too late. ``without`` are acts that are left out.
    """

    action: Action | None = None
    since: datetime | None = None
    until: datetime | None = None
    account: str = ""
    actor: str = ""
    key_id: UUID | None = None
    request_id: str = ""
    without: Sequence[Action] = ()


def search(actor: Actor, wanted: Wanted, *, before: int | None = None) -> Slice[AuditEvent]:
    """The acts that fit, the newest first, behind the last number seen. Raises Forbidden, Slowed."""
    is_first = before is None or before < 1
    with _looking(actor, wanted) as session:
        query = _query(session, wanted)
        if before is not None and not is_first:
            query = query.where(AuditEvent.id < min(before, LARGEST_ID))
        return read_slice(session, query.order_by(AuditEvent.id.desc()), audit.PAGE_SIZE, is_first=is_first)


Portion = tuple[Sequence[AuditEvent], dict[int, Whose]]
"""Some acts, and who the accounts in them are."""


def take_out(actor: Actor, wanted: Wanted, form: str) -> Iterator[Portion]:
    """Every act that fits and was there when it was asked for, the newest first, a portion at a time.

    ``form`` is what it is written as; the audit log keeps that somebody took acts out. Raises
    Forbidden, Slowed, at once.
    """
    with _looking(actor, wanted, exported=form) as session:
        query = _query(session, wanted).order_by(AuditEvent.id.desc()).limit(AT_ONCE)
        newest = session.scalar(select(func.max(AuditEvent.id))) or 0
    return _portions(query, newest + 1)


def accounts_of(events: Sequence[AuditEvent]) -> dict[int, Whose]:
    """Who the accounts in these acts are, as they are now."""
    return whose_of([number for event in events for number in (event.actor_account_id, event.account_id)])


def _portions(query: Select[AuditEvent], before: int) -> Iterator[Portion]:
    while found := db.session.scalars(query.where(AuditEvent.id < before)).all():
        before = found[-1].id
        accounts = accounts_of(found)
        for event in found:
            db.session.expunge(event)
        db.session.rollback()  # between two portions no transaction is open, however slow the reader
        yield found, accounts


@contextmanager
def _looking(actor: Actor, wanted: Wanted, **details: str) -> Iterator[Session]:
    """A transaction that records the look, and about which account and key it was."""
    refuse_too_many(actor)
    with transaction() as session:
        admit_look(session, actor)
        number = _number_of(wanted.account) if wanted.account else None
        audit.log_event(
            session,
            actor,
            Action.AUDIT_LOG_READ,
            account_id=number,
            key_id=wanted.key_id,
            **details,
        )
        yield session


def _query(session: Session, wanted: Wanted) -> Select[AuditEvent]:
    query = select(AuditEvent)
    if wanted.account:
        number = _number_of(wanted.account)
        query = query.where(false() if number is None else audit.is_about(number))
    if wanted.actor:
        number = _number_of(wanted.actor)
        query = query.where(false() if number is None else AuditEvent.actor_account_id == number)
    if wanted.action is not None:
        query = query.where(AuditEvent.action == wanted.action)
    if wanted.key_id is not None:
        is_its = (AuditEvent.key_id == wanted.key_id) | (AuditEvent.actor_key_id == wanted.key_id)
        query = query.where(is_its)
    if wanted.request_id:
        query = query.where(AuditEvent.request_id == wanted.request_id)
    if wanted.without:
        query = query.where(AuditEvent.action.not_in(wanted.without))
    return _within(session, query, wanted.since, wanted.until)


def _within(
    session: Session, query: Select[AuditEvent], since: datetime | None, until: datetime | None
) -> Select[AuditEvent]:
    """Narrow to a span of time: by the numbers, roughly, and by the moments, exactly."""
    if since is not None:
        query = query.where(AuditEvent.id >= _first_since(session, since - APART), AuditEvent.at >= since)
    if until is not None:
        query = query.where(AuditEvent.id < _first_since(session, until + APART), AuditEvent.at < until)
    return query


def _first_since(session: Session, moment: datetime) -> int:
    """The number of the first act from a moment on, found by halving: some twenty looks at the key."""
    low, high = session.execute(select(func.min(AuditEvent.id), func.max(AuditEvent.id))).one()
    low, high = low or 0, (high or 0) + 1
    while low < high:
        middle = (low + high) // 2
        next_one = select(AuditEvent.id, AuditEvent.at).where(AuditEvent.id >= middle)
        found = session.execute(next_one.order_by(AuditEvent.id).limit(1)).first()
        if found is None or found.at >= moment:
            high = middle
        else:
            low = found.id + 1
    return int(low)


def _number_of(login: str) -> int | None:
    """The account that was typed; a number stands for itself, so that those of removed accounts are found."""
    text = login.strip()
    if text.isascii() and text.isdecimal() and len(text) < MOST_DIGITS:
        return int(text)
    account = find_by_login(text)
    return account.id if account else None
