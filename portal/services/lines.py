"""The line of a key: its successors, and all that was created with it or with them.

Whoever holds the secret of a key may have rotated it and created others with it, and rotated
those. So what is said of a line holds for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, or_, select
from sqlalchemy.sql.elements import ColumnElement

from portal.extensions import db
from portal.models import ApiKey


def in_line_of(key_ids: Iterable[UUID]) -> ColumnElement[bool]:
    """Whether a key is one of these, or came of them: as a successor, or created with one, at any remove.

    A predecessor that works beside one of them (its overlap is not over) belongs to it, with
    all that came of that. What has ended is passed through, so that nothing hides behind it.
    """
    above = select(ApiKey.id, ApiKey.replaces_id).where(ApiKey.id.in_(key_ids)).cte("above", recursive=True)
    beside = select(ApiKey.id, ApiKey.replaces_id).where(
        ApiKey.id == above.c.replaces_id, ApiKey.revoked_at.is_(None)
    )
    return ApiKey.id.in_(_all_that_came_of(select(above.union(beside).c.id)))


def created_with_any(key_id: UUID) -> ColumnElement[bool]:
    """Whether a key was created with this one, or came of such a key."""
    return ApiKey.id.in_(_all_that_came_of(select(ApiKey.id).where(ApiKey.made_by_key_id == key_id)))


def created_with(account_id: int, key_id: UUID) -> Sequence[ApiKey]:
    """The unrevoked keys of an account that were created with this one, or came of such a key."""
    query = select(ApiKey).where(
        ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None), created_with_any(key_id)
    )
    return db.session.scalars(query.order_by(ApiKey.id)).all()


def _all_that_came_of(first: Select[UUID] | CompoundSelect[UUID]) -> Select[UUID]:
    line = first.cte("line", recursive=True)
    more = select(ApiKey.id).where(or_(ApiKey.made_by_key_id == line.c.id, ApiKey.replaces_id == line.c.id))
    return select(line.union(more).c.id)
