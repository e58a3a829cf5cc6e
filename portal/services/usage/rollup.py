"""Old use, made small: hours become days after five weeks, and go after thirteen months.

The last refusals with their circumstances go after 30 days.

A day's sum stands in the row of its first hour (UTC), in the table of the hours, so whoever
adds up finds the same totals before and after. Each batch is one short transaction that
moves sums or does not; what is folded already stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    delete,
    func,
    literal_column,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db
from portal.models import Account, ApiKey, KeyIpAddress, KeyRefusal, KeyUsage, KeyUsageHour, RecentRefusal
from portal.services.core.transaction import count_changed, transaction
from portal.services.core.upsert import insert_into
from portal.services.usage import refusals
from portal.services.usage.batch import HOUR_MS, hold_keys

HOURS_KEPT = timedelta(days=35)
DAYS_KEPT = timedelta(days=400)
DAY_MS = 24 * HOUR_MS
_DAY: ColumnElement[int] = literal_column(str(DAY_MS), BigInteger)
"""No parameter: PostgreSQL groups by an expression only where it reads the same."""
KEYS_AT_ONCE = 100
DAYS_AT_ONCE = 500
"""Days of keys that one transaction folds, each of up to 24 hours and a few reasons."""

Hours = type[KeyUsageHour] | type[KeyRefusal]
Days = Sequence[tuple[UUID, int]]
FOLDED: tuple[tuple[Hours, tuple[str, ...], tuple[str, ...]], ...] = (
    (KeyUsageHour, (), ("calls", "refused")),
    (KeyRefusal, ("reason",), ("refused",)),
)
"""Each table, what its rows are told apart by besides key and hour, and what is summed up."""


def fold() -> dict[str, int]:
    """Fold and forget what is due; return how many rows were folded away, and how many are gone."""
    midnight = clock.today()
    folded = gone = 0
    last: UUID | None = None
    while keys := _next_keys(last):
        gone += _forget(keys)
        while rows := _fold_some(keys, midnight - HOURS_KEPT):
            folded += rows
        last = keys[-1]
    return {"usage_folded": folded, "usage_gone": gone + _forget_removed()}


def _next_keys(after: UUID | None) -> Sequence[UUID]:
    query = select(KeyUsage.key_id).order_by(KeyUsage.key_id).limit(KEYS_AT_ONCE)
    if after is not None:
        query = query.where(KeyUsage.key_id > after)
    return db.session.scalars(query).all()


def _fold_some(keys: Sequence[UUID], before: datetime) -> int:
    """Fold some days of these keys, in one transaction; return how many rows are no more."""
    with transaction() as session:
        due = [_days_to_fold(session, model, keys, before) for model, *_ in FOLDED]
        _hold(session, sorted({key_id for days in due for key_id, _first in days}))
        return sum(_fold_days(session, *table, days) for table, days in zip(FOLDED, due, strict=True))


def _days_to_fold(session: Session, model: Hours, keys: Sequence[UUID], before: datetime) -> Days:
    day = _day(model)
    query = (
        select(model.key_id, day)
        .where(model.key_id.in_(keys), model.hour < before, _is_within_day(model))
        .distinct()
        .order_by(model.key_id, day)
        .limit(DAYS_AT_ONCE)
    )
    return [(key_id, first) for key_id, first in session.execute(query)]


def _fold_days(
    session: Session, model: Hours, apart: tuple[str, ...], sums: tuple[str, ...], days: Days
) -> int:
    """Sum days up in their first hours. The keys are held: nobody adds to them meanwhile."""
    if not days:
        return 0
    keys = sorted({key_id for key_id, _first in days})
    table = model.__table__
    among = _are_of(model, keys, days)
    names = ("key_id", "hour", *apart, *sums)
    whole = (
        select(
            table.c.key_id,
            _day(model),
            *(table.c[name] for name in apart),
            *(func.sum(table.c[name]) for name in sums),
        )
        .where(among)
        .group_by(table.c.key_id, _day(model), *(table.c[name] for name in apart))
    )
    insert = insert_into(session.connection(), model).from_select(names, whole)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={name: insert.excluded[name] for name in sums}
        )
    )
    return count_changed(session, delete(model).where(among, _is_within_day(model)))


def _are_of(model: Hours, keys: Sequence[UUID], days: Days) -> ColumnElement[bool]:
    """Whether rows are of these days; the bounds are for the index, which knows no days."""
    firsts = [clock.from_ms(first) for _key_id, first in days]
    return and_(
        model.key_id.in_(keys),
        model.hour >= min(firsts),
        model.hour < max(firsts) + timedelta(days=1),
        tuple_(model.key_id, _day(model)).in_(days),
    )


def _hold(session: Session, keys: Sequence[UUID]) -> None:
    """Hold the sums of these keys, which every batch of use takes first, in the same order.

    To be called once in a transaction: a key before those that are held would be out of order.
    """
    if not keys:
        return
    hold_keys(session.connection(), keys)
    session.execute(
        select(KeyUsage.key_id).where(KeyUsage.key_id.in_(keys)).order_by(KeyUsage.key_id).with_for_update()
    )


def _forget(keys: Sequence[UUID]) -> int:
    """Delete what is too old to be kept."""
    before = clock.today() - DAYS_KEPT
    with transaction() as session:
        return sum(
            count_changed(session, delete(model).where(model.key_id.in_(keys), is_old))
            for model, is_old in (
                (KeyUsageHour, KeyUsageHour.hour < before),
                (KeyRefusal, KeyRefusal.hour < before),
                (KeyIpAddress, KeyIpAddress.last_used_at < before),
                (RecentRefusal, RecentRefusal.last_at < clock.utcnow() - refusals.KEPT_FOR),
            )
        )


def _forget_removed() -> int:
    """Forget from where the keys of removed accounts were used, or tried."""
    removed = select(ApiKey.id).join(Account).where(Account.removed_at.is_not(None))
    known = KeyUsage.key_id.in_(removed) & KeyUsage.last_used_ip_address.is_not(None)
    with transaction() as session:
        count_changed(session, update(KeyUsage).where(known).values(last_used_ip_address=None))
        return sum(
            count_changed(session, delete(model).where(model.key_id.in_(removed)))
            for model in (KeyIpAddress, RecentRefusal)
        )


def _day(model: Hours) -> ColumnElement[int]:
    """The first millisecond of the day (UTC) that a row's hour is in."""
    hour = type_coerce(model.hour, BigInteger)
    return hour - hour % _DAY


def _is_within_day(model: Hours) -> ColumnElement[bool]:
    """Whether a row is of another hour than the day's first."""
    return type_coerce(model.hour, BigInteger) % _DAY != 0
