"""How long a sign-in lasts, and whether one may go on.

Operators' sessions end after an hour without use and half a day in all, owners' after 14
and 30 days.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.models import AccountStatus, SessionKind, UserSession
from portal.permissions import Role

JWT_LIFE = timedelta(hours=12)
OWNER_IDLE, OWNER_LIFE = timedelta(days=14), timedelta(days=30)
OPERATOR_IDLE, OPERATOR_LIFE = timedelta(hours=1), timedelta(hours=12)


def idle_time(role: Role) -> timedelta:
    """How long a session of this role may rest before it ends."""
    return OPERATOR_IDLE if role.is_operator else OWNER_IDLE


def life_time(role: Role) -> timedelta:
    """How long a browser's session of this role lasts at most."""
    return OPERATOR_LIFE if role.is_operator else OWNER_LIFE


def may_go_on(signed: UserSession, now: datetime) -> bool:
    """Whether a session is neither ended nor too old, and its account is open."""
    role = signed.account.role
    return (
        signed.ended_at is None
        and now < signed.expires_at
        and (signed.kind is SessionKind.JWT or now - signed.last_seen_at < idle_time(role))
        and now - signed.created_at < life_time(role)
        and signed.account.status is AccountStatus.ACTIVE
    )
