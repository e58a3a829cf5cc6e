"""Call limits are exact in total, cheap at each call, and survive what they rest on (row 53)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, event, update
from sqlalchemy.exc import OperationalError

from config import load_settings
from config_values import ConfigurationError
from portal import clock as time
from portal.extensions import db
from portal.models import CallWindow
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.calls import database_store, rates
from portal.services.calls import limits as call_limits
from portal.services.calls.database_store import DatabaseStore
from portal.services.calls.leases import DAY, MINUTE, Ask, Held, StoreAway
from portal.services.calls.library_store import NOT_INSTALLED, LibraryStore
from portal.services.calls.limits import Allowance, CallLimits
from portal.services.calls.rates import Rates
from portal.services.core.errors import InvalidInput
from portal.services.keys import creation, rotation
from portal.services.keys.conditions import Conditions
from portal.services.verify.key_record import VerifiedKey
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import ROOT, Database
from tests.support.processes import in_processes
from tests.support.redis import Redis
from tests.support.server import wait_until
from tests.support.settings import settings_for

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)


class Key(NamedTuple):
    """A key as a door knows it."""

    id: str
    role: str = "user"
    calls_per_minute: int | None = None
    calls_per_day: int | None = None

    @property
    def counted_as(self) -> str:
        """It is the first of its line."""
        return self.id


NewProcess = Callable[..., CallLimits]


def left(limits: CallLimits, key: Key) -> tuple[int, int] | None:
    """What a process can still spend of 60 a minute and 100 a day; None when the store is away."""
    now = time.now_ms()
    try:
        taken = limits._store.taken([key.id], now).get(key.id, {})
    except StoreAway:
        return None
    held = limits._held.get(key.id)
    own = [each.left if each.is_open(now) else 0 for each in (held.minute, held.day)] if held else [0, 0]
    return 60 - taken.get(MINUTE, 0) + own[0], 100 - taken.get(DAY, 0) + own[1]


@pytest.fixture
def key(make_key: MakeKey, cast: Cast) -> Key:
    return Key(make_key(cast.alice).id, calls_per_minute=60, calls_per_day=100)


@pytest.fixture
def new_process(
    app: Flask, database: Database, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewProcess]:
    """Hold leases as another worker does; it gives back only when the test says so."""
    monkeypatch.setattr(call_limits, "PAUSE", 3600)
    with ExitStack() as stack, app.app_context():
        engine = db.engine

        def make(**overrides: str) -> CallLimits:
            limits = CallLimits(engine, load_settings(settings_for(database.url, instance, **overrides)))
            stack.callback(limits.close)
            return limits

        yield make


@pytest.fixture
def redis() -> Iterator[Redis]:
    """The Redis of this test."""
    server = Redis()
    server.start()
    yield server
    server.stop()


@contextmanager
def counting_writes() -> Iterator[list[str]]:
    """Collect the statements that change something."""
    written: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_words: object) -> None:
        if not statement.lstrip().startswith(("SELECT", "BEGIN", "PRAGMA", "SET")):
            written.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield written
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def take(limits: CallLimits, key: Key) -> Allowance:
    return limits.take(key, time.now_ms())


def spend(limits: CallLimits, key: Key) -> int:
    """Call until refused; how many calls were good."""
    good = 0
    while take(limits, key).allowed:
        good += 1
    return good


def test_the_lower_one_counts_of_the_roles_limit_and_the_keys_own(new_process: NewProcess) -> None:
    limits = new_process(PORTAL_CALLS_PER_MINUTE="500,support=700", PORTAL_CALLS_PER_DAY="admin=9000")

    assert limits.rates_of("user", None, None) == (500, 1_000_000)
    assert limits.rates_of("user", 499, 1_000_001) == (499, 1_000_000)
    assert limits.rates_of("support", 701, 1) == (700, 1)
    assert limits.rates_of("admin", None, None) == (500, 9000)


@pytest.mark.sqlite_only(reason="defaults are the same anywhere")
def test_operators_may_call_more_by_default(new_process: NewProcess) -> None:
    limits = new_process()
    for role in Role:
        expected = (60_000, 10_000_000) if role.is_operator else (6000, 1_000_000)
        assert limits.rates_of(role.value, None, None) == expected


def test_each_answer_tells_the_limits_and_what_is_left(
    new_process: NewProcess, key: Key, clock: Clock
) -> None:
    clock.to(NOON)
    limits = new_process()

    told = [take(limits, key).headers for _ in range(61)]

    assert {headers[0] for headers in told} == {
        ("RateLimit-Policy", '"minute";q=60;w=60, "day";q=100;w=86400')
    }
    assert told[0][1] == ("RateLimit", '"minute";r=59;t=40, "day";r=99;t=43180')
    left = [int(re.findall(r"r=(\d+)", headers[1][1])[0]) for headers in told]
    assert left == [*range(59, -1, -1), 0]


@pytest.mark.parametrize(
    ("per_minute", "per_day", "good", "wait"), [(3, 1000, 3, 40), (1000, 3, 3, 43_180), (3, 3, 3, 43_180)]
)
def test_whoever_waits_as_long_as_told_and_no_shorter_may_call_again(
    new_process: NewProcess, key: Key, clock: Clock, per_minute: int, per_day: int, good: int, wait: int
) -> None:
    clock.to(NOON)
    limits, key = new_process(), key._replace(calls_per_minute=per_minute, calls_per_day=per_day)
    assert spend(limits, key) == good

    assert take(limits, key).retry_after == wait
    clock.to(NOON + timedelta(seconds=wait - 1))
    assert take(limits, key)[:2] == (False, 1)
    clock.to(NOON + timedelta(seconds=wait))
    assert take(limits, key)[:2] == (True, 0)


def test_two_processes_and_their_threads_never_allow_more(
    new_process: NewProcess, key: Key, clock: Clock
) -> None:
    clock.to(NOON)
    workers = [new_process(), new_process()]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: take(workers[number % 2], key), range(300)))

    assert sum(answer.allowed for answer in answers) == 60


def test_what_one_process_holds_and_does_not_use_comes_back_to_the_others(
    new_process: NewProcess, key: Key, clock: Clock
) -> None:
    clock.to(NOON)
    idle, busy = new_process(), new_process()
    assert take(idle, key).allowed
    before = spend(busy, key)
    assert 50 <= before < 59, "the idle one holds a little"

    idle.give_back()
    assert not take(busy, key).allowed, "it looks again after a second, not at each call"
    clock.forward(seconds=1)

    assert 1 + before + spend(busy, key) == 60
    assert not take(idle, key).allowed


def test_it_comes_back_by_itself(
    new_process: NewProcess, key: Key, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.to(NOON)
    busy = new_process()
    monkeypatch.setattr(call_limits, "PAUSE", 0.01)
    idle = new_process()
    take(idle, key)
    before = spend(busy, key)
    clock.forward(seconds=1)

    def all_are_good() -> bool:
        can_spend = left(busy, key)
        return can_spend is not None and can_spend[0] == 60 - 1 - before

    wait_until(all_are_good, 20, "what the idle one held did not come back")


def test_what_nobody_lacks_is_not_given_back(new_process: NewProcess, key: Key, clock: Clock) -> None:
    clock.to(NOON)
    limits = new_process()
    take(limits, key)
    with counting_writes() as writes:
        limits.give_back()
        assert writes == []
        clock.forward(minutes=11)
        limits.give_back()
        assert len(writes) == 1, "the key rests: its part of the day goes back"
    assert left(limits, key) == (60, 99)


def test_a_process_that_ends_gives_back_and_one_that_is_killed_loses_a_lease_at_most(
    new_process: NewProcess, key: Key, clock: Clock
) -> None:
    clock.to(NOON)
    ending, killed = new_process(), new_process()
    take(ending, key)
    ending.close()
    take(killed, key)

    assert 60 - 2 - 60 // 8 <= spend(new_process(), key) < 60 - 1


def test_calls_are_not_writes(new_process: NewProcess, key: Key, clock: Clock) -> None:
    clock.to(NOON)
    limits, key = new_process(), key._replace(calls_per_minute=None, calls_per_day=None)

    with counting_writes() as writes:
        assert spend(limits, key) == 6000
    assert len(writes) < 80, "leases get small near the end only"

    with counting_writes() as writes:
        assert not any(take(limits, key).allowed for _ in range(1000))
    assert writes == []


def test_a_machine_whose_clock_is_ahead_makes_no_second_window(
    new_process: NewProcess, key: Key, clock: Clock
) -> None:
    ahead, behind = new_process(), new_process()
    clock.to(NOON + timedelta(seconds=41))
    good = spend(ahead, key)
    clock.to(NOON)
    assert spend(behind, key) == 60 - good == 0


def test_a_clock_that_was_far_ahead_does_not_lock_a_key_out(
    new_process: NewProcess, key: Key, clock: Clock
) -> None:
    astray, right = new_process(), new_process()
    clock.to(NOON + timedelta(days=30))
    spend(astray, key)
    clock.to(NOON)
    assert spend(right, key) == 60


def test_while_the_store_is_away_each_process_lends_a_little_and_counts_it_later(
    new_process: NewProcess, key: Key, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.to(NOON)
    limits = new_process()
    assert sum(take(limits, key).allowed for _ in range(8)) == 8
    with monkeypatch.context() as broken:
        broken.setattr(DatabaseStore, "_try", _away)
        lent = spend(limits, key)
        clock.forward(seconds=5)
        assert not take(limits, key).allowed
    assert lent < 60 // 4

    clock.forward(seconds=5)
    assert 8 + lent + spend(limits, key) == 60


def test_whoever_stands_still_with_the_lock_holds_up_nobody_for_long(
    new_process: NewProcess, key: Key, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.to(NOON)
    monkeypatch.setattr(database_store, "BUSY_MS", 50)
    limits = new_process()
    take(limits, key)
    held = update(CallWindow).values(taken=CallWindow.taken)
    with db.engine.connect().execution_options(portal_writes=True) as standing_still:
        standing_still.execute(held)
        lent = spend(limits, key)
        standing_still.rollback()
    assert 60 // 8 <= lent < 60 // 3

    clock.forward(seconds=5)
    assert 1 + lent + spend(limits, key) == 60


def _away(*_words: object) -> None:
    raise OperationalError("INSERT", {}, Exception("the disk is full"))


def test_the_limits_can_be_switched_off(new_process: NewProcess, key: Key) -> None:
    limits = new_process(PORTAL_LIMITS_ENABLED="false")
    assert {take(limits, key) for _ in range(100)} == {(True, 0, ())}
    assert not limits.enabled


@pytest.mark.with_redis
@pytest.mark.sqlite_only(reason="no database is asked")
@pytest.mark.parametrize("per_minute", [1, 60, None])
def test_machines_may_count_in_redis(
    new_process: NewProcess, key: Key, redis: Redis, clock: Clock, per_minute: int | None
) -> None:
    clock.to(NOON)
    limits = [new_process(PORTAL_LIMITS_STORE=redis.url) for _ in range(2)]
    key = key._replace(calls_per_minute=per_minute, calls_per_day=100)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: take(limits[number % 2], key), range(240)))

    limits[0].close()
    good = sum(answer.allowed for answer in answers) + spend(limits[1], key)
    assert good == (per_minute or 100)


@pytest.mark.parametrize("store", ["the database", pytest.param("redis", marks=pytest.mark.with_redis)])
@pytest.mark.parametrize("overlap", [timedelta(0), timedelta(hours=1)], ids=["at once", "with an overlap"])
def test_a_rotation_renews_no_calls(
    app: Flask,
    cast: Cast,
    new_process: NewProcess,
    redis: Redis,
    clock: Clock,
    store: str,
    overlap: timedelta,
) -> None:
    """Two workers, one of which holds a lease of the old key; all keys of the line take from one count."""
    clock.to(NOON)
    clock.stop()
    elsewhere = {"PORTAL_LIMITS_STORE": redis.url} if store == "redis" else {}
    processes = [new_process(**elsewhere) for _ in range(2)]
    bound = Conditions(calls_per_minute=60, calls_per_day=100)
    with app.app_context():
        created = creation.create_key(
            cast.alice.actor, name="ci", level=4, life=timedelta(days=9), conditions=bound
        )
    find = runtime_of(app).verifier.decide_secret
    first = find(created[1], None).key
    assert sum(processes[number % 2].take(first, time.now_ms()).allowed for number in range(20)) == 20

    line, key_id = [first], UUID(first.id)
    for _ in range(3):
        with app.app_context():
            successor, secret = rotation.rotate_key(cast.alice.actor, key_id, overlap=overlap)
            key_id = successor.id
        line.append(find(secret, None).key)
    good = sum(spend_as(process, key) for key in line for process in processes)
    processes[0].close()
    good += spend_as(processes[1], line[-1])

    assert 20 + good == 60
    clock.forward(minutes=1)
    assert sum(spend_as(processes[1], key) for key in line) == 40, "the calls of the day go on too"


def spend_as(limits: CallLimits, key: VerifiedKey) -> int:
    """Call with a key as a door knows it until refused; how many calls were good."""
    good = 0
    while limits.take(key, time.now_ms()).allowed:
        good += 1
    return good


@pytest.mark.with_redis
@pytest.mark.sqlite_only(reason="no database is asked")
def test_what_is_held_comes_back_through_redis_and_one_that_is_away_is_survived(
    new_process: NewProcess, key: Key, redis: Redis, clock: Clock
) -> None:
    clock.stop()
    idle, busy = (new_process(PORTAL_LIMITS_STORE=redis.url) for _ in range(2))
    assert take(idle, key).allowed
    before = spend(busy, key)
    idle.give_back()
    assert left(busy, key) == (59 - before, 99 - before)
    clock.forward(seconds=1)
    assert 1 + before + spend(busy, key) == 60

    redis.stop()
    clock.forward(minutes=1)
    assert spend(busy, key) == 60 // 8
    assert left(busy, key) is None


@pytest.mark.with_redis
def test_calls_that_come_back_while_debts_are_counted_break_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store, held, ask = LibraryStore("memory://"), Held(), Ask(MINUTE, 10, owed=2)
    monkeypatch.setattr(store._storage, "get", lambda _name: 10)
    held.set_rates(Rates(10, 10))

    held.receive(store.take("key", [ask], 1), 1)

    refused = held.spend(1)
    assert refused is not None
    assert not refused.allowed


@pytest.mark.sqlite_only(reason="settings are the same anywhere")
@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"PORTAL_LIMITS_STORE": "memory://"}, "more than one worker"),
        ({"PORTAL_CALLS_PER_MINUTE": "usr=6"}, "names a role that is none: usr"),
        ({"PORTAL_CALLS_PER_MINUTE": "0"}, "PORTAL_CALLS_PER_MINUTE must be a whole number"),
        ({"PORTAL_CALLS_PER_DAY": "user=5,user=6"}, "twice"),
    ],
)
def test_what_can_not_work_is_refused_at_the_start(
    new_process: NewProcess, settings: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        new_process(**settings)


@pytest.mark.with_redis
@pytest.mark.sqlite_only(reason="settings are the same anywhere")
@pytest.mark.parametrize(
    ("store", "complaint"),
    [("nosuch://here", "PORTAL_LIMITS_STORE can't be used"), ("async+memory://", "asynchronous")],
)
def test_a_store_that_can_not_work_is_refused_at_the_start(
    new_process: NewProcess, store: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        new_process(PORTAL_LIMITS_STORE=store)


@pytest.mark.sqlite_only(reason="settings are the same anywhere")
@pytest.mark.parametrize("store", ["redis://127.0.0.1:6379", "nosuch://here"])
def test_without_the_extra_the_start_is_refused_and_says_what_to_install(
    instance: Path, tmp_path: Path, store: str
) -> None:
    (tmp_path / "limits.py").write_text("raise ImportError", "utf-8")
    ours = {"PORTAL_INSTANCE_PATH": str(instance), "PORTAL_LIMITS_STORE": store}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
        env={**os.environ, **ours, "PYTHONPATH": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr == f"The portal can't start: {NOT_INSTALLED}\n"
    assert "requirements-redis.txt" in NOT_INSTALLED


@pytest.mark.sqlite_only(reason="no database is asked")
def test_nobody_is_given_more_than_the_role_has(app: Flask) -> None:
    refused = [(6001, None, "PerMinute"), (0, 1, "PerMinute"), (1, 1_000_001, "PerDay"), (1, -1, "PerDay")]
    with app.app_context():
        for asked in ((None, None), (6000, 1_000_000), (1, 1)):
            rates.check_asked(Role.USER, *asked)
        for per_minute, per_day, which in refused:
            with pytest.raises(InvalidInput, match=f"calls{which}Invalid"):
                rates.check_asked(Role.USER, per_minute, per_day)


WORKER = """
import json, sys, time_machine
from typing import NamedTuple
from portal.app import create_app
from portal.runtime import runtime_of
class Key(NamedTuple):
    counted_as: str
    role: str = "user"
    calls_per_minute: int = 500
    calls_per_day: int = 100000
key = Key(sys.argv[2])
limits = runtime_of(create_app(json.loads(sys.argv[1]))).call_limits
sys.stdin.readline()
good = 0
while limits.take(key, int(sys.argv[3])).allowed:
    good += 1
print(good)
"""


def test_processes_count_exactly_in_total(database: Database, instance: Path, key: Key, clock: Clock) -> None:
    settings = json.dumps(settings_for(database.url, instance))
    counted = in_processes(WORKER, settings, key.id, str(time.to_ms(NOON)))

    assert sum(int(good) for (good,) in counted) == 500


def test_a_lease_that_never_comes_out_is_given_up(
    new_process: NewProcess, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []
    monkeypatch.setattr(DatabaseStore, "_write", lambda *_: bool(tries.append(1)))

    assert take(new_process(), key).allowed, "as while the store is away, it lends a little"
    assert len(tries) == database_store.TRIES
