"""Sign-ins: started, resumed, listed and ended by the server.

A browser holds a random token, of which the table keeps the SHA-256; a JWT names the row.
:mod:`portal.services.auth.session_life` says how long they last. Whatever ends one holds its
account, so that no act of an ended session lands afterwards.
"""

from __future__ import annotations

import secrets as random
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db
from portal.models import Account, Action, SentForm, SessionKind, UserSession
from portal.services.auth.admission import admit
from portal.services.auth.session_life import JWT_LIFE, life_time, may_go_on
from portal.services.core import audit, sent_forms
from portal.services.core.actor import Actor
from portal.services.core.errors import NotFound
from portal.services.core.ids import uuid7
from portal.services.core.sent_forms import Form
from portal.services.core.transaction import transaction
from portal.services.mail import pending
from portal.services.mail.tokens import hash_token

TOUCH_EVERY = timedelta(minutes=1)
MOST_LIVING = 50
"""Sessions of a kind that an account may have at a time."""


def start(session: Session, actor: Actor, account: Account, kind: SessionKind) -> tuple[UserSession, str]:
    """Start a session in the caller's transaction; return it with its new token.

    The account is locked by the caller. Of more than :data:`MOST_LIVING` of a kind, the one that
    was not seen for longest ends.
    """
    now, form = clock.utcnow(), actor.form
    token = random.token_urlsafe(32)
    if form is not None:
        token = _token_of(form, sent_forms.spend(session, form, actor.request_id or ""))
    life = JWT_LIFE if kind is SessionKind.JWT else life_time(account.role)
    signed = UserSession(
        id=uuid7(),
        kind=kind,
        token_hash=hash_token(token) if kind is SessionKind.BROWSER else None,
        account_id=account.id,
        created_at=now,
        last_seen_at=now,
        expires_at=now + life,
        ip_address=actor.ip_address,
        user_agent=actor.user_agent[:200],
    )
    _end_oldest(session, actor, account.id, kind, now)
    session.add(signed)
    account.last_seen_at = now
    audit.log_event(session, actor, Action.SESSION_STARTED, account_id=account.id, kind=kind.value)
    return signed, token


def resume_again(form: Form, sent: SentForm) -> tuple[UserSession, str] | None:
    """The session that this form has begun a moment ago, with its token, if it may go on.

    For a browser that has lost the answer; see :mod:`portal.services.core.sent_forms`.
    """
    token = _token_of(form, sent)
    signed = resume(token)
    return (signed, token) if signed else None


def _token_of(form: Form, sent: SentForm) -> str:
    return urlsafe_b64encode(sent_forms.derive(form, sent, "session")).decode().rstrip("=")


def _end_oldest(session: Session, actor: Actor, account_id: int, kind: SessionKind, now: datetime) -> None:
    """End those that were not seen for longest, so that with one more there are not too many."""
    living = select(UserSession.id).where(
        UserSession.account_id == account_id,
        UserSession.kind == kind,
        UserSession.ended_at.is_(None),
        UserSession.expires_at > now,
    )
    newest_first = living.order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())
    too_old = session.scalars(newest_first.offset(MOST_LIVING - 1)).all()
    for session_id in too_old:
        session.execute(update(UserSession).where(UserSession.id == session_id).values(ended_at=now))
        audit.log_event(session, actor, Action.SESSION_ENDED, account_id=account_id, most=MOST_LIVING)


def resume(token: str) -> UserSession | None:
    """The browser session that holds this token, if it may go on; notes that it was seen."""
    return _resumed(UserSession.token_hash == hash_token(token), UserSession.kind == SessionKind.BROWSER)


def resume_by_id(session_id: UUID) -> UserSession | None:
    """The JWT's session of this id, if it may go on; notes that it was seen."""
    return _resumed(UserSession.id == session_id, UserSession.kind == SessionKind.JWT)


def list_sessions(account_id: int) -> Sequence[UserSession]:
    """The sessions of an account that may go on, the one seen last first."""
    now = clock.utcnow()
    rows = db.session.scalars(
        select(UserSession)
        .where(
            UserSession.account_id == account_id, UserSession.ended_at.is_(None), UserSession.expires_at > now
        )
        .order_by(UserSession.last_seen_at.desc())
    )
    return [row for row in rows if may_go_on(row, now)]


def end_session(actor: Actor, session_id: UUID) -> None:
    """End one session of the actor's account.

    Raises NotFound when it has none of this id, NotAdmitted when the one that asks has ended.
    """
    with transaction() as session:
        account = admit(session, actor, consent=False)
        signed = session.scalars(
            select(UserSession).where(UserSession.id == session_id, UserSession.account_id == account.id)
        ).one_or_none()
        if signed is None:
            raise NotFound
        if signed.ended_at is None:
            signed.ended_at = clock.utcnow()
            audit.log_event(session, actor, Action.SESSION_ENDED, account_id=account.id)


def end_other_sessions(actor: Actor) -> None:
    """End every session of the actor's account but the one that asks, and what waits for a mail."""
    with transaction() as session:
        account = admit(session, actor, consent=False)
        end_all(session, actor, account.id, but=actor.session_id)


def end_all(
    session: Session, actor: Actor, account_id: int, *, but: UUID | None = None, why: str | None = None
) -> None:
    """End the sessions of a locked account, JWTs included, in the caller's transaction.

    With them goes what was asked for and waits: links, mails with links, a change of address.
    """
    query = update(UserSession).where(UserSession.account_id == account_id, UserSession.ended_at.is_(None))
    if but is not None:
        query = query.where(UserSession.id != but)
    session.execute(query.values(ended_at=clock.utcnow()))
    audit.log_event(session, actor, Action.SESSIONS_ENDED, account_id=account_id, reason=why)
    pending.end_everything(session, actor, account_id)


def _resumed(*conditions: ColumnElement[bool]) -> UserSession | None:
    signed = db.session.scalars(select(UserSession).where(*conditions)).one_or_none()
    now = clock.utcnow()  # after the look: a first connection tells of the latest moment that was seen
    if signed is None or not may_go_on(signed, now):
        return None
    if now - signed.last_seen_at >= TOUCH_EVERY:
        _touch(signed.id, signed.account_id, now)
    return signed


def _touch(session_id: UUID, account_id: int, now: datetime) -> None:
    """The account first, as everywhere, or this and what ends sessions would wait in a circle."""
    with transaction() as session:
        session.execute(update(Account).where(Account.id == account_id).values(last_seen_at=now))
        session.execute(update(UserSession).where(UserSession.id == session_id).values(last_seen_at=now))
