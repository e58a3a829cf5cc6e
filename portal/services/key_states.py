"""The state of a key at a moment as conditions in SQL; ``ApiKey`` says the same of one row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Label, and_, case, cast, func, not_, or_, select, type_coerce
from sqlalchemy.sql.elements import ColumnElement

from portal.clock import to_ms
from portal.models import ApiKey, KeyUsage


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


def state(now: datetime) -> Label[str]:
    """``live``, ``expired`` or ``revoked``, to group by."""
    return case((revoked(now), "revoked"), (expired(now), "expired"), else_="live").label("state")


def _rested(now: datetime) -> ColumnElement[bool]:
    """Unused for ``max_idle`` seconds since it was made, became valid and was used last."""
    last_used = select(KeyUsage.last_used_at).where(KeyUsage.key_id == ApiKey.id).scalar_subquery()
    limit = to_ms(now) - cast(ApiKey.max_idle, BigInteger) * 1000
    since = (ApiKey.created_at, ApiKey.not_before, last_used)
    moments = (func.coalesce(type_coerce(moment, BigInteger), 0) for moment in since)
    return and_(ApiKey.max_idle.is_not(None), *(moment <= limit for moment in moments))
