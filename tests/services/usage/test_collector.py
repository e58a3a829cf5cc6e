"""Use is counted without a write for each call, and none is lost."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from portal.extensions import db
from portal.runtime import runtime_of
from portal.services.core.outcomes import Outcome
from portal.services.keys import queries as key_queries
from portal.services.usage import collector as usage_collector
from portal.services.usage import queries as usage_queries
from portal.services.usage.collector import HOUR_MS, UsageCollector
from tests.conftest import MakeKey, StartServer
from tests.support.cast import Cast, make_person
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.server import wait_until


@pytest.fixture
def collector(app: Flask) -> UsageCollector:
    return runtime_of(app).usage  # type: ignore[no-any-return]


def now_ms(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1000)


def test_calls_and_refusals_add_up(
    app: Flask, collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    key_id = make_key(cast.alice).id
    for address in ("192.0.2.1", "2001:db8::7"):
        collector.note_call(key_id, address, now_ms(clock))
        collector.note_refusal(key_id, now_ms(clock), "apikeyExpired")
        collector.flush()
        clock.forward(minutes=5)

    with app.app_context():
        used = key_queries.get_key(cast.alice.account_id, UUID(key_id)).usage
        assert used
        assert (used.calls, used.refused, used.last_used_ip_address) == (2, 2, "2001:db8::7")
        assert used.last_used_at
        assert abs(used.last_used_at - clock.now() + timedelta(minutes=5)) < timedelta(seconds=10)


def test_refusals_are_told_apart_by_hour_and_reason(
    collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey, database: Database
) -> None:
    key_id = make_key(cast.alice).id
    noon = now_ms(clock) // HOUR_MS * HOUR_MS
    for hour, reason in (
        (0, "apikeyExpired"),
        (0, Outcome.REVOKED),
        (0, "apikeyExpired"),
        (1, "apikeyExpired"),
    ):
        collector.note_refusal(key_id, noon + hour * HOUR_MS + 5, reason)
        collector.flush()

    rows = database.execute("SELECT hour, reason, refused FROM key_refusals ORDER BY hour, reason")
    assert rows == [
        (noon, "apikeyExpired", 2),
        (noon, "apikeyRevoked", 1),
        (noon + HOUR_MS, "apikeyExpired", 1),
    ]


def test_the_ten_newest_addresses_of_each_key_are_kept(
    collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey, database: Database
) -> None:
    busy, quiet = make_key(cast.alice).id, make_key(cast.bob).id
    moment = now_ms(clock)
    collector.note_call(quiet, "198.51.100.1", moment)
    for number in range(14):
        collector.note_call(busy, f"192.0.2.{number}", moment + number)
        if number % 3 == 0:
            collector.flush()
    collector.note_call(busy, "192.0.2.4", moment + 20)
    collector.flush()

    rows = database.execute("SELECT address, calls FROM key_addresses ORDER BY last_used_at DESC")
    newest = ["192.0.2.4", *(f"192.0.2.{number}" for number in range(13, 4, -1)), "198.51.100.1"]
    assert [address for address, _ in rows] == newest
    assert dict(rows)["192.0.2.4"] == 2
    assert database.execute("SELECT sum(calls) FROM key_usage") == [(16,)]


def test_a_holder_at_many_addresses_fills_no_memory(
    collector: UsageCollector,
    cast: Cast,
    clock: Clock,
    make_key: MakeKey,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(usage_collector, "PAUSE", 3600)
    monkeypatch.setattr(usage_collector, "MOST_SLOTS", 100)
    key_id = make_key(cast.alice).id
    collector = UsageCollector(collector._engine)
    for number in range(5000):
        collector.note_call(key_id, f"2001:db8::{number:x}", now_ms(clock) + number)
        assert len(collector._calls) <= 100
    collector.close()

    assert database.execute("SELECT calls, last_used_address FROM key_usage") == [(5000, "2001:db8::1387")]
    assert database.execute("SELECT count(*) FROM key_addresses") == [(10,)]


@pytest.mark.postgresql_only(reason="SQLite has one writer, and nobody to wait for in a circle")
def test_processes_that_write_the_same_keys_never_wait_in_a_circle(
    collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey, database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    ids = [make_key(cast.alice, name=f"ci {number}").id for number in range(6)]
    moment = now_ms(clock)

    def work(order: list[str]) -> None:
        mine = UsageCollector(collector._engine)
        for step in range(15):
            for key_id in order:
                mine.note_call(key_id, f"192.0.2.{step}", moment)
                mine.note_refusal(key_id, moment, "apikeyExpired")
            mine.flush()
        mine.close()

    threads = [threading.Thread(target=work, args=(ids[turn:] + ids[:turn],)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert "could not be written" not in caplog.text
    assert database.execute("SELECT sum(calls), sum(refused) FROM key_usage") == [(360, 360)]


def test_refusals_alone_are_no_use(
    app: Flask, collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    key_id = make_key(cast.alice).id
    collector.note_refusal(key_id, now_ms(clock), "apikeyExpired")
    collector.flush()

    with app.app_context():
        used = key_queries.get_key(cast.alice.account_id, UUID(key_id)).usage

    assert used
    assert (used.calls, used.refused, used.last_used_at) == (0, 1, None)


def test_an_older_batch_does_not_turn_the_last_use_back(
    app: Flask, collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    key_id = make_key(cast.alice).id
    late = now_ms(clock)
    for moment, address in ((late, "192.0.2.1"), (late - 60_000, "192.0.2.2")):
        collector.note_call(key_id, address, moment)
        collector.flush()

    with app.app_context():
        used = key_queries.get_key(cast.alice.account_id, UUID(key_id)).usage

    assert used
    assert (used.calls, used.last_used_ip_address) == (2, "192.0.2.1")


def test_days_and_sums_are_read_back(
    app: Flask, collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    clock.to(clock.now().replace(hour=12))
    key_id = make_key(cast.alice).id
    for calls in (3, 0, 2):
        for _ in range(calls):
            collector.note_call(key_id, "192.0.2.1", now_ms(clock))
        collector.note_refusal(key_id, now_ms(clock), "apikeyExpired")
        collector.flush()
        clock.to(clock.now() + timedelta(days=1))
    clock.to(clock.now() - timedelta(days=1))

    with app.app_context():
        assert usage_queries.list_days([UUID(key_id)], 4) == {UUID(key_id): [(0, 0), (3, 1), (0, 1), (2, 1)]}
        assert usage_collector.sums_since(cast.alice.account_id, clock.now() - timedelta(days=30)) == (5, 3)
        assert usage_collector.sums_since(cast.bob.account_id, clock.now() - timedelta(days=30)) == (0, 0)


def test_a_call_costs_no_write(
    app: Flask, collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    key_id = make_key(cast.alice).id
    statements: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    for _ in range(1000):
        collector.note_call(key_id, "192.0.2.1", now_ms(clock))
    assert len(statements) < 50, "a batch of the background may fall into the loop"
    collector.flush()

    with app.app_context():
        used = key_queries.get_key(cast.alice.account_id, UUID(key_id)).usage
    assert used
    assert used.calls == 1000


def test_what_could_not_be_written_is_kept(
    app: Flask,
    collector: UsageCollector,
    cast: Cast,
    clock: Clock,
    make_key: MakeKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key_id = make_key(cast.alice).id

    def fail(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("gone"))

    with monkeypatch.context() as broken:
        broken.setattr(usage_collector, "write", fail)
        collector.note_call(key_id, "192.0.2.1", now_ms(clock))
        collector.flush()
    collector.note_call(key_id, "192.0.2.2", now_ms(clock) + 1)
    collector.flush()

    with app.app_context():
        used = key_queries.get_key(cast.alice.account_id, UUID(key_id)).usage
    assert used
    assert (used.calls, used.last_used_ip_address) == (2, "192.0.2.2")


def test_threads_lose_no_count(
    app: Flask, collector: UsageCollector, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    key_id, moment = make_key(cast.alice).id, now_ms(clock)

    def call() -> None:
        for _ in range(500):
            collector.note_call(key_id, "192.0.2.1", moment)
            if _ % 100 == 0:
                collector.flush()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    collector.flush()

    with app.app_context():
        used = key_queries.get_key(cast.alice.account_id, UUID(key_id)).usage
    assert used
    assert used.calls == 2000


def test_workers_write_every_few_seconds_and_when_they_end(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database, start_server: StartServer
) -> None:
    import urllib.request

    created = make_key(make_person(app, "carol"))
    server = start_server(PORTAL_WORKERS="2")
    request = urllib.request.Request(f"{server.url}/api/whoami/key", headers=created.headers)

    def calls() -> int:
        return database.execute("SELECT coalesce(sum(calls), 0) FROM key_usage")[0][0]  # type: ignore[no-any-return]

    for _ in range(20):
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
    wait_until(lambda: calls() == 20, 15, "the use was not written")
    for _ in range(20):
        urllib.request.urlopen(request).close()
    assert server.stop() == 0

    assert calls() == 40
    assert database.execute("SELECT last_used_address FROM key_usage") == [("127.0.0.1",)]
