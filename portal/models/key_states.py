"""The state of a key at a moment as conditions in SQL; ``ApiKey`` says the same of one row."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Label, and_, case, cast, func, not_, or_, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement

from portal.clock import to_ms
from portal.models import ApiKey, KeyUsage

SOON = timedelta(days=7)
SOON_MS = int(SOON.total_seconds()) * 1000


def revoked(now: datetime) -> ColumnElement[bool]:
    """Revoked, or retired for its successor. Never NULL."""
    retired = and_(ApiKey.retires_at.is_not(None), ApiKey.retires_at <= now)
    return or_(ApiKey.revoked_at.is_not(None), retired)


def expired(now: datetime) -> ColumnElement[bool]:
    """At its end, or unused for too long; and not revoked. Never NULL."""
    return and_(not_(revoked(now)), or_(ApiKey.expires_at <= now, _rested(now)))


def live(now: datetime) -> ColumnElement[bool]:
    """Neither revoked nor expired. Never NULL."""
    return and_(not_(revoked(now)), ApiKey.expires_at > now, not_(_rested(now)))


def soon(now: datetime) -> ColumnElement[bool]:
    """Whether a live key ends soon: by its expiry, for its successor, or because it rests. Never NULL."""
    quarter = cast(ApiKey.max_idle, BigInteger) * 1000 / 4
    margin = case((quarter < SOON_MS, quarter), else_=SOON_MS)
    return or_(ApiKey.expires_at <= now + SOON, ApiKey.retires_at.is_not(None), _rested(now, margin))


def is_soon(key: ApiKey, now: datetime) -> bool:
    """The same of one row that has no successor.

    A key that is used again and again is never near the end of a short rest.
    """
    rest = key.idles_out_at
    margin = min(SOON, timedelta(seconds=key.max_idle or 0) / 4)
    return key.expires_at - now <= SOON or (rest is not None and rest - now <= margin)


def state(now: datetime) -> Label[str]:
    """``live``, ``expired`` or ``revoked``, to group by."""
    return case((revoked(now), "revoked"), (expired(now), "expired"), else_="live").label("state")


def _rested(now: datetime, margin: ColumnElement[int] | int = 0) -> ColumnElement[bool]:
    """Unused for ``max_idle`` seconds since it was made, became valid and was used last.

    ``margin`` is in milliseconds: so much before that.
    """
    last_used = select(KeyUsage.last_used_at).where(KeyUsage.key_id == ApiKey.id).scalar_subquery()
    limit = to_ms(now) + margin - cast(ApiKey.max_idle, BigInteger) * 1000
    since = (ApiKey.created_at, ApiKey.not_before, last_used)
    moments = (func.coalesce(type_coerce(moment, BigInteger), 0) for moment in since)
    return and_(ApiKey.max_idle.is_not(None), *(moment <= limit for moment in moments))
