"""One use case, one transaction.

Everything that writes does so inside :func:`transaction`. On SQLite it begins with the
write lock in hand (``BEGIN IMMEDIATE``), since a reading transaction that turns into a
writing one fails or loses updates; on PostgreSQL the rows that a rule is about are locked
by :func:`get_account_for_update`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import CursorResult, Delete, Update, event
from sqlalchemy.orm import ORMExecuteState, Session

from portal.extensions import db
from portal.models import Account, ActorKind

if TYPE_CHECKING:
    from portal.services.core.actor import Actor

_WRITING = "portal_writing"
_ADMITTED = "portal_admitted"
_LET_IN = frozenset({ActorKind.BROWSER, ActorKind.JWT, ActorKind.KEY})
"""Whom a door let in, by a session or a key that can have ended since."""


@contextmanager
def transaction() -> Iterator[Session]:
    """Begin a writing transaction, commit it at the end, roll back on any exception.

    What was read before is forgotten, so that a rule is checked on what is there now.
    RuntimeError when one is open already.
    """
    session = db.session()
    if session.info.get(_WRITING):
        raise RuntimeError("a use case is one transaction, it does not hold another")
    session.rollback()
    session.info[_WRITING] = True
    try:
        session.connection(execution_options={"portal_writes": True})
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop(_WRITING, None)
        session.info.pop(_ADMITTED, None)


def count_changed(session: Session, statement: Update | Delete) -> int:
    """Change or delete rows in the caller's transaction; return how many."""
    result = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


def get_account_for_update(session: Session, account_id: int) -> Account | None:
    """Read an account and hold it until the transaction ends, so that no rule about it races."""
    return session.get(Account, account_id, with_for_update=True, populate_existing=True)


def note_admitted(session: Session, actor: Actor) -> None:
    """Keep for this transaction that the actor's right was checked in it."""
    session.info.setdefault(_ADMITTED, set()).add(actor)


def require_admitted(session: Session, actor: Actor) -> None:
    """Raise RuntimeError for a session or a key whose right was not checked in this transaction."""
    if actor.kind in _LET_IN and actor not in session.info.get(_ADMITTED, ()):
        raise RuntimeError("who acts is admitted first, by portal.services.auth.admission.admit")


@event.listens_for(Session, "before_flush")
def _refuse_flush(session: Session, _context: object, _instances: object) -> None:
    if not session.info.get(_WRITING):
        raise RuntimeError("writes go through portal.services.core.transaction")


@event.listens_for(Session, "do_orm_execute")
def _refuse_statement(state: ORMExecuteState) -> None:
    writes = state.is_insert or state.is_update or state.is_delete
    if writes and not state.session.info.get(_WRITING):
        raise RuntimeError("writes go through portal.services.core.transaction")
