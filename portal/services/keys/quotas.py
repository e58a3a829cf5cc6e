"""How many live keys an account may have, and how long a key may live, by the owner's role."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db, settings
from portal.models import ApiKey, key_states
from portal.permissions import Role
from portal.services.core.errors import TooManyKeys

NEARLY = 0.9
"""The share of the cap from which on pages warn."""


class KeyQuota(NamedTuple):
    """How many live keys an account has, how many of its keys retire, and how many it may have.

    A key that was rotated takes no room: its successor does.
    """

    live: int
    retiring: int
    most: int

    @property
    def is_full(self) -> bool:
        """Whether no further key can be made."""
        return self.live >= self.most

    @property
    def is_nearly_full(self) -> bool:
        """Whether it is time to say so."""
        return self.live >= self.most * NEARLY


def longest_life(role: Role) -> timedelta:
    """How long a key lives at most whose owner has this role."""
    return timedelta(days=settings.longest_life[role])


def quota_of(account_id: int, role: Role) -> KeyQuota:
    """How much room there is for keys; for pages, which say so before it is used up."""
    return _room(db.session(), account_id, role, clock.utcnow())


def refuse_one_more(session: Session, account_id: int, role: Role, now: datetime) -> None:
    """Raise TooManyKeys when an account has all the keys that it may have; it is locked by the caller."""
    room = _room(session, account_id, role, now)
    if room.is_full:
        raise TooManyKeys(most=room.most)


def refuse_one_more_overlap(session: Session, account_id: int, role: Role, now: datetime) -> None:
    """Raise TooManyKeys when as many keys retire as may live, so that rotating is no way around it."""
    room = _room(session, account_id, role, now)
    if room.retiring >= room.most:
        raise TooManyKeys(most=room.most)


def _room(session: Session, account_id: int, role: Role, now: datetime) -> KeyQuota:
    query = select(func.count(), func.count(ApiKey.retires_at)).where(
        ApiKey.account_id == account_id, key_states.live(now)
    )
    everything, retiring = session.execute(query).one()
    return KeyQuota(everything - retiring, retiring, settings.keys_per_account[role])
