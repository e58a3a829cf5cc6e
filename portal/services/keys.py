"""The keys: making, finding, replacing and revoking them.

A key is immutable, expires within a year and never exceeds its owner's role as it is at
the moment of creation; :mod:`portal.services.verification` holds the level at every check.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import settings
from portal.models import Account, Action, ApiKey, MailKind, Reason, Status
from portal.models.key import NAME_LENGTH
from portal.permissions import HIGHEST_LEVEL, LONGEST_LIFE
from portal.services import audit, outbox, secrets
from portal.services.actor import Actor
from portal.services.errors import (
    AccountBlocked,
    AccountLocked,
    AlreadyMade,
    ConsentLacking,
    Forbidden,
    InvalidInput,
    NotFound,
)
from portal.services.key_lists import find_successor, owned
from portal.services.transaction import lock_account, transaction


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key shall be: name, level, and how long it lives."""

    name: str
    level: int
    life: timedelta


def create_key(
    actor: Actor, *, name: str, level: int, life: timedelta, nonce: UUID | None = None
) -> tuple[ApiKey, str]:
    """Make a key for the actor's account; return it with its secret, which exists only here.

    A key made with a key ends no later than that key. ``nonce`` is the form's own: a second
    use raises AlreadyMade. Raises InvalidInput, ConsentLacking, AccountBlocked, AccountLocked.
    """
    with transaction() as session:
        account = _lock_owner(session, actor)
        _refuse_second(session, account, nonce)
        key, secret = _issue(session, actor, account, Wanted(name.strip(), level, life), nonce)
    return key, secret


def replace_key(actor: Actor, key_id: UUID, *, nonce: UUID | None = None) -> tuple[ApiKey, str]:
    """Make a key with the same settings and a new secret, and revoke the old one.

    Name, level and length of life are taken over, also of a key that has ended. Raises
    NotFound for a key that is not there or not the actor's, AlreadyMade for one that has a
    successor; else as :func:`create_key`.
    """
    with transaction() as session:
        account = _lock_owner(session, actor)
        _refuse_second(session, account, nonce)
        old = session.scalars(owned(account.id, key_id)).one_or_none()
        if old is None:
            raise NotFound
        successor = find_successor(old)
        if successor is not None:
            raise AlreadyMade(successor.id)
        wanted = Wanted(old.name, old.level, old.expires_at - old.created_at)
        key, secret = _issue(session, actor, account, wanted, nonce, replaces=old)
        if old.revoked_at is None:
            _revoke(session, actor, old, Reason.REPLACED)
    return key, secret


def revoke_key(actor: Actor, key_id: UUID, *, reason: Reason = Reason.OWNER) -> ApiKey:
    """Revoke a key of the actor's account for good; a second time changes nothing.

    Raises NotFound for a key that is not there, or not the actor's.
    """
    with transaction() as session:
        account = lock_account(session, _account_id(actor))
        key = session.scalars(owned(_account_id(actor), key_id)).one_or_none()
        if key is None or account is None:
            raise NotFound
        if key.revoked_at is None:
            revoke_in(session, actor, account, key, reason)
    return key


def revoke_in(
    session: Session,
    actor: Actor,
    account: Account,
    key: ApiKey,
    reason: Reason,
    *,
    why: str | None = None,
) -> None:
    """Revoke one key in the caller's transaction, and write the owner a mail."""
    _revoke(session, actor, key, reason, why)
    outbox.enqueue_to(session, account, MailKind.KEYS_REVOKED, reason=reason.value, keys=1, names=[key.name])


