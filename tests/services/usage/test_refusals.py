"""The last refusals of a key are kept, so that its owner can mend what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal.models import Account
from portal.runtime import runtime_of
from portal.services.accounts import removal
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.usage import batch, refusals
from portal.services.usage import collector as usage_collector
from portal.services.usage.collector import UsageCollector
from portal.services.usage.refusals import Circumstances
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE_MS, DAY_MS = 60_000, 86_400_000
ABROAD = Circumstances("203.0.113.9", "authorize")


@pytest.fixture
def now(clock: Clock) -> int:
    clock.to(NOON)
    return int(NOON.timestamp()) * 1000


@pytest.fixture
def collector(app: Flask) -> UsageCollector:
    return runtime_of(app).usage  # type: ignore[no-any-return]


@pytest.fixture
def key(cast: Cast, make_key: MakeKey) -> str:
    return make_key(cast.alice).id


def recent(app: Flask, key_id: str) -> list[tuple[Any, ...]]:
    """How often, why, from where, at which door and for what; and from when to when, in minutes ago."""
    noon = NOON
    with app.app_context():
        return [
            (
                *(each.times, each.reason, each.ip_address, each.door, each.asked),
                *((noon - at).total_seconds() / 60 for at in (each.first_at, each.last_at)),
            )
            for each in refusals.list_recent(UUID(key_id))
        ]


def test_equal_refusals_of_a_day_are_told_as_one(
    app: Flask, collector: UsageCollector, key: str, now: int
) -> None:
    for ago in (30, 20, 3, 24 * 60):
        collector.note_refusal(key, now - ago * MINUTE_MS, "addressNotAllowed", ABROAD)
        collector.flush()
    level = Circumstances("203.0.113.9", "api", "4")
    collector.note_refusal(key, now - MINUTE_MS, "insufficientAccessLevel", level)
    collector.note_refusal(key, now, "addressNotAllowed", ABROAD._replace(ip_address="203.0.113.10"))
    collector.flush()

    assert recent(app, key) == [
        (1, "addressNotAllowed", "203.0.113.10", "authorize", "", 0, 0),
        (1, "insufficientAccessLevel", "203.0.113.9", "api", "4", 1, 1),
        (3, "addressNotAllowed", "203.0.113.9", "authorize", "", 30, 3),
        (1, "addressNotAllowed", "203.0.113.9", "authorize", "", 1440, 1440),
    ]


def test_the_fifty_newest_of_each_key_are_kept_whoever_writes_them(
    app: Flask, collector: UsageCollector, cast: Cast, make_key: MakeKey, key: str, now: int
) -> None:
    quiet = make_key(cast.bob).id
    collector.note_refusal(quiet, now - DAY_MS, "apikeyExpired", ABROAD)
    collector.flush()
    others = UsageCollector(collector._engine)
    for number in range(80):
        how = ABROAD._replace(ip_address=f"192.0.2.{number}")
        (collector, others)[number % 2].note_refusal(key, now - (80 - number) * MINUTE_MS, "x", how)
        if number % 7 == 0:
            collector.flush()
    others.close()
    collector.flush()

    newest = [f"192.0.2.{number}" for number in range(79, 29, -1)]
    assert [row[2] for row in recent(app, key)] == newest
    assert [row[2] for row in recent(app, quiet)] == ["203.0.113.9"]


def test_two_processes_add_up_what_is_equal(
    app: Flask, collector: UsageCollector, key: str, now: int
) -> None:
    others = UsageCollector(collector._engine)
    others.note_refusal(key, now - 5 * MINUTE_MS, "apikeyExpired", ABROAD)
    collector.note_refusal(key, now - 9 * MINUTE_MS, "apikeyExpired", ABROAD)
    others.note_refusal(key, now - 2 * MINUTE_MS, "apikeyExpired", ABROAD)
    others.close()
    collector.flush()

    assert recent(app, key) == [(3, "apikeyExpired", "203.0.113.9", "authorize", "", 9, 2)]


def test_a_holder_who_is_refused_in_many_ways_fills_no_memory(
    collector: UsageCollector, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_collector, "PAUSE", 3600)
    monkeypatch.setattr(refusals, "MOST", 1000)
    mine = refusals.RecentRefusals()
    for number in range(5000):
        mine.note("one", now + number, "x", Circumstances(f"2001:db8::{number:x}"))
        mine.note(f"key {number}", now + number, "x", ABROAD)
    kept = mine.take()

    assert 50 <= len(kept["one"]) <= 100
    assert Circumstances(f"2001:db8::{4999:x}").ip_address in {each.ip_address for each in kept["one"]}
    assert "key 4999" in kept
    assert sum(map(len, kept.values())) <= 1000


@pytest.mark.parametrize("typed", ["GE\0T", "GET\ud800", "G" * 200, "привет", "a b\r\n"])
def test_nothing_that_a_caller_writes_stops_a_batch(
    app: Flask, collector: UsageCollector, key: str, now: int, typed: str
) -> None:
    collector.note_refusal(key, now, "methodNotPermitted", Circumstances("2" * 99, "authorize", typed))
    collector.flush()

    ((times, _reason, address, _door, asked, *_),) = recent(app, key)
    assert (times, len(address)) == (1, 45)
    assert asked.isascii()
    assert asked.isprintable()
    assert len(asked) <= 40


def test_counts_and_circumstances_are_written_together_or_not_at_all(
    app: Flask, collector: UsageCollector, key: str, now: int, database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("gone"))

    collector.note_refusal(key, now, "apikeyExpired", ABROAD)
    with monkeypatch.context() as broken:
        broken.setattr(batch, "_forget_older", fail)
        broken.setattr(batch.moments, "keep", fail)
        collector.flush()
    assert recent(app, key) == []
    assert database.execute("SELECT count(*) FROM key_refusals") == [(0,)]
    collector.note_refusal(key, now, "apikeyExpired", ABROAD)
    collector.flush()

    assert [row[0] for row in recent(app, key)] == [2]
    assert database.execute("SELECT sum(refused) FROM key_refusals") == [(2,)]


def test_they_go_after_thirty_days_and_with_the_account(
    app: Flask, collector: UsageCollector, cast: Cast, make_key: MakeKey, key: str, now: int, clock: Clock,
    database: Database, run_jobs: Callable[[], int],
) -> None:  # fmt: skip
    of_bob = make_key(cast.bob).id
    for each in (key, of_bob):
        collector.note_refusal(each, now, "apikeyExpired", ABROAD)
    collector.flush()
    with app.app_context(), transaction() as session:
        removal.empty(session, Actor.system(), session.get_one(Account, cast.bob.account_id))
    run_jobs()
    assert database.execute("SELECT count(*) FROM key_recent_refusals") == [(1,)]

    clock.forward(days=29)
    run_jobs()
    assert len(recent(app, key)) == 1
    clock.forward(days=1, seconds=1)
    assert recent(app, key) == [], "they aren't shown for longer, whether or not the jobs have run"
    run_jobs()
    assert database.execute("SELECT count(*) FROM key_recent_refusals") == [(0,)]


def test_the_calls_of_the_last_minute_add_up_over_processes(
    collector: UsageCollector, key: str, now: int, database: Database
) -> None:
    others = UsageCollector(collector._engine)
    used = "SELECT calls, minute_calls FROM key_usage"
    for moment in (now - 1, now, now + 5):
        collector.note_call(key, "192.0.2.1", moment)
    collector.note_call(key, "192.0.2.2", now + 7)
    collector.flush()
    assert database.execute(used) == [(4, 3)], "one was in the minute before"
    others.note_call(key, "192.0.2.1", now + 6)
    others.note_call(key, "192.0.2.1", now + 59_999)
    others.flush()
    assert database.execute(used) == [(6, 5)]
    collector.note_call(key, "192.0.2.1", now - 9)
    collector.note_refusal(key, now + 2 * MINUTE_MS, "apikeyExpired", ABROAD)
    collector.flush()
    assert database.execute(used) == [(7, 5)]
    others.note_call(key, "192.0.2.1", now + MINUTE_MS)
    others.close()
    assert database.execute(used) == [(8, 1)]
