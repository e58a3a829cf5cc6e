"""Looking at keys: lists, counts and single ones. Ownership is part of every query."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    Select,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.extensions import db
from portal.models import Action, ActorKind, ApiKey, AuditEvent, key_lists, key_states
from portal.models.key_lists import NEWEST_FIRST, KeyFilter, KeyOrder
from portal.models.pages import PAGE_SIZE, Page, Slice, read_page, read_slice
from portal.services.core.errors import NotFound

AT_ONCE = 1000
"""Keys that one query asks for."""

Line = dict[UUID, UUID]
"""Each key of a line, with the one of those asked for that it came of, or works beside."""


class KeyStatus(StrEnum):
    """How the API narrows a list of keys; live are those that have not ended, valid yet or not."""

    ALL = "all"
    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


def owned(account_id: int, key_id: UUID) -> Select[ApiKey]:
    """The query for one key of one account."""
    return select(ApiKey).where(ApiKey.id == key_id, ApiKey.account_id == account_id)


def find_key(account_id: int, key_id: UUID) -> ApiKey | None:
    """A key of this account; None when it is not there, or somebody else's."""
    return db.session.scalars(owned(account_id, key_id)).one_or_none()


def get_key(account_id: int, key_id: UUID) -> ApiKey:
    """A key of this account; raises NotFound as :func:`find_key` returns None."""
    key = find_key(account_id, key_id)
    if key is None:
        raise NotFound
    return key


def list_owned(account_id: int, key_ids: Collection[UUID]) -> Sequence[ApiKey]:
    """These keys of an account, by name; raises NotFound when one is not there, or somebody else's."""
    found: list[ApiKey] = []
    for some in portions(sorted(set(key_ids))):
        mine = select(ApiKey).where(ApiKey.account_id == account_id, ApiKey.id.in_(some))
        found += db.session.scalars(mine)
    if len(found) < len(set(key_ids)):
        raise NotFound
    return sorted(found, key=lambda key: (key.name.lower(), key.id))


def count_owned(session: Session, account_id: int, key_ids: Sequence[UUID]) -> int:
    """How many of these keys are the account's."""
    counts = (
        session.scalar(select(func.count()).where(ApiKey.account_id == account_id, ApiKey.id.in_(some)))
        for some in portions(key_ids)
    )
    return sum(count or 0 for count in counts)


def find_successor(key: ApiKey) -> ApiKey | None:
    """The key that was made to replace this one."""
    return db.session.scalars(select(ApiKey).where(ApiKey.replaces_id == key.id)).one_or_none()


def find_creation(key: ApiKey) -> ActorKind | None:
    """Through what a key was created; None where the audit log does not tell any more."""
    query = select(AuditEvent.actor_kind).where(
        AuditEvent.key_id == key.id, AuditEvent.action == Action.KEY_CREATED
    )
    return db.session.scalars(query.limit(1)).one_or_none()


def list_keys(
    account_id: int,
    *,
    status: KeyFilter = KeyFilter.ALL,
    query: str = "",
    order: KeyOrder = NEWEST_FIRST,
    nest: bool = False,
    page: int = 1,
    size: int = PAGE_SIZE,
) -> Page[ApiKey]:
    """The keys of an account, those first that have not ended; ``query`` is of name or id.

    ``nest`` leaves out the old keys that stand beneath their successor; see :func:`list_beneath`.
    """
    now = clock.utcnow()
    found = key_lists.found(account_id, query, key_lists.shown(now, [status]), now)
    meant = select(found.c.id).where(found.c[status])
    if nest:
        meant = meant.where(not_(key_lists.is_beneath(found, status)))
    keys = select(ApiKey).where(ApiKey.id.in_(meant))
    return read_page(db.session(), keys.order_by(*key_lists.ordered(order, now)), page, size)