def revoke_all(
    session: Session,
    actor: Actor,
    account: Account,
    reason: Reason,
    *,
    why: str | None = None,
    tell: bool = True,
) -> int:
    """Revoke every key of an account in one statement, in the caller's transaction.

    The account is locked by the caller. ``tell`` writes the owner a mail. Returns how many
    keys there were to revoke.
    """
    result = session.execute(
        update(ApiKey)
        .where(ApiKey.account_id == account.id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=clock.utcnow(), revoked_reason=reason)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount:
        audit.record(
            session,
            actor,
            Action.KEYS_REVOKED,
            account_id=account.id,
            reason=why,
            cause=reason.value,
            keys=result.rowcount,
        )
        if tell:
            outbox.enqueue_to(
                session, account, MailKind.KEYS_REVOKED, reason=reason.value, keys=result.rowcount
            )
    return result.rowcount


def check_wanted(wanted: Wanted, highest: int) -> None:
    """Hold what is asked for against the rules; raises InvalidInput with the contract's code.

    ``highest`` is the highest level that may be given.
    """
    if not wanted.name:
        raise InvalidInput("nameMissing", "name")
    if len(wanted.name) > NAME_LENGTH:
        raise InvalidInput("nameTooLong", "name", maximum=NAME_LENGTH)
    if not wanted.name.isprintable():
        raise InvalidInput("nameNotPrintable", "name")
    if not 0 <= wanted.level <= HIGHEST_LEVEL:
        raise InvalidInput("invalidLevel", "level")
    if wanted.life <= timedelta(0):
        raise InvalidInput("expiresInNotNumeric", "expires")
    if wanted.life > LONGEST_LIFE:
        raise InvalidInput("expiresInHigherThanMaximum", "expires", days=LONGEST_LIFE.days)
    if wanted.level > highest:
        raise InvalidInput("keyLevelExceedsRoleLevel", "level", highest=highest)


def _issue(
    session: Session,
    actor: Actor,
    account: Account,
    wanted: Wanted,
    nonce: UUID | None,
    *,
    replaces: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    now = clock.utcnow()
    highest, latest = account.role.level, now + LONGEST_LIFE
    if actor.key_id is not None:
        parent = session.scalars(owned(account.id, actor.key_id)).one()
        if not parent.is_live(now):
            raise Forbidden
        highest, latest = min(highest, parent.level), parent.expires_at
    check_wanted(wanted, highest)
    secret = secrets.make_secret(settings.key_prefix)
    key = ApiKey(
        id=secrets.uuid7(),
        account_id=account.id,
        name=wanted.name,
        level=wanted.level,
        digest=secrets.digest(settings.peppers[settings.current_pepper], secret),
        pepper_id=settings.current_pepper,
        nonce=nonce,
        made_by_key_id=actor.key_id,
        replaces_id=replaces.id if replaces else None,
        created_at=now,
        expires_at=min(now + wanted.life, latest),
    )
    session.add(key)
    _tell_made(session, actor, account, key)
    session.flush()
    return key, secret


def _tell_made(session: Session, actor: Actor, account: Account, key: ApiKey) -> None:
    facts: dict[str, Any] = {"name": key.name, "level": key.level, "expires_at": clock.iso(key.expires_at)}
    audit.record(session, actor, Action.KEY_CREATED, account_id=account.id, key_id=key.id, **facts)
    outbox.enqueue_to(
        session,
        account,
        MailKind.KEY_MADE,
        **facts,
        key=str(key.id),
        made_by_key=str(actor.key_id) if actor.key_id else None,
        source=actor.address,
    )


def _revoke(session: Session, actor: Actor, key: ApiKey, reason: Reason, why: str | None = None) -> None:
    key.revoked_at, key.revoked_reason = clock.utcnow(), reason
    audit.record(
        session,
        actor,
        Action.KEY_REVOKED,
        account_id=key.account_id,
        key_id=key.id,
        reason=why,
        cause=reason.value,
        name=key.name,
    )


def _lock_owner(session: Session, actor: Actor) -> Account:
    account = lock_account(session, _account_id(actor))
    if account is None:
        raise NotFound
    require_good_standing(account)
    return account


def require_good_standing(account: Account) -> None:
    """Raise AccountBlocked, AccountLocked, Forbidden or ConsentLacking when keys may not live."""
    if account.status == Status.BLOCKED:
        raise AccountBlocked
    if account.status == Status.LOCKED:
        raise AccountLocked
    if account.status != Status.ACTIVE:
        raise Forbidden
    if not account.may_own_keys:
        raise ConsentLacking


def _refuse_second(session: Session, account: Account, nonce: UUID | None) -> None:
    if nonce is None:
        return
    made = session.scalars(
        select(ApiKey.id).where(ApiKey.nonce == nonce, ApiKey.account_id == account.id)
    ).one_or_none()
    if made is not None:
        raise AlreadyMade(made)


def _account_id(actor: Actor) -> int:
    if actor.account_id is None:
        raise Forbidden
    return actor.account_id
