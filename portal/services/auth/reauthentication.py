"""Prove who you are again, before something that can't be undone. Wrong passwords slow their source."""

from __future__ import annotations

from portal import clock
from portal.extensions import db
from portal.models import Account, UserSession
from portal.services.auth import passwords
from portal.services.core.actor import Actor
from portal.services.core.errors import Forbidden, InvalidInput
from portal.services.mail import tokens
from portal.services.ratelimits import questions


def prove_password(actor: Actor, password: str) -> int:
    """Ask the actor for the current password again; return the number of their account.

    Raises InvalidInput with ``passwordWrong``, Slowed, Forbidden for somebody not signed in.
    """
    account = db.session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        raise Forbidden
    if not _is_password(actor, account, password):
        raise InvalidInput("passwordWrong", "current_password")
    return account.id


def prove_owner(actor: Actor, current: str | None) -> str | None:
    """Ask who changes the email or the password for a proof; return the hash that was proven.

    Where there is a password it is the proof. Who confirmed the email through the API has
    none yet: there it is the session that the mailed link began, for as long as a link that
    opens an account lives. Raises InvalidInput with ``passwordWrong``, Slowed, Forbidden.
    """
    account = db.session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        raise Forbidden
    known_hash = account.password_hash
    if known_hash is None:
        signed = db.session.get(UserSession, actor.session_id) if actor.session_id else None
        is_proven = signed is not None and clock.utcnow() - signed.created_at <= tokens.SHORT_LIFE
    else:
        is_proven = current is not None and _is_password(actor, account, current)
    if not is_proven:
        raise InvalidInput("passwordWrong", "current_password")
    return known_hash


def _is_password(actor: Actor, account: Account, password: str) -> bool:
    """Whether this is the password; a right one takes its try back. Raises Slowed."""
    ip_address = actor.ip_address or ""
    questions.require(questions.may_prove(ip_address, account.id))
    is_right = passwords.verify_password(account.password_hash, password)
    if is_right:
        questions.proved(ip_address, account.id)
    return is_right
