"""Excess use: its owner is warned, told of throttling and, where an operator wants it, loses all keys.

The jobs look once a minute from what was counted today (UTC). Only whoever holds a
secret can bring an account to a threshold: calls are good calls, refusals those for being above a limit.
Each threshold is acted on once a day, with its figures in the audit log and in a mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from config import MOST_CALLS, Settings
from portal import clock
from portal.extensions import db
from portal.models import (
    Account,
    Action,
    ApiKey,
    ExcessLevel,
    ExcessStep,
    KeyRefusal,
    KeyUsage,
    KeyUsageHour,
    MailKind,
    RevocationReason,
)
from portal.services.calls.rates import Rates, narrowed, rates_by_role
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.keys import revocation
from portal.services.mail import outbox

ABOVE_LIMIT = "tooManyRequests"
"""The code of a refusal that counts as excess."""
KEYS_TOLD = 5
"""How many keys a record and a mail name, those with the most refusals first."""
NOTICE = timedelta(days=7)
"""How long a revocation stands above the list of keys."""
ACTIONS = {
    ExcessLevel.WARNED: Action.EXCESS_WARNED,
    ExcessLevel.THROTTLED: Action.EXCESS_THROTTLED,
    ExcessLevel.REVOKED: Action.EXCESS_REVOKED,
}


class ExcessPolicy(NamedTuple):
    """Where the thresholds are; ``revoke`` is 0 where nothing is revoked."""

    warn: int
    """Percent of a key's calls in a day; 0 where nobody is warned."""
    revoke: int
    """Refusals in a day, of all keys of an account."""
    rates: dict[str, Rates]
    """What the keys of each role may do."""


class KeyUse(NamedTuple):
    """What a key did today, and what it may do."""

    key_id: UUID
    name: str
    calls: int
    limit: int
    refused: int
    is_live: bool

    @property
    def percent(self) -> int:
        """How much of the day's calls is used, rounded down."""
        return self.calls * 100 // self.limit


def policy_of(settings: Settings) -> ExcessPolicy:
    """The policy of this installation; without limits it has no thresholds."""
    if not settings.limits_enabled:
        return ExcessPolicy(0, 0, rates_by_role(settings))
    return ExcessPolicy(settings.excess_warn, settings.excess_revoke, rates_by_role(settings))


def look(policy: ExcessPolicy) -> dict[ExcessLevel, int]:
    """Escalate for every account that has reached a threshold; return how often each level was."""
    taken = dict.fromkeys(ExcessLevel, 0)
    for account_id in _candidates(policy):
        for step in escalate(account_id, policy):
            taken[step] += 1
    return taken


def escalate(account_id: int, policy: ExcessPolicy) -> Sequence[ExcessLevel]:
    """Act on the thresholds that an account has reached, in one transaction with audit event and mail.

    Of several at once only the highest is mailed. The account is held, so that no key is made
    in between, and no threshold is acted on by two.
    """
    if not _reached(account_id, policy):
        return ()
    with transaction() as session:
        account = get_account_for_update(session, account_id)
        reached = _reached(account_id, policy)
        if account is None or reached is None:
            return ()
        use, steps = reached
        told = [_take(session, account, step, _figures(step, use, policy)) for step in steps]
        outbox.enqueue_to(session, account, MailKind.EXCESS, step=steps[-1].value, **told[-1])
    return steps


def use_today(account_id: int, rates: dict[str, Rates]) -> list[KeyUse]:
    """What the living keys of an account, and those that were used, did today; the busiest first."""
    today = clock.today()
    calls = _sums(account_id, KeyUsageHour, KeyUsageHour.calls, today)
    refused = _sums(account_id, KeyRefusal, KeyRefusal.refused, today)
    now = clock.utcnow()
    may_live = and_(ApiKey.revoked_at.is_(None), ApiKey.expires_at > now)
    rows = db.session.execute(
        select(ApiKey, Account.role)
        .join(Account)
        .where(ApiKey.account_id == account_id, or_(may_live, ApiKey.id.in_(calls.keys() | refused.keys())))
    ).unique()
    use = [
        KeyUse(
            key.id,
            key.name,
            calls.get(key.id, 0),
            narrowed(rates[role.value], None, key.calls_per_day).per_day,
            refused.get(key.id, 0),
            key.is_live(now),
        )
        for key, role in rows
        if key.id in calls or key.id in refused or key.is_live(now)
    ]
    return sorted(use, key=lambda each: (-each.refused, -each.percent, -each.calls, each.name))


def steps_since(account_id: int, since: datetime) -> Sequence[ExcessStep]:
    """The levels that an account reached since a day, the newest first."""
    return db.session.scalars(
        select(ExcessStep)
        .where(ExcessStep.account_id == account_id, ExcessStep.day >= since)
        .order_by(ExcessStep.at.desc(), ExcessStep.step)
    ).all()


