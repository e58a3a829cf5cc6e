"""How many live keys an account may have, and how long a key may live, by the owner's role."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from portal import clock
from portal.extensions import db, settings
from portal.models import Account, ApiKey, key_states
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
    """How much room there is for keys."""
    query = select(func.count(), func.count(ApiKey.retires_at)).where(
        ApiKey.account_id == account_id, key_states.live(clock.utcnow())
    )
    everything, retiring = db.session.execute(query).one()
    return KeyQuota(everything - retiring, retiring, settings.keys_per_account[role])


def refuse_one_more(account: Account) -> None:
    """Raise TooManyKeys when an account has all the keys that it may have; it is locked by the caller."""
    room = quota_of(account.id, account.role)
    if room.is_full:
        raise TooManyKeys(most=room.most)


def refuse_one_more_overlap(account: Account) -> None:
    """Raise TooManyKeys when as many keys retire as may live, so that rotating is no way around it."""
    room = quota_of(account.id, account.role)
    if room.retiring >= room.most:
        raise TooManyKeys(most=room.most)
