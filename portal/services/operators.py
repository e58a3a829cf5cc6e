"""What operators may do to accounts: look, block, unblock, revoke, and change roles.

Support (level 8) blocks, unblocks and revokes; only admins (9) change roles. Nobody acts
on someone above them, nor on themselves, and the last admin is safe.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, func, or_, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.extensions import db
from portal.models import Account, Action, ActorKind, ApiKey, AuditEvent, MailKind, Reason, Status
from portal.permissions import ADMINISTER, SUPPORT, Role
from portal.services import audit, keys, outbox, sessions, tokens
from portal.services.actor import Actor
from portal.services.errors import Forbidden, InvalidInput, LastAdmin, NotFound
from portal.services.transaction import transaction

PAGE_SIZE = 25
REASON_LENGTH = 500

_ADMINS = 0x61646D696E
"""The number of the lock on PostgreSQL; on SQLite whoever writes is alone."""
_LIKE_A_SECRET = re.compile(r"\w+_[0-9A-Za-z]{49}")
_KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One page of a list of accounts, counted from 1."""

    items: Sequence[Account]
    number: int
    pages: int
    total: int


def search_accounts(
    actor: Actor,
    *,
    query: str = "",
    role: Role | None = None,
    status: Status | None = None,
    page: int = 1,
) -> AccountPage:
    """The accounts whose name, address, number or key fits, the newest first.

    The look is recorded; a secret that was pasted by mistake is not. Raises Forbidden.
    """
    _require(actor, SUPPORT)
    condition = and_(
        Account.removed_at.is_(None),
        _like(query),
        Account.role == role if role else true(),
        Account.status == status if status is not None else true(),
    )
    total = db.session.scalar(select(func.count()).select_from(Account).where(condition)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    number = min(max(1, page), pages)
    with transaction() as session:
        audit.record(session, actor, Action.ACCOUNTS_SEARCHED, query=_recordable(query), page=number)
    items = db.session.scalars(
        select(Account)
        .where(condition)
        .order_by(Account.id.desc())
        .limit(PAGE_SIZE)
        .offset((number - 1) * PAGE_SIZE)
    ).all()
    return AccountPage(items, number, pages, total)


def read_account(actor: Actor, account_id: int) -> Account:
    """One account, for an operator. The look is recorded. Raises NotFound."""
    _require(actor, SUPPORT)
    with transaction() as session:
        account = session.get(Account, account_id)
        if account is None:
            raise NotFound
        audit.record(session, actor, Action.ACCOUNT_READ, account_id=account_id)
    return account


def note_record_read(actor: Actor, account_id: int | None = None) -> None:
    """Record that an operator looks at the record, of all or of one account. Raises Forbidden."""
    _require(actor, SUPPORT)
    with transaction() as session:
        audit.record(session, actor, Action.RECORD_READ, account_id=account_id)


def note_usage_read(actor: Actor, span: str) -> None:
    """Record that an operator looks at the use of all keys. Raises Forbidden."""
    _require(actor, SUPPORT)
    with transaction() as session:
        audit.record(session, actor, Action.USAGE_READ, span=span)


def set_role(actor: Actor, account_id: int, role: Role, *, why: str = "") -> Account:
    """Give an account another role.

    When its level falls, all of its keys are revoked; when it rises, the sessions that were
    begun with fewer rights end. Raises InvalidInput, Forbidden, LastAdmin, NotFound.
    """
    reason = _reason(why, required=False)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, ADMINISTER)
        if role.level < account.role.level:
            if account.role is Role.ADMIN:
                refuse_last_admin(session, account.id)
            keys.revoke_all(session, actor, account, Reason.ROLE_LOWERED, why=reason)
        elif role.level > account.role.level:
            sessions.end_all(session, actor, account.id)
        if role is not account.role:
            before = account.role
            account.role, account.updated_at = role, clock.utcnow()
            audit.record(
                session,
                actor,
                Action.ACCOUNT_ROLE_CHANGED,
                account_id=account.id,
                reason=reason,
                before=before.value,
                after=role.value,
            )
            outbox.enqueue_to(session, account, MailKind.ROLE_CHANGED, role=role.value)
    return account


def block(actor: Actor, account_id: int, *, why: str) -> Account:
    """Block an account: its keys are revoked, its sessions and JWTs end.

    Raises InvalidInput without a reason, Forbidden, LastAdmin, NotFound.
    """
    reason = _reason(why)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        refuse_last_admin(session, account.id)
        if account.status != Status.BLOCKED:
            keys.revoke_all(session, actor, account, Reason.BLOCKED, why=reason)
            sessions.end_all(session, actor, account.id)
            tokens.void(session, account.id)
            before = account.status
            account.status, account.updated_at = Status.BLOCKED, clock.utcnow()
            audit.record(
                session,
                actor,
                Action.ACCOUNT_BLOCKED,
                account_id=account.id,
                reason=reason,
                before=Status(before).name.lower(),
            )
    return account


