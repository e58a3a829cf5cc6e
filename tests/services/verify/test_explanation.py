"""Would it pass? The explanation, held to the doorkeeper (rows 25 and 29)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal import clock as portal_clock
from portal.extensions import db
from portal.models import AccountStatus, ApiKey, Consent, KeyKind, KeyRefusal, KeyUsageHour
from portal.permissions import Role
from portal.runtime import Runtime, runtime_of
from portal.services.calls.library_store import LibraryStore
from portal.services.core.actor import Actor
from portal.services.core.outcomes import Outcome
from portal.services.keys import secrets
from portal.services.operators import actions
from portal.services.verify.doorkeeper import Credentials
from portal.services.verify.explanation import CHECKS, Check, Explanation, Question, explain
from portal.services.verify.key_record import VerifiedKey
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.clock import Clock

SECRET = secrets.create_secret("chk")
HOUR = 3_600_000
NOW = portal_clock.to_ms(datetime(2026, 6, 1, 12, tzinfo=UTC))
ADDRESSES = (None, "192.0.2.7", "203.0.113.9", "2001:db8::7", "no address")
NETWORKS = ("", "192.0.2.0/24", "!203.0.113.0/24", "192.0.2.0/24 2001:db8::/32")
hours = st.integers(-48, 48).map(lambda number: NOW + number * HOUR)
keys = st.builds(
    VerifiedKey,
    id=st.just("01980000-0000-7000-8000-000000000001"),
    name=st.just("ci"),
    level=st.integers(0, 9),
    digest=st.just(b""),
    pepper_id=st.just("p1"),
    account_id=st.just(7),
    created_at=st.just(NOW - 72 * HOUR),
    expires_at=st.integers(-1, 48).map(lambda number: NOW + number * HOUR),
    revoked_at=st.none() | st.none() | st.none() | hours,
    role=st.sampled_from([role.value for role in Role]),
    status=st.sampled_from([AccountStatus.ACTIVE.value] * 6 + [status.value for status in AccountStatus]),
    consent=st.sampled_from([1, 1, 1, 2, Consent.NONE.value]),
    kind=st.sampled_from([KeyKind.ACCOUNT.value] * 4 + [KeyKind.SERVICE.value]),
    networks=st.sampled_from(NETWORKS),
    not_before=st.none() | hours,
    max_idle=st.none() | st.integers(1, 72).map(lambda number: number * 3600),
    retires_at=st.none() | st.none() | hours,
    calls_per_minute=st.none() | st.integers(1, 2),
    calls_per_day=st.none() | st.integers(1, 3),
    last_used_at=st.none() | hours,
    audiences=st.sampled_from(["", "orders", "orders stock"]),
    counted_as=st.builds(lambda: str(uuid4())),
)
questions = st.builds(
    Question,
    ip_address=st.sampled_from(ADDRESSES),
    level=st.integers(0, 9),
    introspects=st.sampled_from([False, False, False, True]),
    is_open=st.sampled_from([True, True, True, False]),
    audience=st.sampled_from([None, None, "orders", "stock", "mail"]),
    at_ms=st.none() | hours,
)


@pytest.fixture
def runtime(app: Flask) -> Runtime:
    return runtime_of(app)


@contextmanager
def only(runtime: Runtime, key: VerifiedKey) -> Iterator[bytes]:
    """Have the verifier read this key, whatever stands in the database."""
    pepper = runtime.verifier._peppers["p1"]
    digest = secrets.digest(pepper, SECRET)
    found = {digest: key._replace(digest=digest)}
    with (
        patch.object(runtime.verifier._reader, "find", found.get),
        patch.object(runtime.call_limits, "_store", LibraryStore("memory://")),
        patch.object(runtime.doorkeeper, "_usage"),
    ):
        yield digest


def says(runtime: Runtime, digest: bytes, question: Question) -> Explanation:
    known = runtime.doorkeeper.look_up(digest)
    assert known
    return explain(known, question)


def admits(runtime: Runtime, question: Question) -> Outcome:
    """What the doorkeeper says at this moment."""
    ask = question._asdict()
    del ask["at_ms"]
    return runtime.doorkeeper.admit(Credentials(None, SECRET), ask.pop("ip_address"), **ask).outcome


@pytest.mark.sqlite_only(reason="the facts of the keys don't come from the database")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=keys, question=questions, calls=st.integers(0, 3))
def test_an_explanation_says_what_the_doorkeeper_says(
    app: Flask, runtime: Runtime, clock: Clock, key: VerifiedKey, question: Question, calls: int
) -> None:
    clock.to(portal_clock.from_ms(NOW))
    with app.app_context(), only(runtime, key) as digest:
        for _ in range(calls if question.at_ms is None else 0):
            runtime.doorkeeper.admit(Credentials(None, SECRET), "192.0.2.7")
        said = says(runtime, digest, question)
        clock.to(portal_clock.from_ms(said.at_ms))
        assert said.verdict is admits(runtime, question)

    refused = [each for each in said.checks if each.refused]
    assert (refused[0].refused if refused else Outcome.GOOD) is said.verdict
    assert said.failed == (refused[0].check if refused else None)
    assert [each.check for each in said.checks] == [Check.SECRET, *CHECKS, Check.LIMITS]


@pytest.mark.sqlite_only(reason="the facts of the keys don't come from the database")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=keys, question=questions)
def test_what_is_put_right_is_no_longer_what_refuses(
    app: Flask, runtime: Runtime, key: VerifiedKey, question: Question
) -> None:
    """Each check that is told to refuse does so by itself, also behind the first one."""
    question = question._replace(at_ms=NOW)
    with app.app_context(), only(runtime, key) as digest:
        said = says(runtime, digest, question)
    told = {each.check: each.refused for each in said.checks}

    assert bool(told[Check.EXPIRED]) == (key.expires_at <= NOW)
    assert bool(told[Check.NOT_YET]) == (key.not_before is not None and key.not_before > NOW)
    assert bool(told[Check.METHOD]) == (not question.is_open)
    assert bool(told[Check.ACCOUNT]) == (key.status != AccountStatus.ACTIVE)
    assert bool(told[Check.CONSENT]) == (key.consent == Consent.NONE)
    is_retired = key.retires_at is not None and key.retires_at <= NOW
    assert bool(told[Check.REVOKED]) == (key.revoked_at is not None or is_retired)


def key_of(app: Flask, created: CreatedKey) -> ApiKey:
    with app.app_context():
        key = db.session.get(ApiKey, UUID(created.id))
        assert key
        db.session.expunge(key)
        return key


def test_an_explanation_counts_nothing(app: Flask, cast: Cast, runtime: Runtime, make_key: MakeKey) -> None:
    created = make_key(cast.alice, level=3)
    digest = key_of(app, created).digest
    with app.app_context():
        for level in (0, 9):
            for _ in range(5):
                says(runtime, digest, Question("192.0.2.7", level=level))
        runtime.usage.flush()
        assert not db.session.query(KeyUsageHour).count()
        assert not db.session.query(KeyRefusal).count()
        assert not runtime.call_limits._held
        assert key_of(app, created).usage is None or not key_of(app, created).usage.calls  # type: ignore[union-attr]


def test_it_is_read_as_every_check_reads_it(
    app: Flask, cast: Cast, runtime: Runtime, make_key: MakeKey
) -> None:
    created = make_key(cast.alice, level=3)
    digest = key_of(app, created).digest
    with app.app_context():
        assert says(runtime, digest, Question(level=3)).verdict is Outcome.GOOD
        assert says(runtime, digest, Question(level=4)).failed is Check.LEVEL
        actions.block(Actor.command_line(), cast.alice.account_id, why="spam")
        said = says(runtime, digest, Question(level=4))

    assert said.verdict is Outcome.REVOKED
    assert [each.check for each in said.checks if each.refused] == [Check.REVOKED, Check.ACCOUNT, Check.LEVEL]


def test_limits_are_known_for_now_only(
    app: Flask, cast: Cast, runtime: Runtime, clock: Clock, make_key: MakeKey
) -> None:
    clock.stop()
    created = make_key(cast.alice)
    digest = key_of(app, created).digest
    with app.app_context(), patch.object(runtime.call_limits, "would_take", lambda *_: False):
        assert says(runtime, digest, Question()).verdict is Outcome.THROTTLED
        tomorrow = portal_clock.to_ms(clock.now() + timedelta(hours=9))
        later = says(runtime, digest, Question(at_ms=tomorrow))

    assert later.verdict is Outcome.GOOD
    assert not later.checks[-1].is_known


def test_without_its_pepper_no_secret_is_right(
    app: Flask, make_app: MakeApp, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = make_key(cast.alice)
    digest, runtime = key_of(app, created).digest, runtime_of(app)
    monkeypatch.setattr(runtime.verifier, "_peppers", {"p2": b"another one, of thirty-two bytes"})
    with app.app_context():
        said = says(runtime, digest, Question())

    assert said.verdict is Outcome.UNKNOWN
    assert said.failed is Check.SECRET
    assert runtime.doorkeeper.admit(Credentials(created.id, created.secret), None).outcome is Outcome.UNKNOWN


def test_there_is_no_such_key(runtime: Runtime) -> None:
    assert runtime.doorkeeper.look_up(b"\0" * 32) is None
