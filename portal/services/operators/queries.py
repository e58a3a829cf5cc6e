"""What operators may look at. Each look is recorded, and the command line alone may look without limit."""

from __future__ import annotations

import re
from uuid import UUID

from sqlalchemy import and_, or_, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from portal.models import Account, AccountStatus, Action, ActorKind, ApiKey
from portal.models.pages import Page, read_page
from portal.permissions import SUPPORT, Role
from portal.services.auth.admission import admit
from portal.services.core import audit, free_text
from portal.services.core.actor import Actor
from portal.services.core.emails import email_key
from portal.services.core.errors import NotFound
from portal.services.core.transaction import transaction
from portal.services.ratelimits import questions

_KEY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def search_accounts(
    actor: Actor,
    *,
    query: str = "",
    role: Role | None = None,
    status: AccountStatus | None = None,
    page: int = 1,
) -> Page[Account]:
    """The accounts whose name, email, number or key fits, the newest first.

    The look is recorded with the numbers of the accounts that it showed, and not with what was
    typed: that may be the email of somebody who is forgotten later. Raises Forbidden, Slowed.
    """
    refuse_too_many(actor)
    condition = and_(
        Account.removed_at.is_(None),
        _like(query),
        Account.role == role if role else true(),
        Account.status == status if status is not None else true(),
    )
    with transaction() as session:
        admit_look(session, actor)
        found = read_page(session, select(Account).where(condition).order_by(Account.id.desc()), page)
        shown = [each.id for each in found.items]
        audit.log_event(
            session, actor, Action.ACCOUNTS_SEARCHED, found=found.total, page=found.number, accounts=shown
        )
    session.scalars(select(Account).where(Account.id.in_(shown))).all()  # at once; they expired with it
    return found


def read_account(actor: Actor, account_id: int) -> Account:
    """One account, for an operator. The look is recorded. Raises NotFound, Forbidden, Slowed."""
    refuse_too_many(actor)
    with transaction() as session:
        admit_look(session, actor)
        account = session.get(Account, account_id)
        if account is None:
            raise NotFound
        audit.log_event(session, actor, Action.ACCOUNT_READ, account_id=account_id)
    return account


def note_usage_read(actor: Actor, span: str) -> None:
    """Record that an operator looks at the use of all keys. Raises Forbidden, Slowed."""
    refuse_too_many(actor)
    with transaction() as session:
        admit_look(session, actor)
        audit.log_event(session, actor, Action.USAGE_READ, span=span)


def refuse_too_many(actor: Actor) -> None:
    """Count a look, but of the command line. Raises Slowed."""
    if actor.kind is ActorKind.COMMAND_LINE:
        return
    questions.require(questions.may_look(actor.account_id or 0, actor.session_id))


def admit_look(session: Session, actor: Actor) -> None:
    """Raise Forbidden for whoever is less than support, NotAdmitted for whose session has ended."""
    if actor.kind is not ActorKind.COMMAND_LINE:
        admit(session, actor, level=SUPPORT)


def _like(query: str) -> ColumnElement[bool]:
    words = free_text.plain(query).strip()
    if not words:
        return true()
    conditions = [
        Account.lusername.contains(words.lower(), autoescape=True),
        Account.lemail.contains(words.lower(), autoescape=True),
    ]
    if "@" in words:
        conditions.append(Account.lemail == email_key(words))
    if words.isascii() and words.isdecimal() and len(words) < 16:
        conditions.append(Account.id == int(words))
    if _KEY_ID.fullmatch(words.lower()):
        owner = select(ApiKey.account_id).where(ApiKey.id == UUID(words))
        conditions.append(Account.id == owner.scalar_subquery())
    return or_(*conditions)
