"""The outbox: mail is written down in the transaction of the act, and sent later by the jobs.

Each step of a sending is a transaction of its own: claim a row by a lease, prepare it (which
may mint the token of its link), mark it as sent or as failed. A process that dies in between
leaves a lease behind that ends by itself, so that no mail is lost; while the lease holds, no
other process touches the row, so that none is sent by two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.extensions import db
from portal.models import Account, Action, MailKind, OutboxMail
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import count_changed, get_account_for_update, transaction

LEASE = timedelta(minutes=10)
"""How long a sending may take before another process tries the mail again."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)
MOST_ATTEMPTS = 36
"""A week with those pauses; RFC 5321 (4.5.4.1) asks for four or five days at least."""
ERROR_LENGTH = 200


@dataclass(frozen=True, slots=True)
class MailContent:
    """What a mail says: its template and what that needs. It may hold a token, so no repr."""

    template: str
    params: dict[str, Any] = field(repr=False)


Prepare = Callable[[Session, OutboxMail], MailContent | None]
"""Makes the letter of a row at the time of sending; None when nobody is to be written to."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that this process may send until ``leased_until``."""

    id: int
    kind: MailKind
    created_at: datetime
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class PreparedMail:
    """A letter, to whom it goes and in which language."""

    letter: MailContent
    recipient: str = field(repr=False)
    language: str


def enqueue(
    session: Session, kind: MailKind, *, account_id: int | None, recipient: str, language: str, **params: Any
) -> None:
    """Write down a mail in the caller's transaction. ``params`` are JSON and never secret."""
    now = clock.utcnow()
    session.add(
        OutboxMail(
            kind=kind,
            account_id=account_id,
            recipient=recipient,
            language=language,
            params=params,
            created_at=now,
            next_attempt_at=now,
        )
    )


def enqueue_to(session: Session, account: Account, kind: MailKind, **params: Any) -> None:
    """Write down a mail to the owner of an account, in the owner's language.

    An account that was removed has no email, so nothing is written to it.
    """
    if account.email is not None:
        enqueue(
            session, kind, account_id=account.id, recipient=account.email, language=account.language, **params
        )


def claim_next() -> Claim | None:
    """Take the mail that waits longest, for as long as :data:`LEASE`; None when none is due."""
    if not _anything_due():
        return None
    with transaction() as session:
        now = clock.utcnow()
        mail = session.scalars(
            select(OutboxMail)
            .where(_is_due(now))
            .order_by(OutboxMail.next_attempt_at, OutboxMail.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if mail is None:
            return None
        mail.leased_until = now + LEASE
        return Claim(mail.id, mail.kind, mail.created_at, mail.leased_until)


def prepare(claim: Claim, maker: Prepare | None) -> PreparedMail | None:
    """Make the letter of a claimed row: with ``maker``, or from the row as it stands.

    ``maker`` may correct the row's recipient and language. None when nobody is to be written
    to, or when the lease is no longer ours.
    """
    with transaction() as session:
        mail = session.scalars(select(OutboxMail).where(_is_ours(claim))).one_or_none()
        if mail is None:
            return None
        letter = maker(session, mail) if maker else MailContent(mail.kind.value, dict(mail.params))
        return None if letter is None else PreparedMail(letter, mail.recipient, mail.language)


def hold(session: Session, mail: OutboxMail, account_id: int | None) -> Account | None:
    """Lock the account that a mail with a link is for, before its token is made.

    None when there is none, or when the mail was ended meanwhile: whoever ends mails holds
    the account too, so none that was ended before is sent with a link that works.
    """
    account = get_account_for_update(session, account_id) if account_id is not None else None
    session.refresh(mail, with_for_update=True)
    return None if mail.sent_at is not None else account


def mark_sent(claim: Claim) -> bool:
    """Note that a claimed mail is done, and forget what it said; False when it was not ours."""
    with transaction() as session:
        done = update(OutboxMail).where(_is_ours(claim)).values(sent_at=clock.utcnow(), leased_until=None)
        return count_changed(session, done.values(last_error=None, params={})) == 1


def mark_failed(claim: Claim, error: str) -> bool:
    """Note why a mail could not be sent; it is tried again after a growing pause, for a week."""
    with transaction() as session:
        mail = _note_failure(session, claim, error)
        if mail is None:
            return False
        mail.next_attempt_at = clock.utcnow() + pause_after(mail.attempts)
        if mail.attempts >= MOST_ATTEMPTS:
            _end_refused(session, mail, None)
        return True


def mark_refused(claim: Claim, error: str, answer: int | None) -> bool:
    """Note that no attempt will bring a mail through, with the server's ``answer`` if it gave one.

    It ends, and what it said is forgotten. The audit log keeps neither its recipient nor the
    server's words, which may name it.
    """
    with transaction() as session:
        mail = _note_failure(session, claim, error)
        if mail is not None:
            _end_refused(session, mail, answer)
        return mail is not None


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 1, 2, 4 … minutes, at most 6 hours."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(attempts - 1, 20)))


def find_refused(account_id: int) -> OutboxMail | None:
    """The last mail to the email that the account has now, if it was refused; None if it came through.

    Mails that wait, and those that their owner ended, say nothing of it.
    """
    last = db.session.scalar(
        select(OutboxMail)
        .join(Account, Account.id == OutboxMail.account_id)
        .where(
            Account.id == account_id,
            OutboxMail.recipient == Account.email,
            OutboxMail.sent_at.is_not(None),
            or_(OutboxMail.refused_at.is_not(None), OutboxMail.last_error.is_(None)),
        )
        .order_by(OutboxMail.sent_at.desc(), OutboxMail.id.desc())
        .limit(1)
    )
    return last if last is not None and last.refused_at is not None else None


def _note_failure(session: Session, claim: Claim, error: str) -> OutboxMail | None:
    mail = session.scalars(select(OutboxMail).where(_is_ours(claim))).one_or_none()
    if mail is not None:
        mail.attempts += 1
        mail.last_error = error[:ERROR_LENGTH]
        mail.leased_until = None
    return mail


def _end_refused(session: Session, mail: OutboxMail, answer: int | None) -> None:
    mail.sent_at = mail.refused_at = clock.utcnow()
    mail.params = {}
    audit.log_event(
        session,
        Actor.system(),
        Action.MAIL_REFUSED,
        account_id=mail.account_id,
        mail=mail.kind.value,
        answer=answer,
        attempts=mail.attempts,
    )


def _anything_due() -> bool:
    """Look without a writing transaction, since most of the time there is nothing to do."""
    found = db.session.scalar(select(OutboxMail.id).where(_is_due(clock.utcnow())).limit(1))
    db.session.rollback()
    return found is not None


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        OutboxMail.sent_at.is_(None),
        OutboxMail.next_attempt_at <= now,
        or_(OutboxMail.leased_until.is_(None), OutboxMail.leased_until <= now),
    )


def _is_ours(claim: Claim) -> ColumnElement[bool]:
    return and_(
        OutboxMail.id == claim.id,
        OutboxMail.leased_until == claim.leased_until,
        OutboxMail.sent_at.is_(None),
    )
