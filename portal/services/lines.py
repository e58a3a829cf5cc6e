"""The line of a key: its successors, and all that was created with it or with them.

Whoever holds the secret of a key may have rotated it and created others with it, and rotated
those. So what is said of a line holds for all of it. It is followed step by step through the
indexes: as one recursive query, 10,000 keys took PostgreSQL 20 seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from portal.extensions import db
from portal.models import ApiKey

AT_ONCE = 1000
"""Keys that one query asks for."""

Line = dict[UUID, UUID]
"""Each key of a line, with the one of those asked for that it came of, or works beside."""


def line_of(session: Session, key_ids: Iterable[UUID]) -> Line:
    """These keys and all that came of them: as a successor, or created with one, at any remove.

    A predecessor that works beside one of them (its overlap is not over) belongs to it, with
    all that came of that. What has ended is passed through, so that nothing hides behind it.
    """
    line = {key_id: key_id for key_id in sorted(key_ids)}
    older = aliased(ApiKey)
    step = list(line)
    while step:
        beside: list[UUID] = []
        for some in portions(step):
            query = select(ApiKey.id, older.id).join(older, older.id == ApiKey.replaces_id)
            for key_id, other in session.execute(
                query.where(ApiKey.id.in_(some), older.revoked_at.is_(None)).order_by(ApiKey.id)
            ):
                if other not in line:
                    line[other] = line[key_id]
                    beside.append(other)
        step = beside
    return _with_all_that_came_of(session, line)


def created_with(account_id: int, key_id: UUID) -> Sequence[ApiKey]:
    """The unrevoked keys of an account that were created with this one, or came of such a key."""
    line = made_with(db.session(), account_id, key_id)
    found: list[ApiKey] = []
    for some in portions(sorted(line)):
        query = select(ApiKey).where(ApiKey.id.in_(some), ApiKey.revoked_at.is_(None))
        found += db.session.scalars(query.order_by(ApiKey.id))
    return found


def made_with(session: Session, account_id: int, key_id: UUID) -> Line:
    """The keys of an account that were created with this one, and all that came of them."""
    made = select(ApiKey.id).where(ApiKey.account_id == account_id, ApiKey.made_by_key_id == key_id)
    return _with_all_that_came_of(session, dict.fromkeys(session.scalars(made), key_id))


def portions(key_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    """So many at a time as a statement may ask for."""
    return (key_ids[start : start + AT_ONCE] for start in range(0, len(key_ids), AT_ONCE))


def _with_all_that_came_of(session: Session, line: Line) -> Line:
    """Follow makers and predecessors down, a generation at a time."""
    step = sorted(line)
    while step:
        younger: Line = {}
        for some in portions(step):
            came = or_(ApiKey.made_by_key_id.in_(some), ApiKey.replaces_id.in_(some))
            query = select(ApiKey.id, ApiKey.made_by_key_id, ApiKey.replaces_id).where(came)
            for key_id, maker, replaced in session.execute(query):
                parent = maker if maker in line else replaced
                if key_id not in line and parent is not None:
                    younger[key_id] = line[parent]
        line |= younger
        step = sorted(younger)
    return line
