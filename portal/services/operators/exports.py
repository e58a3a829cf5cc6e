"""Lists for operators: whole ones for the command line, and what stands beside a page of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import joinedload

from portal import clock
from portal.extensions import db
from portal.models import Account, AccountStatus, Action, ActorKind, ApiKey, AuditEvent, key_states
from portal.permissions import Role
from portal.services.auth.logins import find_by_login
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import Forbidden, NotFound
from portal.services.core.transaction import transaction

AT_ONCE = 500
"""Rows that are held in memory at a time."""


def get_account(login: str) -> Account:
    """The account of this email, name or number. Raises NotFound."""
    account = find_by_login(login)
    if account is None or account.removed_at is not None:
        raise NotFound
    return account


def list_accounts(
    actor: Actor, *, role: Role | None = None, status: AccountStatus | None = None
) -> Iterator[tuple[Account, int]]:
    """Every account that fits, by number, with how many live keys it has. Raises Forbidden."""
    _note(actor, Action.ACCOUNTS_SEARCHED)
    is_live = ApiKey.account_id == Account.id, key_states.live(clock.utcnow())
    live = select(func.count()).where(*is_live).scalar_subquery()
    query = select(Account, live).where(Account.removed_at.is_(None))
    if role is not None:
        query = query.where(Account.role == role)
    if status is not None:
        query = query.where(Account.status == status)
    for account, keys in _all(query, Account):
        yield account, int(keys)


def list_keys(actor: Actor, account: Account | None = None) -> Iterator[ApiKey]:
    """Every key, of one account or of all, the oldest first, with its owner. Raises Forbidden."""
    _note(actor, Action.ACCOUNTS_SEARCHED if account is None else Action.ACCOUNT_READ, account)
    query = select(ApiKey).options(joinedload(ApiKey.account))
    if account is not None:
        query = query.where(ApiKey.account_id == account.id)
    return (key for [key] in _all(query, ApiKey))


def list_audit_log(
    actor: Actor, account: Account | None = None, action: Action | None = None
) -> Iterator[AuditEvent]:
    """The audit log, of one account or of all, the oldest act first. Raises Forbidden."""
    _note(actor, Action.AUDIT_LOG_READ, account)
    query = select(AuditEvent)
    if account is not None:
        query = query.where(audit.is_about(account.id))
    if action is not None:
        query = query.where(AuditEvent.action == action)
    return (act for [act] in _all(query, AuditEvent))


def count_live_keys(account_ids: Iterable[int]) -> dict[int, int]:
    """How many live keys each of these accounts has."""
    wanted = set(account_ids)
    are_live = ApiKey.account_id.in_(wanted), key_states.live(clock.utcnow())
    query = select(ApiKey.account_id, func.count()).where(*are_live).group_by(ApiKey.account_id)
    return dict.fromkeys(wanted, 0) | dict(db.session.execute(query).all())


class Whose(NamedTuple):
    """By what an account is known: its email, None where it was removed, and its name."""

    email: str | None
    username: str


def whose_of(account_ids: Iterable[int | None]) -> dict[int, Whose]:
    """Email and name of these accounts, as they are now."""
    query = select(Account.id, Account.email, Account.username).where(
        Account.id.in_(set(account_ids) - {None})
    )
    return {number: Whose(email, username) for number, email, username in db.session.execute(query)}


def _all(
    query: Select[*tuple[Any, ...]], model: type[Account | ApiKey | AuditEvent]
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Every row of a query, by the number of what stands first in it, a portion at a time in memory."""
    query = query.order_by(model.id).limit(AT_ONCE)
    found = db.session.execute(query).all()
    while found:
        yield from found
        found = db.session.execute(query.where(model.id > found[-1][0].id)).all()


def _note(actor: Actor, action: Action, account: Account | None = None) -> None:
    if actor.kind is not ActorKind.COMMAND_LINE:
        raise Forbidden
    with transaction() as session:
        audit.log_event(session, actor, action, account_id=account.id if account else None)
