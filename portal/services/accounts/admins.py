"""Who may act on whom, and that an admin always stays."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from portal.models import Account, AccountStatus
from portal.permissions import Role
from portal.services.core.errors import LastAdmin

_ADMINS = 0x61646D696E
"""The number of the lock on PostgreSQL; on SQLite whoever writes is alone."""


def refuse_last_admin(session: Session, account_id: int) -> None:
    """Raise LastAdmin when no other admin would be left; hold all admins meanwhile."""
    rows = hold_admins(session, account_id)
    admins = [row.id for row in rows if row.role is Role.ADMIN and row.status is AccountStatus.ACTIVE]
    if admins == [account_id]:
        raise LastAdmin


def may_act_on(actor_role: Role, target: Account, *, actor_id: int, level: int) -> bool:
    """Whether somebody of this role may do to the target what asks for ``level``."""
    return actor_role.level >= level and target.role.level <= actor_role.level and target.id != actor_id


def hold_admins(session: Session, *ids: int | None) -> Sequence[Account]:
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
