"""Fill an empty installation: play the story in the past, then count the calls of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network

from sqlalchemy import select

from portal import clock
from portal.clock import freeze
from portal.demo.people import PEOPLE
from portal.demo.stage import BY_NAME, Stage
from portal.demo.story import DAY, in_order
from portal.demo.use import batch_of, knocks
from portal.extensions import db
from portal.models import ApiKey
from portal.services.auth import demo_data
from portal.services.core.actor import Actor
from portal.services.core.outcomes import Outcome
from portal.services.usage.batch import Batch

MORNING = timedelta(hours=8)
CI = ("192.0.2.64", "192.0.2.65", "2001:db8:40::12")
"""From where machines call that have no place of their own."""


def fill(operator: Actor, password: str) -> None:
    """Make all accounts and keys, with the use of a year; every account has this password.

    The installation is marked first, so that nobody ever signs in there on a public base URL.
    Raises NotEmpty where there are accounts, and DBAPIError.
    """
    demo_data.mark(operator)
    now, midnight = clock.utcnow(), clock.today()
    with freeze(midnight - (PEOPLE[0].joined + 1) * DAY) as hands:
        stage = Stage(hands, password, operator)
        for days, play in in_order():
            stage.go_to(midnight - days * DAY + MORNING + _some_hours(days))
            play(stage)
            stage.run_jobs()
        stage.go_to(now)
        stage.write_use(*_use_of(stage, now))


def _some_hours(days: int) -> timedelta:
    """When people begin on a day, after the morning has begun: never the same, and yet always."""
    return timedelta(minutes=days * 97 % 400, seconds=days * 31 % 60, milliseconds=days * 173 % 1000)


def _use_of(stage: Stage, now: datetime) -> Iterator[Batch]:
    """What each key did until its end, and what was refused after it."""
    for key in db.session.scalars(select(ApiKey).order_by(ApiKey.id)):
        plan = stage.plans[key.id]
        if plan.use is None:
            continue
        ended, reason = _end_of(key)
        until = min(ended, now - plan.rests * DAY)
        yield batch_of(key, plan.use, plan.calls, _ip_addresses(key, plan.owner), until)
        if ended <= now:
            yield knocks(key, plan.calls, ended, reason, _ip_addresses(key, plan.owner)[0])


def _end_of(key: ApiKey) -> tuple[datetime, Outcome]:
    ends = [(key.expires_at, Outcome.EXPIRED)]
    ends += [(end, Outcome.REVOKED) for end in (key.retires_at, key.revoked_at) if end is not None]
    return min(ends)


def _ip_addresses(key: ApiKey, owner: str) -> list[str]:
    """From where a key is used: within the networks that it is bound to, if there are any."""
    if key.networks:
        network = ip_network(key.networks.split()[0])
        return [str(network[3]), str(network[9])]
    return [BY_NAME[owner].ip_address, *CI]
