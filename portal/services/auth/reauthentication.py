"""Prove who you are again, before something that can't be undone."""

from __future__ import annotations

from portal import clock
from portal.extensions import db
from portal.models import (
    Account,
    SignedSession,
)
from portal.services.auth import passwords
from portal.services.core.actor import Actor
from portal.services.core.errors import Forbidden, InvalidInput
from portal.services.mail import tokens


def prove_password(actor: Actor, password: str) -> int:
    """Ask the actor for the current password again; return the number of their account.

    Raises InvalidInput with ``passwordWrong``, Forbidden for somebody not signed in.
    """
    if actor.account_id is None:
        raise Forbidden
    account = db.session.get(Account, actor.account_id)
    if account is None or not passwords.verify_password(account.password_hash, password):
        raise InvalidInput("passwordWrong", "current_password")
    return actor.account_id


def prove_owner(actor: Actor, current: str | None) -> str | None:
    """Ask who changes the address or the password for a proof; return the hash that was proven.

    Where there is a password it is the proof. Who confirmed the address through the API has
    none yet: there it is the session that the mailed link began, for as long as a link that
    opens an account lives. Raises InvalidInput with ``passwordWrong``, Forbidden.
    """
    account = db.session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        raise Forbidden
    known_hash = account.password_hash
    if known_hash is None:
        signed = db.session.get(SignedSession, actor.session_id) if actor.session_id else None
        is_proven = signed is not None and clock.utcnow() - signed.created_at <= tokens.SHORT_LIFE
    else:
        is_proven = bool(current) and passwords.verify_password(known_hash, current or "")
    if not is_proven:
        raise InvalidInput("passwordWrong", "current_password")
    return known_hash


def refuse_other_password(account: Account, known_hash: str | None) -> None:
    """Raise InvalidInput when a locked account has another password than the one that was proven."""
    if account.password_hash != known_hash:
        raise InvalidInput("passwordWrong", "current_password")
