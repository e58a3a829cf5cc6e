"""Looking at keys: lists, counts and single ones. Ownership is part of every query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, String, and_, cast, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.extensions import db
from portal.models import Action, ActorKind, ApiKey, AuditEvent
from portal.services import key_states
from portal.services.core.errors import NotFound

PAGE_SIZE = 25


class KeyStatus(StrEnum):
    """How a list of keys can be narrowed."""

    ALL = "all"
    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyPage:
    """One page of a list of keys, counted from 1."""

    items: Sequence[ApiKey]
    number: int
    pages: int
    total: int


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


def find_successor(key: ApiKey) -> ApiKey | None:
    """The key that was made to replace this one."""
    return db.session.scalars(select(ApiKey).where(ApiKey.replaces_id == key.id)).one_or_none()


def find_creation(key: ApiKey) -> ActorKind | None:
    """Through what a key was created; None where the record does not tell any more."""
    query = select(AuditEvent.actor_kind).where(
        AuditEvent.key_id == key.id, AuditEvent.action == Action.KEY_CREATED
    )
    return db.session.scalars(query.limit(1)).one_or_none()


def list_keys(
    account_id: int,
    *,
    status: KeyStatus = KeyStatus.ALL,
    query: str = "",
    page: int = 1,
    size: int = PAGE_SIZE,
) -> KeyPage:
    """The keys of an account: live ones first, newest first; ``query`` is of name or id."""
    now = clock.utcnow()
    condition = and_(ApiKey.account_id == account_id, _having(status, now), _like(query))
    total = db.session.scalar(select(func.count()).select_from(ApiKey).where(condition)) or 0
    pages = max(1, -(-total // size))
    number = min(max(1, page), pages)
    items = db.session.scalars(
        select(ApiKey)
        .where(condition)
        .order_by(_having(KeyStatus.LIVE, now).desc(), ApiKey.created_at.desc(), ApiKey.id.desc())
        .limit(size)
        .offset((number - 1) * size)
    ).all()
    return KeyPage(items, number, pages, total)


def list_keys_after(
    account_id: int,
    *,
    statuses: Sequence[KeyStatus],
    after: UUID | None,
    limit: int,
    only: UUID | None = None,
) -> Sequence[ApiKey]:
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
    return db.session.scalars(query.order_by(ApiKey.id).limit(limit)).all()


def count_keys(account_id: int) -> dict[KeyStatus, int]:
    """How many keys an account has, by state."""
    state = key_states.state(clock.utcnow())
    query = select(state, func.count()).where(ApiKey.account_id == account_id).group_by(state)
    found = {KeyStatus(name): count for name, count in db.session.execute(query)}
    return dict.fromkeys(KeyStatus, 0) | found | {KeyStatus.ALL: sum(found.values())}


def count_expiring_soon(account_id: int) -> int:
    """How many live keys of an account end soon; see :func:`portal.services.key_states.soon`."""
    now = clock.utcnow()
    condition = and_(
        ApiKey.account_id == account_id,
        _having(KeyStatus.LIVE, now),
        key_states.soon(now),
    )
    return db.session.scalar(select(func.count()).select_from(ApiKey).where(condition)) or 0


def _having(status: KeyStatus, now: datetime) -> ColumnElement[bool]:
    return {
        KeyStatus.ALL: ApiKey.id.is_not(None),
        KeyStatus.LIVE: key_states.live(now),
        KeyStatus.EXPIRED: key_states.expired(now),
        KeyStatus.REVOKED: key_states.revoked(now),
    }[status]


def _like(query: str) -> ColumnElement[bool]:
    words = query.strip()
    if not words:
        return ApiKey.id.is_not(None)
    digits = words.replace("-", "").lower()
    plain_id = func.replace(cast(ApiKey.id, String), "-", "")
    return or_(
        ApiKey.name.icontains(words, autoescape=True),
        plain_id.startswith(digits, autoescape=True),
    )
