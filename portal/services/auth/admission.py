"""Who acts is part of the act: whoever a door let in is asked again in the transaction that acts.

Between door and act a session can end, a key be revoked, a role fall. Whatever ends a right
holds its account while it does so, and so does :func:`admit`: either the act comes first, or
it is not done. :func:`portal.services.core.audit.log_event` takes no act of whom this did not admit.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.models import Account, AccountStatus, ActorKind, ApiKey, Consent, KeyKind, UserSession
from portal.permissions import effective_level
from portal.services.auth.session_life import may_go_on
from portal.services.core.actor import Actor
from portal.services.core.errors import AccountBlocked, AccountLocked, ConsentLacking, Forbidden, NotAdmitted
from portal.services.core.outcomes import NO_LEVEL, Outcome
from portal.services.core.transaction import get_account_for_update, note_admitted


def admit(session: Session, actor: Actor, *, level: int = 0, consent: bool = True) -> Account:
    """Hold the actor's account, and their right to act against what is there now; return the account.

    The session may not have ended, nor the key; ``level`` is what the act asks for, and
    ``consent`` whether it needs one (a key always does). To be called first in the
    transaction, after :func:`portal.services.accounts.admins.hold_admins` where admins are held.
    Raises what the door would say: NotAdmitted, AccountBlocked, AccountLocked,
    ConsentLacking, and Forbidden, also for nobody.
    """
    account = get_account_for_update(session, account_id_of(actor))
    if account is None:
        raise NotAdmitted
    now = clock.utcnow()
    if actor.kind is ActorKind.KEY:
        reached = _level_of_key(session, actor, account, now)
    else:
        _refuse_ended_session(session, actor, now)
        reached = account.role.level
    if reached < level:
        raise Forbidden
    if consent and account.consent is Consent.NONE:
        raise ConsentLacking
    note_admitted(session, actor)
    return account


def account_id_of(actor: Actor) -> int:
    """The actor's account; raises Forbidden when there is none."""
    if actor.account_id is None:
        raise Forbidden
    return actor.account_id


def _refuse_ended_session(session: Session, actor: Actor, now: datetime) -> None:
    its = UserSession.id == actor.session_id, UserSession.account_id == actor.account_id
    signed = session.scalar(select(UserSession).where(*its).execution_options(populate_existing=True))
    if signed is None or not may_go_on(signed, now):
        raise NotAdmitted


def _level_of_key(session: Session, actor: Actor, account: Account, now: datetime) -> int:
    """The level that counts of the key that asks, as it is now; in the order of the door's refusals."""
    its = ApiKey.id == actor.key_id, ApiKey.account_id == account.id
    key = session.scalar(select(ApiKey).where(*its).execution_options(populate_existing=True))
    if key is None:
        raise NotAdmitted
    if key.is_revoked(now):
        raise NotAdmitted(Outcome.REVOKED)
    if key.is_expired(now):
        raise NotAdmitted(Outcome.EXPIRED)
    if account.status is not AccountStatus.ACTIVE:
        raise AccountLocked if account.status is AccountStatus.LOCKED else AccountBlocked
    if account.consent is Consent.NONE:
        raise ConsentLacking
    return NO_LEVEL if key.kind is KeyKind.SERVICE else effective_level(key.level, account.role)