def list_beneath(keys: Sequence[ApiKey]) -> dict[UUID, list[ApiKey]]:
    """The old keys that are still good beside each of these, which took their place; the newest first."""
    now = clock.utcnow()
    above = {key.replaces_id: key.id for key in keys if key.replaces_id and key.is_live(now)}
    beneath: dict[UUID, list[ApiKey]] = {}
    while above:
        query = select(ApiKey).where(ApiKey.id.in_(above), key_states.retiring(now))
        older = db.session.scalars(query).all()
        for key in older:
            beneath.setdefault(above[key.id], []).append(key)
        above = {key.replaces_id: above[key.id] for key in older if key.replaces_id}
    return beneath


def list_keys_after(
    account_id: int,
    *,
    statuses: Sequence[KeyStatus],
    after: UUID | None,
    limit: int,
    only: UUID | None = None,
) -> Slice[ApiKey]:
    """The keys of an account in the order of their ids, behind ``after``; for the API's pages.

    ``only`` is the one key that may be seen.
    """
    now = clock.utcnow()
    query = select(ApiKey).where(
        ApiKey.account_id == account_id, or_(*(_having(status, now) for status in statuses))
    )
    if after is not None:
        query = query.where(ApiKey.id > after)
    if only is not None:
        query = query.where(ApiKey.id == only)
    return read_slice(db.session(), query.order_by(ApiKey.id), limit, is_first=after is None)


def count_keys(account_id: int) -> dict[KeyStatus, int]:
    """How many keys an account has, by state as the API means it."""
    state = key_states.state(clock.utcnow())
    query = select(state, func.count()).where(ApiKey.account_id == account_id).group_by(state)
    found = {KeyStatus(name): count for name, count in db.session.execute(query)}
    return dict.fromkeys(KeyStatus, 0) | found | {KeyStatus.ALL: sum(found.values())}


def count_shown(account_id: int, query: str = "", *, nest: bool = False) -> dict[KeyFilter, int]:
    """How many keys of an account :func:`list_keys` shows under each filter."""
    now = clock.utcnow()
    found = key_lists.found(account_id, query, key_lists.shown(now), now)
    shown: dict[KeyFilter, ColumnElement[bool]] = {status: found.c[status] for status in KeyFilter}
    if nest:
        shown = {
            status: and_(meant, not_(key_lists.is_beneath(found, status))) for status, meant in shown.items()
        }
    numbers = (func.coalesce(func.sum(case((meant, 1), else_=0)), 0) for meant in shown.values())
    counted = db.session.execute(select(*numbers).select_from(found)).one()
    return {status: int(number) for status, number in zip(shown, counted, strict=True)}


def has_keys(account_id: int) -> bool:
    """Whether an account ever had a key."""
    return db.session.scalar(select(exists().where(ApiKey.account_id == account_id))) or False


def count_expiring_soon(account_id: int) -> int:
    """How many keys of an account work and end soon; see :func:`portal.models.key_states.expiring`."""
    condition = and_(ApiKey.account_id == account_id, key_states.expiring(clock.utcnow()))
    return db.session.scalar(select(func.count()).select_from(ApiKey).where(condition)) or 0


def _having(status: KeyStatus, now: datetime) -> ColumnElement[bool]:
    return {
        KeyStatus.ALL: ApiKey.id.is_not(None),
        KeyStatus.LIVE: key_states.live(now),
        KeyStatus.EXPIRED: key_states.expired(now),
        KeyStatus.REVOKED: key_states.revoked(now),
    }[status]


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


def list_unrevoked_descendants(account_id: int, key_id: UUID) -> Sequence[ApiKey]:
    """The unrevoked keys of an account that were created with this one, or came of such a key."""
    line = descendants_of(db.session(), account_id, key_id)
    found: list[ApiKey] = []
    for some in portions(sorted(line)):
        query = select(ApiKey).where(ApiKey.id.in_(some), ApiKey.revoked_at.is_(None))
        found += db.session.scalars(query.order_by(ApiKey.id))
    return found


def descendants_of(session: Session, account_id: int, key_id: UUID) -> Line:
    """The keys of an account that were created with this one, and all that came of them."""
    created = select(ApiKey.id).where(ApiKey.account_id == account_id, ApiKey.made_by_key_id == key_id)
    return _with_all_that_came_of(session, dict.fromkeys(session.scalars(created), key_id))


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
