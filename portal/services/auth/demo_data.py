"""Whether an installation holds the demo's accounts: they never work on a public base URL."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from portal.extensions import db, settings
from portal.models import Account, Action, ApiKey, AuditEvent
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction

DOMAIN = "demo.example"
"""Of the emails of the demo's accounts: a name that nobody can own (RFC 2606)."""

FIRST = 12
"""Accounts that a demo has."""
FOR_EVER = 2**62
"""Above every number of a row: where there is no account, or it has done nothing, each line counts."""


class NotEmpty(Exception):
    """There are accounts, or were."""


def mark(actor: Actor) -> None:
    """Write into the audit log that this installation holds demo data, for good.

    Raises NotEmpty when there are, or were, accounts.
    """
    with transaction() as session:
        if not is_empty():
            raise NotEmpty
        audit.log_event(session, actor, Action.DEMO_FILLED)


def is_empty() -> bool:
    """Whether there are no accounts, and never were. Raises DBAPIError."""
    return db.session.scalar(select(Account.id).limit(1)) is None and not is_marked()


def list_accounts() -> list[tuple[Account, int]]:
    """The accounts that can still be found by an email, and how many keys each ever had."""
    keys = select(func.count()).where(ApiKey.account_id == Account.id).scalar_subquery()
    rows = db.session.execute(select(Account, keys).where(Account.email.is_not(None)).order_by(Account.id))
    return [(account, number) for account, number in rows]


def is_marked() -> bool:
    """Whether this installation was ever filled with demo data. Raises DBAPIError.

    The audit log tells, and the emails of the accounts where that line has ended. Both were
    written when nothing else was there: the line stands before all that the first account did,
    the accounts are the first. So each sign-in can ask, however long the log is.
    """
    first = select(func.min(Account.id)).scalar_subquery()
    begun = select(func.min(AuditEvent.id)).where(AuditEvent.account_id == first).scalar_subquery()
    told = select(AuditEvent.id).where(
        AuditEvent.action == Action.DEMO_FILLED, AuditEvent.id < func.coalesce(begun, FOR_EVER)
    )
    accounts = select(Account.lemail).order_by(Account.id).limit(FIRST).subquery()
    named = select(accounts).where(accounts.c.lemail.endswith(f"@{DOMAIN}"))
    return db.session.scalar(select(or_(told.exists(), named.exists()))) or False


def is_shut() -> bool:
    """Whether nobody may sign in here: demo data is for this machine alone. Raises DBAPIError."""
    return settings.is_public and is_marked()
