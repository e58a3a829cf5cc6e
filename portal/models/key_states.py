"""The state of a key at a moment: as conditions in SQL, and as the word for one row.

Pages know more states than the API: there a key is live from its creation on, whether it is
valid yet or not, as here in :func:`live`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import BigInteger, Label, ScalarSelect, and_, case, cast, func, not_, or_, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement

from portal.clock import to_ms
from portal.models import ApiKey, KeyRefusal, KeyUsage

SOON = timedelta(days=14)
SOON_MS = int(SOON.total_seconds()) * 1000
UNUSED_FOR = timedelta(days=90)
"""From when on a key that works and is not used is worth a look: does anybody need it?"""
REFUSED_WITHIN = timedelta(days=30)
"""How far back refusals count."""
_MOMENTS = 8
"""Of so many moments a condition is kept: a list has the same one in a dozen places."""


@lru_cache(_MOMENTS)
def revoked(now: datetime) -> ColumnElement[bool]:
    """Revoked, or retired for its successor. Never NULL."""
    retired = and_(ApiKey.retires_at.is_not(None), ApiKey.retires_at <= now)
    return or_(ApiKey.revoked_at.is_not(None), retired)


def expired(now: datetime) -> ColumnElement[bool]:
    """At its end, or unused for too long; and not revoked. Never NULL."""
    return and_(not_(revoked(now)), or_(ApiKey.expires_at <= now, _rested(now)))


@lru_cache(_MOMENTS)
def live(now: datetime) -> ColumnElement[bool]:
    """Neither revoked nor expired. Never NULL."""
    return and_(not_(revoked(now)), ApiKey.expires_at > now, not_(_rested(now)))


def pending(now: datetime) -> ColumnElement[bool]:
    """Not ended, and not yet valid: its calls are refused until its first moment. Never NULL."""
    return and_(live(now), ApiKey.not_before.is_not(None), ApiKey.not_before > now)


@lru_cache(_MOMENTS)
def working(now: datetime) -> ColumnElement[bool]:
    """Live and valid: what pages call live. Never NULL."""
    return and_(live(now), or_(ApiKey.not_before.is_(None), ApiKey.not_before <= now))


def soon(now: datetime) -> ColumnElement[bool]:
    """Whether a live key ends soon: by its expiry, for its successor, or because it is unused. Never NULL."""
    quarter = cast(ApiKey.max_idle, BigInteger) * 1000 / 4
    margin = case((quarter < SOON_MS, quarter), else_=SOON_MS)
    return or_(ApiKey.expires_at <= now + SOON, ApiKey.retires_at.is_not(None), _rested(now, margin))


def expiring(now: datetime) -> ColumnElement[bool]:
    """What pages call expiring: works, ends soon, and has no successor yet. Never NULL."""
    return and_(working(now), ApiKey.retires_at.is_(None), soon(now))


def unused(now: datetime) -> ColumnElement[bool]:
    """What pages call unused: works, and was not used though it could be for so long. Never NULL."""
    since = to_ms(now - UNUSED_FOR)
    moments = (ApiKey.created_at, ApiKey.not_before, _last_used())
    return and_(working(now), *(func.coalesce(type_coerce(at, BigInteger), 0) <= since for at in moments))


def refused(now: datetime) -> ColumnElement[bool]:
    """Whether a holder of its secret was refused of late, in whatever state it is now. Never NULL."""
    since = (now - REFUSED_WITHIN).replace(minute=0, second=0, microsecond=0)
    found = select(KeyRefusal.key_id).where(KeyRefusal.key_id == ApiKey.id, KeyRefusal.hour >= since)
    return found.correlate(ApiKey).exists()


def retiring(now: datetime) -> ColumnElement[bool]:
    """Rotated, and still good beside its successor. Never NULL."""
    return and_(live(now), ApiKey.retires_at.is_not(None))


def ends_at() -> ColumnElement[int]:
    """When a key ended, or ends as things stand, in milliseconds; as ``ApiKey.ends_at`` of one row."""
    expiry, created = type_coerce(ApiKey.expires_at, BigInteger), type_coerce(ApiKey.created_at, BigInteger)
    retirement = func.coalesce(type_coerce(ApiKey.retires_at, BigInteger), expiry)
    awake = _later(
        _later(created, func.coalesce(type_coerce(ApiKey.not_before, BigInteger), 0)),
        func.coalesce(type_coerce(_last_used(), BigInteger), 0),
    )
    rest = func.coalesce(awake + cast(ApiKey.max_idle, BigInteger) * 1000, expiry)
    end = -_later(_later(-expiry, -retirement), -rest)
    return func.coalesce(type_coerce(ApiKey.revoked_at, BigInteger), end)


def is_soon(key: ApiKey, now: datetime) -> bool:
    """Whether one row that has no successor ends soon.

    A key that is used again and again is never near its end for being unused.
    """
    rest = key.idles_out_at
    margin = min(SOON, timedelta(seconds=key.max_idle or 0) / 4)
    return key.expires_at - now <= SOON or (rest is not None and rest - now <= margin)


def is_unused(key: ApiKey, now: datetime) -> bool:
    """What :func:`unused` says, of one row."""
    used = key.usage.last_used_at if key.usage else None
    awake = max(key.created_at, key.not_before or key.created_at, used or key.created_at)
    return key.is_live(now) and now - awake >= UNUSED_FOR


def word_of(key: ApiKey, now: datetime) -> str:
    """The state of one row, in the word that pages have for it.

    ``live``, ``soon`` (it ends within :data:`SOON`), ``pending`` (not yet valid), ``retiring``
    (rotated, and still good), ``expired`` or ``revoked``.
    """
    if key.is_revoked(now):
        return "revoked"
    if key.is_expired(now):
        return "expired"
    if key.is_pending(now):
        return "pending"
    if key.retires_at is not None:
        return "retiring"
    return "soon" if is_soon(key, now) else "live"


def state(now: datetime) -> Label[str]:
    """``live``, ``expired`` or ``revoked``, as the API means them, to group by."""
    return case((revoked(now), "revoked"), (expired(now), "expired"), else_="live").label("state")


def _rested(now: datetime, margin: ColumnElement[int] | int = 0) -> ColumnElement[bool]:
    """Unused for ``max_idle`` seconds since it was made, became valid and was used last.

    ``margin`` is in milliseconds: so much before that.
    """
    limit = to_ms(now) + margin - cast(ApiKey.max_idle, BigInteger) * 1000
    since = (ApiKey.created_at, ApiKey.not_before, _last_used())
    moments = (func.coalesce(type_coerce(moment, BigInteger), 0) for moment in since)
    return and_(ApiKey.max_idle.is_not(None), *(moment <= limit for moment in moments))


def _last_used() -> ScalarSelect[datetime | None]:
    return (
        select(KeyUsage.last_used_at).where(KeyUsage.key_id == ApiKey.id).correlate(ApiKey).scalar_subquery()
    )


def _later(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    """The greater of two; the databases have different names for it."""
    return case((one >= other, one), else_=other)
