"""Write the audit log, beside the act and in its transaction; read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.extensions import db
from portal.models import Action, AuditEvent
from portal.models.pages import Slice, read_slice
from portal.services.core import sent_forms
from portal.services.core.actor import Actor
from portal.services.core.transaction import require_admitted

PAGE_SIZE = 50
NOT_ACTS = frozenset(
    {
        Action.ACCOUNT_READ,
        Action.ACCOUNTS_SEARCHED,
        Action.KEY_READ,
        Action.KEYS_SEARCHED,
        Action.AUDIT_LOG_READ,
        Action.USAGE_READ,
        Action.SESSION_REFUSED,
    }
)
"""Looks, and tries that failed: they change nothing, and a form may be sent again after them."""
_LARGEST_ID = 2**63 - 1
AT_ONCE = 500
"""Events of a download that are held in memory."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is looked for in the audit log; what is empty is not asked for.

    ``until`` is the first moment that is too late; ``key_ids`` are those of keys that it was done to.
    """

    actions: Sequence[Action] = ()
    since: datetime | None = None
    until: datetime | None = None
    key_ids: Sequence[UUID] | None = None


EVERYTHING = EventFilter()


def log_event(
    session: Session,
    actor: Actor,
    action: Action,
    *,
    account_id: int | None = None,
    key_id: UUID | None = None,
    reason: str | None = None,
    **details: Any,
) -> None:
    """Add one act to the audit log. Nothing secret belongs into ``reason`` or ``details``.

    The form that asks for an act is spent by it; raises AlreadySent when it is spent already.
    RuntimeError for an act of a session or a key that was not admitted in this transaction.
    """
    require_admitted(session, actor)
    _spend_form(session, actor, action)
    session.add(
        AuditEvent(
            **_by(actor),
            action=action,
            account_id=account_id,
            key_id=key_id,
            reason=reason,
            details={**details, **actor.shell},
        )
    )


def log_events(
    session: Session,
    actor: Actor,
    action: Action,
    keys: Mapping[UUID, dict[str, Any]],
    *,
    account_id: int,
    reason: str | None = None,
) -> None:
    """Add one act for each of many keys of an account, in one statement; ``keys`` has their details."""
    require_admitted(session, actor)
    _spend_form(session, actor, action)
    told = _by(actor) | {"action": action, "account_id": account_id, "reason": reason}
    session.flush()  # what was done before stands before it
    if keys:
        events = [
            told | {"key_id": key_id, "details": {**details, **actor.shell}}
            for key_id, details in keys.items()
        ]
        session.execute(insert(AuditEvent), events)


def _by(actor: Actor) -> dict[str, Any]:
    """When, by whom and from where."""
    return {
        "at": clock.utcnow(),
        "actor_kind": actor.kind,
        "actor_account_id": actor.account_id,
        "actor_key_id": actor.key_id,
        "ip_address": actor.ip_address,
        "request_id": actor.request_id,
    }


def _spend_form(session: Session, actor: Actor, action: Action) -> None:
    if actor.form is not None and action not in NOT_ACTS:
        sent_forms.spend(session, actor.form, actor.request_id or "")


def is_about(account_id: int) -> ColumnElement[bool]:
    """Whether an act was done to an account, or by it."""
    return (AuditEvent.account_id == account_id) | (AuditEvent.actor_account_id == account_id)


def list_events(
    *,
    account_id: int | None = None,
    action: Action | None = None,
    without: Sequence[Action] = (),
    limit: int = PAGE_SIZE,
) -> Sequence[AuditEvent]:
    """The newest acts first; of one account, or of all."""
    return list_events_before(None, account_id=account_id, action=action, without=without, limit=limit).items


def list_events_of_key(key_id: UUID, *, without: Sequence[Action] = (), limit: int) -> Sequence[AuditEvent]:
    """What was done to a key, the newest first."""
    query = select(AuditEvent).where(AuditEvent.key_id == key_id, AuditEvent.action.not_in(without))
    return db.session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit)).all()


def list_events_before(
    before: int | None,
    *,
    account_id: int | None = None,
    action: Action | None = None,
    without: Sequence[Action] = (),
    wanted: EventFilter = EVERYTHING,
    limit: int = PAGE_SIZE,
) -> Slice[AuditEvent]:
    """As :func:`list_events`, behind the last id seen, which is above 0; from the newest on without one."""
    query = select(AuditEvent).where(*_fits(wanted)).order_by(AuditEvent.id.desc())
    if account_id is not None:
        query = query.where(is_about(account_id))
    if action is not None:
        query = query.where(AuditEvent.action == action)
    if without:
        query = query.where(AuditEvent.action.not_in(without))
    is_first = before is None or before < 1
    if before is not None and not is_first:
        query = query.where(AuditEvent.id < min(before, _LARGEST_ID))
    return read_slice(db.session(), query, limit, is_first=is_first)


def walk_events(account_id: int, wanted: EventFilter) -> Iterator[AuditEvent]:
    """Every event about an account that fits, the newest first; a portion at a time is in memory.

    Between two portions no transaction is open, however slowly they are read.
    """
    query = select(AuditEvent).where(is_about(account_id), *_fits(wanted)).order_by(AuditEvent.id.desc())
    before = _LARGEST_ID
    while found := db.session.scalars(query.where(AuditEvent.id < before).limit(AT_ONCE)).all():
        before = found[-1].id
        for event in found:
            db.session.expunge(event)
        db.session.rollback()
        yield from found


def _fits(wanted: EventFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.actions:
        yield AuditEvent.action.in_(wanted.actions)
    if wanted.since is not None:
        yield AuditEvent.at >= wanted.since
    if wanted.until is not None:
        yield AuditEvent.at < wanted.until
    if wanted.key_ids is not None:
        yield AuditEvent.key_id.in_(wanted.key_ids)
