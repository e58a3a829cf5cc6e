"""Which keys of an account want their owner's attention, in a few queries however many keys there are.

What each word means is said in :mod:`portal.models.key_states`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from portal import clock
from portal.extensions import db
from portal.models import ApiKey, KeyRefusal, KeyUsage, RecentRefusal, key_states

REUSED_WITHIN = timedelta(days=14)
"""How long the use of a secret that was rotated out stands there."""
REFUSED_WITHIN = timedelta(days=1)
"""How long refusals stand there."""
LOCATED = 10
"""Of how many refused keys, those with the most refusals, it is told from where."""


class RefusedKey(NamedTuple):
    """A key whose holder was refused in the last day: how often, why most of the time, last from where."""

    key_id: UUID
    name: str
    times: int
    reason: str
    ip_address: str = ""


class Attention(NamedTuple):
    """The keys that want a look, those that end first or are unused for longest first."""

    expiring: Sequence[ApiKey]
    unused: Sequence[ApiKey]
    reused: Sequence[ApiKey]
    refused: Sequence[RefusedKey]


def find(account_id: int) -> Attention:
    """What an owner should look at."""
    now = clock.utcnow()
    expiring, unused = key_states.expiring(now), key_states.unused(now)
    reused = and_(KeyUsage.reused_at.is_not(None), KeyUsage.reused_at > now - REUSED_WITHIN)
    query = (
        select(ApiKey, expiring, unused, reused)
        .outerjoin(KeyUsage, KeyUsage.key_id == ApiKey.id)
        .where(ApiKey.account_id == account_id, or_(expiring, unused, reused))
        .order_by(ApiKey.id)
    )
    found = db.session.execute(query).all()
    return Attention(
        sorted((key for key, ends, _, _ in found if ends), key=lambda key: key.ends_at),
        sorted((key for key, ends, rests, _ in found if rests and not ends), key=last_needed),
        [key for key, _, _, used in found if used],
        _refused(account_id, now),
    )


def find_next_to_end(account_id: int) -> ApiKey | None:
    """The key in use whose end comes first, if it has no successor yet."""
    now = clock.utcnow()
    in_use = ApiKey.account_id == account_id, key_states.working(now), ApiKey.retires_at.is_(None)
    query = select(ApiKey).where(*in_use).order_by(ApiKey.expires_at, ApiKey.id).limit(1)
    return db.session.scalars(query).one_or_none()


def last_needed(key: ApiKey) -> datetime:
    """When a key was used last; of one that never was, since when it could have been."""
    last = key.usage.last_used_at if key.usage else None
    return last or max(key.created_at, key.not_before or key.created_at)


def has_been_called(account_id: int) -> bool:
    """Whether any key of the account was ever used."""
    used = select(KeyUsage.key_id).join(ApiKey, ApiKey.id == KeyUsage.key_id)
    query = used.where(ApiKey.account_id == account_id, KeyUsage.last_used_at.is_not(None))
    return db.session.scalar(query.limit(1)) is not None


def _refused(account_id: int, now: datetime) -> list[RefusedKey]:
    """The keys that were refused in the last day, the most often refused first."""
    times = func.sum(KeyRefusal.refused)
    since = (now - REFUSED_WITHIN).replace(minute=0, second=0, microsecond=0)
    rows = db.session.execute(
        select(ApiKey.id, ApiKey.name, KeyRefusal.reason, times)
        .join(KeyRefusal, KeyRefusal.key_id == ApiKey.id)
        .where(ApiKey.account_id == account_id, KeyRefusal.hour >= since)
        .group_by(ApiKey.id, ApiKey.name, KeyRefusal.reason)
        .order_by(times.desc(), ApiKey.id)
    )
    found: dict[UUID, RefusedKey] = {}
    for key_id, name, reason, number in rows:
        known = found.get(key_id, RefusedKey(key_id, name, 0, reason))
        found[key_id] = known._replace(times=known.times + int(number))
    most_first = sorted(found.values(), key=lambda each: (-each.times, each.name))
    return [*_located(most_first[:LOCATED], since), *most_first[LOCATED:]]


def _located(keys: Sequence[RefusedKey], since: datetime) -> list[RefusedKey]:
    """The same keys, each with the address that it was last refused from for this reason."""
    if not keys:
        return []
    reasons = {key.key_id: key.reason for key in keys}
    recent = select(RecentRefusal).where(RecentRefusal.key_id.in_(reasons), RecentRefusal.last_at >= since)
    places = {
        row.key_id: row.ip_address
        for row in db.session.scalars(recent.order_by(RecentRefusal.last_at))
        if row.reason == reasons[row.key_id]
    }
    return [key._replace(ip_address=places.get(key.key_id, "")) for key in keys]
