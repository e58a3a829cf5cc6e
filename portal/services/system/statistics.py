"""What an installation looks like in figures, read from the database when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, func, select

from portal import clock
from portal.extensions import db
from portal.models import Account, AccountStatus, KeyUsage, OutboxMail, SessionKind, UserSession, key_states
from portal.permissions import Role


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts, by what they are counted by; ages are seconds."""

    accounts: Mapping[tuple[str, str], int]
    keys: Mapping[str, int]
    sessions: Mapping[str, int]
    mails_waiting: int
    oldest_mail_age: float
    mails_refused: int
    calls: int
    refusals: int


def read_figures() -> Figures:
    """Count what there is now: accounts by role and status, keys by state, open sessions, mails."""
    waiting, oldest = db.session.execute(
        select(func.count(), func.min(OutboxMail.created_at)).where(OutboxMail.sent_at.is_(None))
    ).one()
    calls, refusals = db.session.execute(
        select(func.coalesce(func.sum(KeyUsage.calls), 0), func.coalesce(func.sum(KeyUsage.refused), 0))
    ).one()
    now = clock.utcnow()
    state = key_states.state(now)
    sessions = (
        select(UserSession.kind, func.count())
        .where(UserSession.ended_at.is_(None), UserSession.expires_at > now)
        .group_by(UserSession.kind)
    )
    return Figures(
        accounts=_accounts(),
        keys={"live": 0, "expired": 0, "revoked": 0, **_counts(select(state, func.count()).group_by(state))},
        sessions={**{kind.value: 0 for kind in SessionKind}, **_counts(sessions)},
        mails_waiting=waiting,
        oldest_mail_age=max(0.0, (now - oldest).total_seconds()) if waiting else 0.0,
        mails_refused=db.session.scalar(select(func.count(OutboxMail.refused_at))) or 0,
        calls=int(calls),
        refusals=int(refusals),
    )


def _accounts() -> dict[tuple[str, str], int]:
    found = {(role.value, status.word): 0 for role in Role for status in AccountStatus}
    query = (
        select(Account.role, Account.status, func.count())
        .where(Account.removed_at.is_(None))
        .group_by(Account.role, Account.status)
    )
    for role, status, count in db.session.execute(query):
        found[role.value, status.word] = count
    return found


def _counts(query: Select[str, int] | Select[SessionKind, int]) -> dict[str, int]:
    return {str(what): count for what, count in db.session.execute(query)}
