"""Removing an account: its keys end, what is personal goes, the audit log stays."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.models import Account, AccountStatus, Action, Consent, MailKind, RevocationReason
from portal.permissions import WRITE_ACCOUNT
from portal.services.accounts.admins import hold_admins, refuse_last_admin
from portal.services.auth import sessions
from portal.services.auth.admission import admit
from portal.services.auth.reauthentication import prove_password
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.keys import revocation
from portal.services.mail import outbox

UNCONFIRMED_LIFE = timedelta(days=7)


def remove_account(actor: Actor, password: str) -> None:
    """Remove the actor's own account for good.

    Raises InvalidInput for a wrong password, LastAdmin for the only admin.
    """
    account_id = prove_password(actor, password)
    with transaction() as session:
        hold_admins(session, account_id)
        account = admit(session, actor, level=WRITE_ACCOUNT, consent=False)
        refuse_last_admin(session, account_id)
        outbox.enqueue_to(session, account, MailKind.ACCOUNT_REMOVED)
        empty(session, actor, account)


def empty(session: Session, actor: Actor, account: Account) -> None:
    """Revoke, end and empty everything of an account, in the caller's transaction.

    The name that is left can't be chosen (:func:`portal.services.accounts.fields.clean_username`), so
    that nobody has taken it before.
    """
    revocation.revoke_all(session, actor, account, RevocationReason.ACCOUNT_REMOVED, tell=False)
    sessions.end_all(session, actor, account.id)
    now = clock.utcnow()
    account.status = AccountStatus.INACTIVE
    account.consent = Consent.NONE
    account.email = account.lemail = account.password_hash = None
    account.username = account.lusername = f"removed:{account.id}"
    account.bio = ""
    account.updated_at = account.removed_at = now
    audit.log_event(session, actor, Action.ACCOUNT_REMOVED, account_id=account.id)


def forget_unconfirmed() -> int:
    """Empty the accounts that nobody confirmed for a week; returns how many."""
    oldest = clock.utcnow() - UNCONFIRMED_LIFE
    with transaction() as session:
        accounts = session.scalars(
            select(Account)
            .where(
                Account.status == AccountStatus.INACTIVE,
                Account.removed_at.is_(None),
                Account.created_at < oldest,
            )
            .order_by(Account.id)
            .with_for_update()
        ).all()
        for account in accounts:
            empty(session, Actor.system(), account)
    return len(accounts)
