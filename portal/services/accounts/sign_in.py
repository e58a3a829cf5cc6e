"""Signing in with a name and a password."""

from __future__ import annotations

from portal.models import Account, Action, SessionKind, SignedSession, Status
from portal.services.auth import demo_data, passwords
from portal.services.auth.logins import find_by_login
from portal.services.auth.sessions import start
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import AccountBlocked, AccountLocked, SignInFailed
from portal.services.core.transaction import lock_account, transaction
from portal.services.ratelimits import questions


def sign_in(actor: Actor, username: str, password: str, kind: SessionKind) -> tuple[SignedSession, str]:
    """Check name (or address, or id) and password; start a session; return it with its token.

    Raises SignInFailed, the same and after the same time for an unknown name and a wrong
    password; AccountBlocked, AccountLocked and Slowed only to somebody with the right password.
    """
    account = find_by_login(username)
    known_hash = account.password_hash if account else None
    if not passwords.verify_password(known_hash, password) or account is None:
        with transaction() as session:
            audit.record(
                session,
                actor,
                Action.SESSION_REFUSED,
                account_id=account.id if account else None,
            )
        raise SignInFailed
    account_id = account.id
    questions.require(questions.may_start_session(actor.address or "", account_id))
    fresh_hash = _fresh_hash(known_hash, password)
    with transaction() as session:
        account = lock_account(session, account_id)
        if account is None or account.password_hash != known_hash:
            raise SignInFailed
        refuse_shut(account)
        if fresh_hash:
            account.password_hash = fresh_hash
        return start(session, actor, account, kind)


def refuse_shut(account: Account) -> None:
    """Raise AccountBlocked, AccountLocked or SignInFailed when the account can't be entered."""
    if demo_data.is_shut():
        raise SignInFailed
    if account.status is Status.BLOCKED:
        raise AccountBlocked
    if account.status is Status.LOCKED:
        raise AccountLocked(account_id=account.id)
    if account.status is not Status.ACTIVE:
        raise SignInFailed


def _fresh_hash(known_hash: str | None, password: str) -> str | None:
    if known_hash and passwords.needs_rehash(known_hash):
        return passwords.hash_password(password)
    return None
