"""Ending keys: one, some, a line of them, or all of an account."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, true, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.models import Account, Action, ApiKey, MailKind, RevocationReason
from portal.permissions import WRITE_ACCOUNT
from portal.services.auth.admission import admit
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import NotFound
from portal.services.core.outcomes import NO_LEVEL
from portal.services.core.transaction import transaction
from portal.services.keys import queries as key_queries
from portal.services.keys.queries import owned
from portal.services.mail import outbox

MOST_NAMED = 20
"""Keys that one mail names; of the others it tells how many."""


def revoke_key(actor: Actor, key_id: UUID, *, holds_secret: bool = False) -> ApiKey:
    """Revoke a key of the actor's account for good; a second time changes nothing.

    A key needs the level to write to the account, unless its holder shows the secret of the
    key that shall end; none at all to revoke itself. Raises NotFound for a key that is not
    there, or not the actor's, and what :func:`portal.services.auth.admission.admit` raises.
    """
    needed = NO_LEVEL if key_id == actor.key_id else 0 if holds_secret else WRITE_ACCOUNT
    with transaction() as session:
        account = admit(session, actor, level=needed)
        key = session.scalars(owned(account.id, key_id)).one_or_none()
        if key is None:
            raise NotFound
        stamp_retired(session, account.id)
        if key.revoked_at is None:
            apply_revocation(session, actor, account, key, RevocationReason.OWNER)
    return key


def apply_revocation(
    session: Session,
    actor: Actor,
    account: Account,
    key: ApiKey,
    reason: RevocationReason,
    *,
    why: str | None = None,
) -> None:
    """Revoke one key in the caller's transaction, and write the owner a mail."""
    revoke_without_mail(session, actor, key, reason, why)
    tell_owner(session, account, reason, keys=1, names=[key.name])


def tell_owner(
    session: Session, account: Account, reason: RevocationReason, *, keys: int, **more: list[str]
) -> None:
    """Write the owner a mail that so many keys were revoked; ``names`` are those of some."""
    outbox.enqueue_to(session, account, MailKind.KEYS_REVOKED, reason=reason.value, keys=keys, **more)


def revoke_line(actor: Actor, key_id: UUID) -> int:
    """Revoke a key of the actor's account with everything that it created; returns how many ended.

    One that has ended stays as it is, and what it created ends. Raises NotFound for a key that
    is not there, or not the actor's, and what :func:`portal.services.auth.admission.admit` raises.
    """
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT)
        if session.scalars(owned(account.id, key_id)).one_or_none() is None:
            raise NotFound
        told: dict[UUID, dict[str, Any]] = {key_id: {}}
        told |= {
            each: {"line": str(key_id)} for each in key_queries.descendants_of(session, account.id, key_id)
        }
        ended = revoke_these(session, actor, account.id, RevocationReason.OWNER, told)
        if ended:
            names = list(ended.values())[:MOST_NAMED]
            tell_owner(session, account, RevocationReason.OWNER, keys=len(ended), names=names)
    return len(ended)


def revoke_selected(actor: Actor, key_ids: Collection[UUID]) -> int:
    """Revoke these keys of the actor's account, all of them or none; returns how many ended now.

    What was revoked before stays as it is, so that a second time changes nothing. One mail names
    them. Raises NotFound when one is not there, or not the actor's, and what
    :func:`portal.services.auth.admission.admit` raises.
    """
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT)
        wanted = sorted(set(key_ids))
        if key_queries.count_owned(session, account.id, wanted) < len(wanted):
            raise NotFound
        told: dict[UUID, dict[str, Any]] = {key_id: {} for key_id in wanted}
        ended = revoke_these(session, actor, account.id, RevocationReason.OWNER, told)
        if ended:
            names = list(ended.values())[:MOST_NAMED]
            tell_owner(session, account, RevocationReason.OWNER, keys=len(ended), names=names)
    return len(ended)


def revoke_all(
    session: Session,
    actor: Actor,
    account: Account,
    reason: RevocationReason,
    *,
    why: str | None = None,
    tell: bool = True,
) -> int:
    """Revoke every key of an account, in the caller's transaction.

    The account is locked by the caller. ``tell`` writes the owner a mail. Returns how many
    keys there were to revoke.
    """
    ended = len(revoke_each(session, actor, account.id, true(), reason, why=why))
    if ended:
        audit.log_event(
            session,
            actor,
            Action.KEYS_REVOKED,
            account_id=account.id,
            reason=why,
            cause=reason.value,
            keys=ended,
        )
        if tell:
            tell_owner(session, account, reason, keys=ended)
    return ended


def revoke_each(
    session: Session,
    actor: Actor,
    account_id: int,
    meant: ColumnElement[bool],
    reason: RevocationReason,
    *,
    why: str | None = None,
    told: Mapping[UUID, dict[str, Any]] = MappingProxyType({}),
) -> dict[UUID, str]:
    """Revoke the keys of an account that are meant, each with its own line in the audit log.

    It takes a few statements, however many they are. The account is locked by the caller.
    ``told`` has more for the lines of some keys. Returns the names by key, the oldest first.
    """
    stamp_retired(session, account_id)
    condition = and_(ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None), meant)
    found = session.execute(select(ApiKey.id, ApiKey.name).where(condition).order_by(ApiKey.id)).all()
    session.execute(
        update(ApiKey)
        .where(condition)
        .values(revoked_at=clock.utcnow(), revoked_reason=reason)
        .execution_options(synchronize_session=False)
    )
    lines_told = {
        key_id: {"cause": reason.value, "name": name, **told.get(key_id, {})} for key_id, name in found
    }
    audit.log_events(session, actor, Action.KEY_REVOKED, lines_told, account_id=account_id, reason=why)
    return dict(found)


def revoke_these(
    session: Session,
    actor: Actor,
    account_id: int,
    reason: RevocationReason,
    told: Mapping[UUID, dict[str, Any]],
) -> dict[UUID, str]:
    """Revoke these keys as :func:`revoke_each` does, however many; ``told`` has the details of each."""
    ended: dict[UUID, str] = {}
    for some in key_queries.portions(sorted(told)):
        ended |= revoke_each(session, actor, account_id, ApiKey.id.in_(some), reason, told=told)
    return ended


def stamp_retired(session: Session, account_id: int) -> int:
    """Mark the keys whose overlap is over as revoked at its end, in the caller's transaction.

    The account is locked by the caller. Whatever ends keys begins with it, so that a cause
    that comes later does not stand as theirs. Returns how many there were.
    """
    retired = select(ApiKey).where(
        ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None), ApiKey.retires_at <= clock.utcnow()
    )
    found = session.scalars(retired).all()
    for key in found:
        revoke_without_mail(session, Actor.system(), key, RevocationReason.REPLACED, at=key.retires_at)
    session.flush()
    return len(found)


def revoke_without_mail(
    session: Session,
    actor: Actor,
    key: ApiKey,
    reason: RevocationReason,
    why: str | None = None,
    *,
    at: datetime | None = None,
    **details: object,
) -> None:
    """Revoke one key in the caller's transaction, without a mail; ``at`` is another moment than now.

    ``details`` go into the audit log.
    """
    key.revoked_at, key.revoked_reason = at or clock.utcnow(), reason
    audit.log_event(
        session,
        actor,
        Action.KEY_REVOKED,
        account_id=key.account_id,
        key_id=key.id,
        reason=why,
        cause=reason.value,
        name=key.name,
        **details,
    )
