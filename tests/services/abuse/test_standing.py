"""Where keys stand with their limits: counted from calls, and every refusal told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.abuse import excess, standing
from portal.services.abuse.standing import KeyStanding
from portal.services.calls.rates import Rates
from portal.services.keys import rotation
from portal.services.usage import queries as usage_queries
from portal.services.usage.collector import UsageCollector
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.rows import forge

NOON = datetime(2026, 11, 24, 12, 5, 20, tzinfo=UTC)
RATES = {role.value: Rates(60, 100) for role in Role}
MINUTE_MS, DAY_MS = 60_000, 86_400_000


@pytest.fixture
def now(clock: Clock) -> int:
    clock.to(NOON)
    return int(NOON.timestamp()) * 1000


def of_alice(app: Flask, cast: Cast) -> dict[str, KeyStanding]:
    with app.app_context():
        return {each.name: each for each in standing.standings(cast.alice.account_id, RATES)}


def note(collector: UsageCollector, key_id: str, calls: int, at: int) -> None:
    for _ in range(calls):
        collector.note_call(key_id, "192.0.2.1", at)


def test_calls_of_every_process_count_and_leases_do_not(
    app: Flask, cast: Cast, make_key: MakeKey, now: int
) -> None:
    key = make_key(cast.alice, name="nightly")
    first, second = runtime_of(app).usage, UsageCollector(runtime_of(app).usage._engine)
    note(first, key.id, 3, now)
    note(second, key.id, 4, now + 5)
    note(first, key.id, 9, now - DAY_MS)
    first.flush()
    second.close()

    told = of_alice(app, cast)["nightly"]
    assert (told.in_minute, told.today, told.percent) == (7, 7, 11)
    assert told.rates == (60, 100)


def test_the_minute_is_empty_when_it_is_over(
    app: Flask, cast: Cast, make_key: MakeKey, now: int, clock: Clock
) -> None:
    key = make_key(cast.alice, name="nightly")
    note(runtime_of(app).usage, key.id, 60, now)
    runtime_of(app).usage.flush()
    assert of_alice(app, cast)["nightly"].percent == 100
    clock.forward(minutes=1)

    told = of_alice(app, cast)["nightly"]
    assert (told.in_minute, told.today) == (0, 60)


def test_a_rotated_key_and_its_new_one_have_one_limit(
    app: Flask, cast: Cast, make_key: MakeKey, now: int
) -> None:
    old = make_key(cast.alice, name="nightly")
    with app.app_context():
        new = str(rotation.rotate_key(cast.alice.actor, UUID(old.id), overlap=timedelta(days=1))[0].id)
    note(runtime_of(app).usage, old.id, 5, now)
    note(runtime_of(app).usage, new, 2, now)
    runtime_of(app).usage.flush()

    with app.app_context():
        found = standing.standings(cast.alice.account_id, RATES)
    assert [(each.in_minute, each.today, each.shares) for each in found] == [(7, 7, True)] * 2


def test_a_refusal_is_any_and_those_above_a_limit_are_part_of_it(
    app: Flask, cast: Cast, make_key: MakeKey, now: int
) -> None:
    key, quiet = make_key(cast.alice, name="nightly"), make_key(cast.alice, name="quiet")
    usage = runtime_of(app).usage
    for times, reason in ((25, excess.ABOVE_LIMIT), (3, "addressNotAllowed")):
        for _ in range(times):
            usage.note_refusal(key.id, now, reason)
    usage.note_refusal(key.id, now - 2 * DAY_MS, "addressNotAllowed")
    usage.flush()

    told = of_alice(app, cast)
    assert list(told) == ["nightly", "quiet"], "the one in trouble first"
    assert (told["nightly"].refused, told["nightly"].above_limit) == (28, 25)
    assert (told["quiet"].refused, told["quiet"].above_limit) == (0, 0)
    with app.app_context():
        by_key = usage_queries.refused_by_key([UUID(key.id), UUID(quiet.id)])
        whole = usage_queries.read_series(usage_queries.Span.MONTH).refused
    assert by_key == {UUID(key.id): 29, UUID(quiet.id): 0}
    assert whole == 29


def test_ended_keys_are_told_on_the_day_they_were_called_and_strangers_never(
    app: Flask, cast: Cast, now: int
) -> None:
    ended = forge(app, cast.alice, name="ended", created_at=NOON - timedelta(days=9),
                  expires_at=NOON - timedelta(hours=1))  # fmt: skip
    forge(app, cast.alice, name="silent", created_at=NOON - timedelta(days=9),
          expires_at=NOON - timedelta(hours=1))  # fmt: skip
    forge(app, cast.bob, name="bob's")
    runtime_of(app).usage.note_refusal(ended.id, now, "apikeyExpired")
    runtime_of(app).usage.flush()

    told = of_alice(app, cast)
    assert list(told) == ["ended"]
    assert (told["ended"].is_live, told["ended"].refused) == (False, 1)