def unblock(actor: Actor, account_id: int, *, why: str) -> Account:
    """Take a block away; no key comes back.

    One that waited to be confirmed, or that its owner had locked, does so again. Raises
    InvalidInput without a reason, Forbidden, NotFound.
    """
    reason = _reason(why)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        if account.status == Status.BLOCKED:
            account.status = _before_block(session, account)
            account.updated_at = clock.utcnow()
            audit.record(session, actor, Action.ACCOUNT_UNBLOCKED, account_id=account.id, reason=reason)
    return account


def revoke_excessive(actor: Actor, account_id: int, *, why: str) -> int:
    """Revoke all keys of an account whose use is excessive; returns how many.

    Raises InvalidInput without a reason, Forbidden, NotFound.
    """
    reason = _reason(why)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        return keys.revoke_all(session, actor, account, Reason.EXCESSIVE, why=reason)


def revoke_one(actor: Actor, key_id: UUID, *, why: str) -> ApiKey:
    """Revoke somebody's key. Raises InvalidInput without a reason, Forbidden, NotFound."""
    reason = _reason(why)
    with transaction() as session:
        key = session.get(ApiKey, key_id)
        if key is None:
            raise NotFound
        account = _lock_target(session, actor, key.account_id, SUPPORT)
        keys.stamp_retired(session, account.id)
        session.refresh(key)
        if key.revoked_at is None:
            keys.revoke_in(session, actor, account, key, Reason.OPERATOR, why=reason)
    return key


def refuse_last_admin(session: Session, account_id: int) -> None:
    """Raise LastAdmin when no other admin would be left; hold all admins meanwhile."""
    rows = _lock_with_admins(session, account_id)
    admins = [row.id for row in rows if row.role is Role.ADMIN and row.status == Status.ACTIVE]
    if admins == [account_id]:
        raise LastAdmin


def may_act_on(actor_role: Role, target: Account, *, actor_id: int, level: int) -> bool:
    """Whether somebody of this role may do to the target what asks for ``level``."""
    return actor_role.level >= level and target.role.level <= actor_role.level and target.id != actor_id


def _lock_target(session: Session, actor: Actor, account_id: int, level: int) -> Account:
    found = {row.id: row for row in _lock_with_admins(session, account_id, actor.account_id)}
    target = found.get(account_id)
    if actor.kind is not ActorKind.COMMAND_LINE:
        me = _require_level(actor, found.get(actor.account_id or 0), level)
        if target and not may_act_on(me.role, target, actor_id=me.id, level=level):
            raise Forbidden
    if target is None or target.removed_at is not None:
        raise NotFound
    return target


def _before_block(session: Session, account: Account) -> Status:
    """What a blocked account was; the record of the block tells."""
    block = session.scalars(
        select(AuditEvent)
        .where(AuditEvent.account_id == account.id, AuditEvent.action == Action.ACCOUNT_BLOCKED)
        .order_by(AuditEvent.id.desc())
        .limit(1)
    ).one_or_none()
    if block is not None and block.details.get("before") == Status.LOCKED.name.lower():
        return Status.LOCKED
    return Status.INACTIVE if account.consent_at is None else Status.ACTIVE


def _lock_with_admins(session: Session, *ids: int | None) -> Sequence[Account]:
    """Lock these accounts and all admins, in the order of their numbers, one process at a time.

    The order alone is not enough: who is an admin changes, and may do so between two calls.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_ADMINS)))
    return session.scalars(
        select(Account)
        .where(or_(Account.id.in_(ids), Account.role == Role.ADMIN))
        .order_by(Account.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _require(actor: Actor, level: int) -> None:
    if actor.kind is ActorKind.COMMAND_LINE:
        return
    me = db.session.get(Account, actor.account_id) if actor.account_id else None
    _require_level(actor, me, level)


def _require_level(actor: Actor, me: Account | None, level: int) -> Account:
    """The actor's account, when it and the key that asks, if one does, reach the level."""
    if me is None or me.status != Status.ACTIVE or me.role.level < level:
        raise Forbidden
    if actor.kind is ActorKind.KEY and (actor.key_level is None or actor.key_level < level):
        raise Forbidden
    return me


def _reason(why: str, *, required: bool = True) -> str | None:
    text = why.strip()
    if required and not text:
        raise InvalidInput("reasonMissing", "reason")
    if len(text) > REASON_LENGTH:
        raise InvalidInput("reasonTooLong", "reason", maximum=REASON_LENGTH)
    return text or None


def _like(query: str) -> ColumnElement[bool]:
    words = query.strip()
    if not words:
        return true()
    conditions = [
        Account.username.icontains(words, autoescape=True),
        Account.email.icontains(words, autoescape=True),
    ]
    if words.isascii() and words.isdecimal() and len(words) < 16:
        conditions.append(Account.id == int(words))
    if _KEY_ID.fullmatch(words.lower()):
        owner = select(ApiKey.account_id).where(ApiKey.id == UUID(words))
        conditions.append(Account.id == owner.scalar_subquery())
    return or_(*conditions)


def _recordable(query: str) -> str:
    return _LIKE_A_SECRET.sub("[hidden]", query)[:100]
