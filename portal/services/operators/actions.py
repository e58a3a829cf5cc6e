"""What operators do to accounts and keys: each with a reason, each in the audit log."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from portal import clock
from portal.models import Account, AccountStatus, Action, ActorKind, ApiKey, MailKind, RevocationReason
from portal.permissions import ADMINISTER, SUPPORT, Role
from portal.services.accounts.admins import hold_admins, may_act_on, refuse_last_admin
from portal.services.auth import sessions
from portal.services.auth.admission import admit
from portal.services.core import audit, free_text
from portal.services.core.actor import Actor
from portal.services.core.errors import Forbidden, InvalidInput, NotFound
from portal.services.core.transaction import transaction
from portal.services.keys import revocation
from portal.services.mail import outbox
from portal.services.ratelimits import questions

REASON_LENGTH = 500


def set_role(actor: Actor, account_id: int, role: Role, *, why: str = "") -> Account:
    """Give an account another role.

    When its level falls, all of its keys are revoked; when it rises, the sessions that were
    begun with fewer rights end. Raises InvalidInput, Forbidden, LastAdmin, NotFound.
    """
    reason = clean_reason(why, required=False)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, ADMINISTER)
        if role.level < account.role.level:
            if account.role is Role.ADMIN:
                refuse_last_admin(session, account.id)
            revocation.revoke_all(session, actor, account, RevocationReason.ROLE_LOWERED, why=reason)
        elif role.level > account.role.level:
            sessions.end_all(session, actor, account.id)
        if role is not account.role:
            before = account.role
            account.role, account.updated_at = role, clock.utcnow()
            audit.log_event(
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
    """Block an account: its keys are revoked, its sessions and JWTs end. Its owner is mailed the reason.

    Raises InvalidInput without a reason, Forbidden, LastAdmin, NotFound.
    """
    reason = clean_reason(why)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        refuse_last_admin(session, account.id)
        if account.status is not AccountStatus.BLOCKED:
            ended = revocation.revoke_all(
                session, actor, account, RevocationReason.BLOCKED, why=reason, tell=False
            )
            sessions.end_all(session, actor, account.id)
            before = account.status
            account.status, account.status_before_block = AccountStatus.BLOCKED, before
            account.updated_at = clock.utcnow()
            audit.log_event(
                session,
                actor,
                Action.ACCOUNT_BLOCKED,
                account_id=account.id,
                reason=reason,
                before=before.word,
            )
            if before is not AccountStatus.INACTIVE:  # else nobody has proved that the email is theirs
                outbox.enqueue_to(session, account, MailKind.ACCOUNT_BLOCKED, why=reason, keys=ended)
    return account


def unblock(actor: Actor, account_id: int, *, why: str) -> Account:
    """Take a block away; no key comes back.

    One that waited to be confirmed, or that its owner had locked, does so again; one that was
    blocked past the portal is locked, and its owner opens it with a mailed link. Raises
    InvalidInput without a reason, Forbidden, NotFound.
    """
    reason = clean_reason(why)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        if account.status is AccountStatus.BLOCKED:
            before = account.status_before_block
            account.status = AccountStatus.LOCKED if before is None else before
            account.status_before_block, account.updated_at = None, clock.utcnow()
            audit.log_event(session, actor, Action.ACCOUNT_UNBLOCKED, account_id=account.id, reason=reason)
    return account


def end_sessions(actor: Actor, account_id: int, *, why: str) -> Account:
    """End every session of an account, JWTs included, with the links and changes that wait; keys go on.

    Raises InvalidInput without a reason, Forbidden, NotFound.
    """
    reason = clean_reason(why)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        sessions.end_all(session, actor, account.id, why=reason)
    return account


def mail_way_back(actor: Actor, account_id: int, *, why: str) -> Account:
    """Mail the owner the link that leads back in; what it does is for the owner to do.

    To whoever never confirmed the address the link to confirm; to everybody else one that sets
    a new password, and opens the account where its owner had locked it. Raises InvalidInput
    without a reason and for a blocked account, Forbidden, NotFound, Slowed.
    """
    reason = clean_reason(why)
    questions.require(questions.may_mail_way_back(actor.account_id or actor.kind.value, account_id))
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        if account.status is AccountStatus.BLOCKED:
            raise InvalidInput("unblockFirst", "reason")
        kind = MailKind.SIGN_UP if account.status is AccountStatus.INACTIVE else MailKind.RESET
        outbox.enqueue_to(session, account, kind)
        audit.log_event(session, actor, Action.ACCOUNT_LINK_MAILED, account_id=account.id, reason=reason)
    return account


def revoke_excessive(actor: Actor, account_id: int, *, why: str) -> int:
    """Revoke all keys of an account whose use is excessive; returns how many.

    Raises InvalidInput without a reason, Forbidden, NotFound.
    """
    reason = clean_reason(why)
    with transaction() as session:
        account = _lock_target(session, actor, account_id, SUPPORT)
        return revocation.revoke_all(session, actor, account, RevocationReason.EXCESSIVE, why=reason)


def revoke_one(actor: Actor, key_id: UUID, *, why: str) -> ApiKey:
    """Revoke somebody's key. Raises InvalidInput without a reason, Forbidden, NotFound."""
    reason = clean_reason(why)
    with transaction() as session:
        key = session.get(ApiKey, key_id)
        if key is None:
            raise NotFound
        account = _lock_target(session, actor, key.account_id, SUPPORT)
        revocation.stamp_retired(session, account.id)
        session.refresh(key)
        if key.revoked_at is None:
            revocation.apply_revocation(session, actor, account, key, RevocationReason.OPERATOR, why=reason)
    return key


def _lock_target(session: Session, actor: Actor, account_id: int, level: int) -> Account:
    found = {row.id: row for row in hold_admins(session, account_id, actor.account_id)}
    target = found.get(account_id)
    if actor.kind is not ActorKind.COMMAND_LINE:
        me = admit(session, actor, level=level)
        if target and not may_act_on(me.role, target, actor_id=me.id, level=level):
            raise Forbidden
    if target is None or target.removed_at is not None:
        raise NotFound
    return target


def clean_reason(why: str, *, required: bool = True) -> str | None:
    """Why something is done, as the audit log keeps it; raises InvalidInput."""
    text = why.strip()
    if required and not text:
        raise InvalidInput("reasonMissing", "reason")
    if len(text) > REASON_LENGTH:
        raise InvalidInput("reasonTooLong", "reason", maximum=REASON_LENGTH)
    free_text.check(text, "reasonNotPrintable", "reason", lines=True)
    return text or None
