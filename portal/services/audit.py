"""Write the record, beside the act and in its transaction; read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.extensions import db
from portal.models import Action, AuditEvent
from portal.services.actor import Actor

PAGE_SIZE = 50
_LARGEST_ID = 2**63 - 1


def record(
    session: Session,
    actor: Actor,
    action: Action,
    *,
    account_id: int | None = None,
    key_id: UUID | None = None,
    reason: str | None = None,
    **details: Any,
) -> None:
    """Add one act to the record. Nothing secret belongs into ``reason`` or ``details``."""
    session.add(
        AuditEvent(
            at=clock.utcnow(),
            action=action,
            actor_kind=actor.kind,
            actor_account_id=actor.account_id,
            actor_key_id=actor.key_id,
            account_id=account_id,
            key_id=key_id,
            address=actor.address,
            request_id=actor.request_id,
            reason=reason,
            details=details,
        )
    )


def is_about(account_id: int) -> ColumnElement[bool]:
    """Whether an act was done to an account, or by it."""
    return (AuditEvent.account_id == account_id) | (AuditEvent.actor_account_id == account_id)


def list_events(
    *,
    account_id: int | None = None,
    action: Action | None = None,
    without: Sequence[Action] = (),
    before: int | None = None,
    limit: int = PAGE_SIZE,
) -> list[AuditEvent]:
    """The newest acts first; of one account, or of all. ``before`` is the last id seen."""
    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if account_id is not None:
        query = query.where(is_about(account_id))
    if action is not None:
        query = query.where(AuditEvent.action == action)
    if without:
        query = query.where(AuditEvent.action.not_in(without))
    if before is not None:
        query = query.where(AuditEvent.id < max(0, min(before, _LARGEST_ID)))
    return list(db.session.scalars(query))
