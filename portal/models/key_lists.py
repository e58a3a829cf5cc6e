"""Lists of keys as pages show them, in SQL: filters, search, sort, and what stands beneath what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    String,
    and_,
    cast,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.sql.elements import ColumnElement

from portal import clock
from portal.models import ApiKey, KeyUsage, KeyUsageHour, key_states


class KeyFilter(StrEnum):
    """How pages narrow a list of keys; each is defined in :mod:`portal.models.key_states`."""

    ALL = "all"
    LIVE = "live"
    EXPIRING = "expiring"
    UNUSED = "unused"
    REFUSED = "refused"
    PENDING = "pending"
    EXPIRED = "expired"
    REVOKED = "revoked"


class KeySort(StrEnum):
    """What a list of keys can be sorted by; those that have ended stand last, whatever it is."""

    EXPIRES = "expires"
    NAME = "name"
    CREATED = "created"
    USED = "used"
    CALLS = "calls"


class KeyOrder(NamedTuple):
    """A sort and its direction. Ends ascend with their distance from now, also those that are over."""

    sort: KeySort = KeySort.CREATED
    is_descending: bool = True


NEWEST_FIRST = KeyOrder()
CALLS_WITHIN = timedelta(days=13)
"""Before today: as many days as a row draws."""


_FILTERS: dict[KeyFilter, Callable[[datetime], ColumnElement[bool]]] = {
    KeyFilter.ALL: lambda _now: ApiKey.id.is_not(None),
    KeyFilter.LIVE: key_states.working,
    KeyFilter.EXPIRING: key_states.expiring,
    KeyFilter.UNUSED: key_states.unused,
    KeyFilter.REFUSED: key_states.refused,
    KeyFilter.PENDING: key_states.pending,
    KeyFilter.EXPIRED: key_states.expired,
    KeyFilter.REVOKED: key_states.revoked,
}


def shown(now: datetime, statuses: Iterable[KeyFilter] = KeyFilter) -> dict[KeyFilter, ColumnElement[bool]]:
    """What each filter shows; see :mod:`portal.models.key_states` for what the words mean."""
    return {status: _FILTERS[status](now) for status in statuses}


def found(account_id: int, query: str, wanted: Mapping[KeyFilter, ColumnElement[bool]], now: datetime) -> CTE:
    """What the filters need of the keys that a search finds: one row a key, a column a filter."""
    flags = {
        **{status.value: meant for status, meant in wanted.items()},
        "goes_on": key_states.live(now),
        "retires": key_states.retiring(now),
    }
    columns = [flag.label(name) for name, flag in flags.items()]
    condition = and_(ApiKey.account_id == account_id, like(query))
    return select(ApiKey.id, ApiKey.replaces_id, *columns).where(condition).cte("found")


def is_beneath(found: CTE, status: KeyFilter) -> ColumnElement[bool]:
    """Whether a row stands beneath its successor, because that is in the same list. Never NULL.

    The successors are looked up in a set: a join would compare each row with each.
    """
    newer = found.alias()
    listed = select(newer.c.replaces_id).where(
        newer.c.replaces_id.is_not(None), newer.c.goes_on, newer.c[status]
    )
    return and_(found.c.retires, found.c.id.in_(listed))


def ordered(order: KeyOrder, now: datetime) -> Sequence[ColumnElement[Any]]:
    """The sort, behind whether a key has ended; equal ones have the newest first."""
    today = clock.today() - CALLS_WITHIN
    calls = select(func.sum(KeyUsageHour.calls)).where(
        KeyUsageHour.key_id == ApiKey.id, KeyUsageHour.hour >= today
    )
    used = select(KeyUsage.last_used_at).where(KeyUsage.key_id == ApiKey.id)
    sorts: dict[KeySort, Any] = {
        KeySort.EXPIRES: func.abs(key_states.ends_at() - clock.to_ms(now)),
        KeySort.NAME: func.lower(ApiKey.name),
        KeySort.CREATED: ApiKey.created_at,
        KeySort.USED: func.coalesce(type_coerce(used.scalar_subquery(), BigInteger), 0),
        KeySort.CALLS: func.coalesce(calls.scalar_subquery(), 0),
    }
    by = sorts[order.sort]
    direction = by.desc() if order.is_descending else by.asc()
    return key_states.live(now).desc(), direction, ApiKey.created_at.desc(), ApiKey.id.desc()


def like(query: str) -> ColumnElement[bool]:
    """Whether a key has this in its name, or at the beginning of its id. Never NULL."""
    words = query.strip()
    if not words:
        return ApiKey.id.is_not(None)
    digits = words.replace("-", "").lower()
    plain_id = func.replace(cast(ApiKey.id, String), "-", "")
    return or_(
        ApiKey.name.icontains(words, autoescape=True),
        plain_id.startswith(digits, autoescape=True),
    )
