"""Tokens that travel by mail: random, kept as SHA-256, for one purpose, used once."""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db
from portal.models import Account, MailToken, TokenPurpose
from portal.services.core.errors import TokenInvalid
from portal.services.core.transaction import get_account_for_update

LIFE = timedelta(hours=24)
SHORT_LIFE = timedelta(hours=1)
"""A link that opens an account without its password lives an hour."""

_LIVES = {TokenPurpose.RESET: SHORT_LIFE}


def hash_token(token: str) -> bytes:
    """What is kept of a random token: its SHA-256."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def mint(session: Session, purpose: TokenPurpose, *, account_id: int | None, email: str | None) -> str:
    """Make a token of 256 random bits; keep its hash, return the token itself."""
    token = secrets.token_urlsafe(32)
    now = clock.utcnow()
    session.add(
        MailToken(
            token_hash=hash_token(token),
            purpose=purpose,
            account_id=account_id,
            email=email,
            created_at=now,
            expires_at=now + _LIVES.get(purpose, LIFE),
        )
    )
    return token


def find(token: str, purpose: TokenPurpose) -> MailToken | None:
    """Look at a token without using it; None when it would not be accepted."""
    return db.session.scalars(_usable(token, purpose)).one_or_none()


def owner_of(found: MailToken) -> Account | None:
    """The account that a link is for."""
    return None if found.account_id is None else db.session.get(Account, found.account_id)


def redeem(session: Session, token: str, purpose: TokenPurpose) -> MailToken:
    """Use a token up, and with it every other one of its account and purpose.

    Two at the same moment, with one token or with two of a kind: one of them gets it. The
    account is locked first and its tokens in one order, so that nobody waits in a circle.
    Raises TokenInvalid.
    """
    found = session.scalars(_usable(token, purpose)).one_or_none()
    if found is None:
        raise TokenInvalid
    if found.account_id is not None:
        get_account_for_update(session, found.account_id)
    unused = session.scalars(
        select(MailToken.token_hash)
        .where(*_unused(found.account_id), MailToken.purpose == purpose)
        .order_by(MailToken.token_hash)
        .with_for_update()
    ).all()
    if found.token_hash not in unused:
        raise TokenInvalid
    invalidate(session, found.account_id, purpose)
    return found


def invalidate(session: Session, account_id: int | None, *purposes: TokenPurpose) -> None:
    """Make the account's unused tokens useless: those of the purposes, or all.

    The tokens of no account (those for the first admin) are a kin of their own.
    """
    query = update(MailToken).where(*_unused(account_id))
    if purposes:
        query = query.where(MailToken.purpose.in_(purposes))
    session.execute(query.values(used_at=clock.utcnow()))


def _unused(account_id: int | None) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    own = MailToken.account_id
    return own.is_(None) if account_id is None else own == account_id, MailToken.used_at.is_(None)


def _usable(token: str, purpose: TokenPurpose) -> Select[MailToken]:
    return select(MailToken).where(
        MailToken.token_hash == hash_token(token),
        MailToken.purpose == purpose,
        MailToken.used_at.is_(None),
        MailToken.expires_at > clock.utcnow(),
    )