def notice(account_id: int) -> ExcessStep | None:
    """What an owner has to know: keys revoked in the last week, or the highest level of today."""
    today = clock.today()
    recent = steps_since(account_id, today - NOTICE)
    told = [step for step in recent if step.step is ExcessLevel.REVOKED or step.day == today]
    shown = {step.step: step for step in reversed(told)}
    return next((shown[step] for step in reversed(ExcessLevel) if step in shown), None)


def _reached(account_id: int, policy: ExcessPolicy) -> tuple[list[KeyUse], list[ExcessLevel]] | None:
    """The use of today and the levels, lowest first, that are reached and not acted on yet."""
    use = use_today(account_id, policy.rates)
    query = select(ExcessStep.step).where(
        ExcessStep.account_id == account_id, ExcessStep.day == clock.today()
    )
    taken = set(db.session.scalars(query))
    steps = []
    if policy.warn and any(key.percent >= policy.warn for key in use) and ExcessLevel.WARNED not in taken:
        steps.append(ExcessLevel.WARNED)
    if any(key.refused for key in use) and ExcessLevel.THROTTLED not in taken:
        steps.append(ExcessLevel.THROTTLED)
    if policy.revoke and sum(key.refused for key in use if key.is_live) >= policy.revoke:
        steps.append(ExcessLevel.REVOKED)  # of keys that live: new ones begin at nothing on the same day
    return (use, steps) if steps else None


def _figures(step: ExcessLevel, use: Sequence[KeyUse], policy: ExcessPolicy) -> dict[str, Any]:
    return {
        "calls": sum(key.calls for key in use),
        "refused": sum(key.refused for key in use),
        "rung": {
            ExcessLevel.WARNED: policy.warn,
            ExcessLevel.THROTTLED: 1,
            ExcessLevel.REVOKED: policy.revoke,
        }[step],
        "by_key": [
            {
                "key": str(key.key_id),
                "name": key.name,
                "calls": key.calls,
                "limit": key.limit,
                "refused": key.refused,
            }
            for key in use[:KEYS_TOLD]
            if key.calls or key.refused
        ],
    }


def _take(session: Session, account: Account, step: ExcessLevel, figures: dict[str, Any]) -> dict[str, Any]:
    """Do what a level asks for and write it down; return its figures.

    A row of the same day is written over; the audit log keeps both.
    """
    now, actor = clock.utcnow(), Actor.system()
    if step is ExcessLevel.REVOKED:
        figures["revoked"] = revocation.revoke_all(
            session, actor, account, RevocationReason.EXCESSIVE, tell=False
        )
    session.merge(ExcessStep(account_id=account.id, day=clock.today(), step=step, at=now, figures=figures))
    audit.log_event(session, actor, ACTIONS[step], account_id=account.id, **figures)
    return figures


def _candidates(policy: ExcessPolicy) -> list[int]:
    """The accounts that may have reached a threshold today."""
    found = set(db.session.scalars(_with_refusals()))
    if policy.warn:
        found |= set(db.session.scalars(_near_their_limit(policy)))
    return sorted(found)


def _with_refusals() -> Select[int]:
    return (
        select(ApiKey.account_id)
        .join(KeyRefusal, KeyRefusal.key_id == ApiKey.id)
        .where(KeyRefusal.hour >= clock.today(), KeyRefusal.reason == ABOVE_LIMIT)
        .distinct()
    )


def _near_their_limit(policy: ExcessPolicy) -> Select[int]:
    of_role = case(
        {role: rates.per_day for role, rates in policy.rates.items()}, value=Account.role, else_=MOST_CALLS
    )
    own = func.coalesce(ApiKey.calls_per_day, MOST_CALLS)
    limit: ColumnElement[int] = cast(case((own < of_role, own), else_=of_role), BigInteger)
    return (
        select(ApiKey.account_id)
        .join(Account)
        .join(KeyUsage, KeyUsage.key_id == ApiKey.id)
        .join(KeyUsageHour, KeyUsageHour.key_id == ApiKey.id)
        .where(KeyUsage.last_used_at >= clock.today(), KeyUsageHour.hour >= clock.today())
        .group_by(ApiKey.id, ApiKey.account_id)
        .having(func.sum(KeyUsageHour.calls) * literal(100) >= func.max(limit) * policy.warn)
    )


def _sums(account_id: int, model: Any, column: Any, since: datetime) -> dict[UUID, int]:
    query = (
        select(model.key_id, func.sum(column))
        .join(ApiKey, ApiKey.id == model.key_id)
        .where(ApiKey.account_id == account_id, model.hour >= since)
        .group_by(model.key_id)
    )
    if model is KeyRefusal:
        query = query.where(KeyRefusal.reason == ABOVE_LIMIT)
    return {key_id: int(total) for key_id, total in db.session.execute(query) if total}
