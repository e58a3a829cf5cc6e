"""Old use becomes days, then goes; nothing is lost or counted twice on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text
from sqlalchemy.exc import OperationalError

from portal import clock as portal_clock
from portal.models import Account, KeyIpAddress, KeyRefusal, KeyUsage, KeyUsageHour
from portal.runtime import runtime_of
from portal.services.accounts import removal
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.usage import rollup
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.server import wait_until

REASONS = ("apikeyExpired", "insufficientAccessLevel")
HOURS = st.integers(0, 24 * 420)
"""Hours before now; beyond what is kept, and within what is not folded."""
USES = st.lists(st.tuples(st.integers(0, 1), HOURS, st.integers(0, 9), st.sampled_from(REASONS)), max_size=60)


@pytest.fixture
def keys(cast: Cast, make_key: MakeKey) -> list[UUID]:
    return [UUID(make_key(cast.alice).id), UUID(make_key(cast.bob).id)]


def fill(keys: list[UUID], uses: list[tuple[int, int, int, str]]) -> None:
    """Replace all use by these: key, hours ago, how many refused, and why."""
    now = portal_clock.utcnow().replace(minute=0, second=0, microsecond=0)
    rows: dict[tuple[UUID, datetime], int] = defaultdict(int)
    refusals: dict[tuple[UUID, datetime, str], int] = defaultdict(int)
    for owner, ago, refused, reason in uses:
        hour = now - timedelta(hours=ago)
        rows[keys[owner], hour] += refused
        refusals[keys[owner], hour, reason] += refused
    with transaction() as session:
        for model in (KeyIpAddress, KeyRefusal, KeyUsageHour, KeyUsage):
            session.execute(delete(model))
        session.add_all(KeyUsage(key_id=key_id, calls=0, refused=0) for key_id in keys)
        session.flush()
        session.add_all(
            KeyUsageHour(key_id=key_id, hour=hour, calls=3, refused=refused)
            for (key_id, hour), refused in rows.items()
        )
        session.add_all(
            KeyRefusal(key_id=key_id, hour=hour, reason=reason, refused=refused)
            for (key_id, hour, reason), refused in refusals.items()
        )


def by_day(database: Database) -> dict[object, int]:
    """Calls and refusals by key and day, refusals also by reason; days that are too old left out."""
    oldest = portal_clock.now_ms() // rollup.DAY_MS - rollup.DAYS_KEPT.days
    sums: dict[object, int] = defaultdict(int)
    for key_id, hour, calls, refused in database.execute(
        "SELECT key_id, hour, calls, refused FROM key_usage_hours"
    ):
        sums[key_id, hour // rollup.DAY_MS, "calls"] += calls
        sums[key_id, hour // rollup.DAY_MS, "refused"] += refused
    for key_id, hour, reason, refused in database.execute("SELECT * FROM key_refusals"):
        sums[key_id, hour // rollup.DAY_MS, reason] += refused
    return {slot: count for slot, count in sums.items() if slot[1] >= oldest}  # type: ignore[index]


def hours(database: Database, table: str) -> list[int]:
    return [row[0] for row in database.execute(f"SELECT hour FROM {table}")]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses=USES)
def test_folding_keeps_the_sums_of_every_day(
    app: Flask, database: Database, keys: list[UUID], uses: list[tuple[int, int, int, str]]
) -> None:
    with app.app_context():
        fill(keys, uses)
        before = by_day(database)
        rollup.fold()
        once = database.rows()
        assert rollup.fold() == {"usage_folded": 0, "usage_gone": 0}
    assert by_day(database) == before
    assert database.rows() == once

    today = portal_clock.now_ms() // rollup.DAY_MS
    for table in ("key_usage_hours", "key_refusals"):
        for hour in hours(database, table):
            age = today - hour // rollup.DAY_MS
            assert age <= 400
            assert age <= 35 or hour % rollup.DAY_MS == 0


def test_a_batch_that_fails_leaves_no_half_of_a_day(
    app: Flask, database: Database, keys: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        fill(keys, [(0, 24 * 50 + ago, 2, REASONS[0]) for ago in range(30)])
        before = database.rows()

        def fail(*_: object) -> int:
            raise OperationalError("DELETE", {}, Exception("gone"))

        with monkeypatch.context() as broken:
            broken.setattr(rollup, "count_changed", fail)
            broken.setattr(rollup, "_forget", lambda *_: 0)
            with pytest.raises(OperationalError):
                rollup.fold()
        assert database.rows() == before


@pytest.mark.postgresql_only(reason="SQLite has one writer at a time")
def test_folding_waits_for_use_that_is_written_with_nothing_in_hand(
    app: Flask, database: Database, keys: list[UUID]
) -> None:
    """Else the two wait for each other: one key has old hours only, one before it old refusals only."""
    first, second = keys = sorted(keys)
    with app.app_context():
        at_noon = 24 * 50 + portal_clock.utcnow().hour - 12  # the first hour of a day is folded already
        fill(keys, [(0, at_noon, 1, REASONS[0]), (1, at_noon, 1, REASONS[0])])
    database.execute("DELETE FROM key_usage_hours WHERE key_id = :key", key=first)
    database.execute("DELETE FROM key_refusals WHERE key_id = :key", key=second)
    hold = text("SELECT 1 FROM key_usage WHERE key_id = :key FOR UPDATE NOWAIT")

    def fold() -> dict[str, int]:
        with app.app_context():
            return rollup.fold()

    def is_waiting() -> bool:
        return bool(database.execute("SELECT 1 FROM pg_locks WHERE NOT granted"))

    with ThreadPoolExecutor(1) as pool:
        with (
            database.connect() as writing,
            writing.execution_options(isolation_level="READ COMMITTED").begin(),
        ):
            writing.execute(hold, {"key": first})
            folding = pool.submit(fold)
            wait_until(is_waiting, 20, "nobody waited for the key that is held")
            writing.execute(hold, {"key": second})
        assert folding.result(20)["usage_folded"] == 2


def test_a_backlog_is_folded_in_many_small_batches(
    app: Flask, database: Database, keys: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "KEYS_AT_ONCE", 1)
    monkeypatch.setattr(rollup, "DAYS_AT_ONCE", 2)
    with app.app_context():
        fill(keys, [(owner, 24 * 60 + ago, 1, REASONS[0]) for owner in (0, 1) for ago in range(24 * 9)])
        before = by_day(database)
        assert rollup.fold()["usage_folded"] > 2 * 2 * 8 * 23
        assert len(hours(database, "key_usage_hours")) <= 2 * 10
        assert by_day(database) == before


def test_the_hourly_job_folds_and_forgets_where_a_removed_account_was(
    app: Flask, database: Database, keys: list[UUID], cast: Cast, clock: Clock, run_jobs: Callable[[], int]
) -> None:
    moment = int(clock.now().timestamp() * 1000)
    for hour in (0, 3_600_000):
        runtime_of(app).usage.note_call(str(keys[0]), "192.0.2.1", moment - hour)
        runtime_of(app).usage.note_call(str(keys[1]), "192.0.2.2", moment - hour)
    runtime_of(app).usage.flush()
    with app.app_context(), transaction() as session:
        removal.empty(session, Actor.system(), session.get_one(Account, cast.bob.account_id))

    run_jobs()
    assert database.execute("SELECT address FROM key_addresses") == [("192.0.2.1",)]
    used_from = "SELECT last_used_address FROM key_usage WHERE last_used_address IS NOT NULL"
    assert database.execute(used_from) == [("192.0.2.1",)]
    clock.forward(days=40)
    run_jobs()
    assert all(hour % rollup.DAY_MS == 0 for hour in hours(database, "key_usage_hours"))
    clock.forward(days=380)
    run_jobs()
    assert hours(database, "key_usage_hours") == []
    assert database.execute("SELECT sum(calls) FROM key_usage") == [(4,)]
    assert database.execute("SELECT count(*) FROM key_addresses") == [(0,)]
