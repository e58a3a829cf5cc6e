"""How the installation is, for the operators' first page: what is wrong, the figures, the newest acts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Engine, func, select

from portal import clock
from portal.extensions import db
from portal.models import (
    Account,
    Action,
    ApiKey,
    AuditEvent,
    ExcessStep,
    JobLease,
    OutboxMail,
    PromiseProof,
    RevocationReason,
    key_states,
)

COUNTED_EVERY = 60.0
"""Seconds: counting a million keys takes a while, and nobody waits for it twice."""
RUNS_EVERY_MINUTE = "forms"
"""The job whose turn comes each minute: its lease tells when jobs ran last."""
JOBS_LATE = timedelta(minutes=5)
MAIL_LATE = timedelta(minutes=10)
EXCESS_FOR = timedelta(days=1)
LEAKS_FOR = timedelta(days=7)
REFUSED_FOR = timedelta(days=7)
NEW_FOR = timedelta(days=30)
SHOWN = 3
"""Of a kind, how many are told apart."""
LOOKED_THROUGH = 200
"""Newest revocations among which leaks are looked for."""
ACTS = (
    Action.ACCOUNT_BLOCKED,
    Action.ACCOUNT_UNBLOCKED,
    Action.ACCOUNT_ROLE_CHANGED,
    Action.ACCOUNT_LINK_MAILED,
    Action.CONSENT_ENTERED,
    Action.CLOCK_PUT_BACK,
)
"""What only operators do."""


@dataclass(frozen=True, slots=True)
class Mails:
    """Emails that wait for too long, since when, and what the last attempt said."""

    waiting: int
    since: datetime | None
    error: str
    refused: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong. ``jobs_since`` is when jobs ran last, where that is too long ago."""

    jobs_late: bool
    jobs_since: datetime | None
    mails: Mails
    excess: Sequence[tuple[ExcessStep, Account]]
    leaks: Sequence[AuditEvent]
    broken: Sequence[str]


@dataclass(frozen=True, slots=True)
class Counts:
    """Figures that are counted once a minute."""

    accounts: int
    new_accounts: int
    live_keys: int
    new_keys: int


def find_trouble() -> Trouble:
    """Look for what operators have to do something about."""
    late, since = _jobs()
    broken = select(PromiseProof.promise).where(PromiseProof.held.is_(False)).order_by(PromiseProof.promise)
    return Trouble(late, since, _mails(), _excess(), _leaks(), db.session.scalars(broken).all())


def list_acts(limit: int) -> Sequence[AuditEvent]:
    """What operators did last."""
    query = select(AuditEvent).where(AuditEvent.action.in_(ACTS)).order_by(AuditEvent.id.desc())
    return db.session.scalars(query.limit(limit)).all()


_counted: WeakKeyDictionary[Engine, tuple[float, Counts]] = WeakKeyDictionary()


def counts() -> Counts:
    """Accounts and living keys, as they were counted within the last minute."""
    known = _counted.get(db.engine)
    if known is None or time.monotonic() - known[0] > COUNTED_EVERY:
        known = _counted[db.engine] = (time.monotonic(), _count())
    return known[1]


def _count() -> Counts:
    now = clock.utcnow()
    are_there = Account.removed_at.is_(None)
    return Counts(
        accounts=_number_of(Account, are_there),
        new_accounts=_number_of(Account, are_there, Account.created_at > now - NEW_FOR),
        live_keys=_number_of(ApiKey, key_states.live(now)),
        new_keys=_number_of(ApiKey, ApiKey.created_at > now - NEW_FOR),
    )


def _number_of(model: type[Account | ApiKey | OutboxMail], *conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def _jobs() -> tuple[bool, datetime | None]:
    """Whether the jobs are late, and when they ran last."""
    lease = db.session.get(JobLease, RUNS_EVERY_MINUTE, populate_existing=True)
    if lease is None:
        return True, None
    return clock.utcnow() - lease.leased_until > JOBS_LATE, lease.leased_until


def _mails() -> Mails:
    now = clock.utcnow()
    late = OutboxMail.sent_at.is_(None), OutboxMail.created_at < now - MAIL_LATE
    waiting, since = db.session.execute(
        select(func.count(), func.min(OutboxMail.created_at)).where(*late)
    ).one()
    failed = select(OutboxMail.last_error).where(*late, OutboxMail.last_error.is_not(None))
    error = db.session.scalar(failed.order_by(OutboxMail.id.desc()).limit(1)) if waiting else None
    refused = _number_of(OutboxMail, OutboxMail.refused_at > now - REFUSED_FOR)
    return Mails(int(waiting), since, error or "", refused)


def _excess() -> Sequence[tuple[ExcessStep, Account]]:
    """The accounts that went above their limits in the last day, each with the highest step."""
    query = (
        select(ExcessStep, Account)
        .join(Account, Account.id == ExcessStep.account_id)
        .where(ExcessStep.day >= clock.today() - EXCESS_FOR, ExcessStep.at > clock.utcnow() - EXCESS_FOR)
        .order_by(ExcessStep.at.desc())
        .limit(LOOKED_THROUGH)
    )
    highest: dict[int, tuple[ExcessStep, Account]] = {}
    for step, account in db.session.execute(query):
        highest.setdefault(account.id, (step, account))
    return list(highest.values())


def _leaks() -> Sequence[AuditEvent]:
    """The newest reports of leaks: each is the revocation of the key whose secret was found."""
    query = select(AuditEvent).where(AuditEvent.action == Action.KEY_REVOKED).order_by(AuditEvent.id.desc())
    since = clock.utcnow() - LEAKS_FOR
    return [
        event
        for event in db.session.scalars(query.limit(LOOKED_THROUGH))
        if event.at > since
        and event.details.get("cause") == RevocationReason.LEAKED
        and "found_at" in event.details
    ]
