"""Removing an account: its keys end, what is personal goes, the record stays."""

from __future__ import annotations

from sqlalchemy.orm import Session

from portal import clock
from portal.models import Account, Action, Consent, MailKind, Reason, Status
from portal.services import audit, keys, outbox, sessions
from portal.services.actor import Actor
from portal.services.errors import NotFound
from portal.services.operators import refuse_last_admin
from portal.services.recovery import prove_password
from portal.services.transaction import lock_account, transaction


def remove_account(actor: Actor, password: str) -> None:
    """Remove the actor's own account for good.

    Raises InvalidInput for a wrong password, LastAdmin for the only admin.
    """
    account_id = prove_password(actor, password)
    with transaction() as session:
        refuse_last_admin(session, account_id)
        locked = lock_account(session, account_id)
        if locked is None or locked.removed_at is not None:
            raise NotFound
        outbox.enqueue_to(session, locked, MailKind.ACCOUNT_REMOVED)
        empty(session, actor, locked)


def empty(session: Session, actor: Actor, account: Account) -> None:
    """Revoke, end and empty everything of an account, in the caller's transaction.

    The name that is left can't be chosen (:func:`portal.services.fields.clean_username`), so
    that nobody has taken it before.
    """
    keys.revoke_all(session, actor, account, Reason.ACCOUNT_REMOVED, tell=False)
    sessions.end_all(session, actor, account.id)
    now = clock.utcnow()
    account.status = Status.INACTIVE
    account.consent = Consent.NONE
    account.email = account.lemail = account.password_hash = None
    account.username = account.lusername = f"removed:{account.id}"
    account.bio = ""
    account.updated_at = account.removed_at = now
    audit.record(session, actor, Action.ACCOUNT_REMOVED, account_id=account.id)
