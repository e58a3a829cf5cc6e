"""Signing in with a name and a password."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.models import Account, AccountStatus, Action, AuditEvent, SessionKind, UserSession
from portal.services.accounts import recovery
from portal.services.auth import demo_data, passwords
from portal.services.auth.logins import find_by_login
from portal.services.auth.sessions import start
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import AccountBlocked, AccountLocked, SignInFailed
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.ratelimits import questions


def sign_in(actor: Actor, username: str, password: str, kind: SessionKind) -> tuple[UserSession, str]:
    """Check name (or address, or id) and password; start a session; return it with its token.

    Raises SignInFailed, the same and after the same time for an unknown name and a wrong
    password, and Slowed after too many of them; AccountBlocked, with the operator's reason as ``why``,
    and AccountLocked only to somebody with the right password, and whoever locked the account is mailed
    the way back.
    """
    ip_address = actor.ip_address or ""
    questions.require(questions.may_sign_in(ip_address, username))
    account = find_by_login(username)
    known_hash = account.password_hash if account else None
    if not passwords.verify_password(known_hash, password) or account is None:
        with transaction() as session:
            audit.log_event(
                session, actor, Action.SESSION_REFUSED, account_id=account.id if account else None
            )
        raise SignInFailed
    questions.signed_in(ip_address, username)
    account_id = account.id
    questions.require(questions.may_start_session(ip_address, account_id))
    try:
        return _enter(actor, account_id, known_hash, _fresh_hash(known_hash, password), kind)
    except AccountLocked:
        recovery.request_unlock(actor, account_id)
        raise


def _enter(
    actor: Actor, account_id: int, known_hash: str | None, fresh_hash: str | None, kind: SessionKind
) -> tuple[UserSession, str]:
    """Start the session, unless the password was changed or the account shut meanwhile."""
    with transaction() as session:
        account = get_account_for_update(session, account_id)
        if account is None or account.password_hash != known_hash:
            raise SignInFailed
        _refuse_shut(session, account)
        if fresh_hash:
            account.password_hash = fresh_hash
        return start(session, actor, account, kind)


def _refuse_shut(session: Session, account: Account) -> None:
    """Raise AccountBlocked, AccountLocked or SignInFailed when the account can't be entered."""
    if demo_data.is_shut():
        raise SignInFailed
    if account.status is AccountStatus.BLOCKED:
        raise AccountBlocked(why=_reason_of_block(session, account))
    if account.status is AccountStatus.LOCKED:
        raise AccountLocked
    if account.status is not AccountStatus.ACTIVE:
        raise SignInFailed


def _reason_of_block(session: Session, account: Account) -> str | None:
    """What the operator gave as the reason; None of a block past the portal, which nobody gave one for."""
    if account.status_before_block is None:
        return None
    blocks = AuditEvent.account_id == account.id, AuditEvent.action == Action.ACCOUNT_BLOCKED
    query = select(AuditEvent.reason).where(*blocks).order_by(AuditEvent.id.desc()).limit(1)
    return session.scalars(query).one_or_none()


def _fresh_hash(known_hash: str | None, password: str) -> str | None:
    if known_hash and passwords.needs_rehash(known_hash):
        return passwords.hash_password(password)
    return None
