"""Use read back over a span: every call in its slot, whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from flask import Flask

from portal.labels import REFUSALS
from portal.runtime import runtime_of
from portal.services.core.outcomes import Outcome
from portal.services.usage import queries as usage_queries
from portal.services.usage import rollup
from portal.services.usage.collector import HOUR_MS
from portal.services.usage.queries import ALL, Span, UsageScope
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database

TUESDAY = datetime(2026, 11, 24, 14, 35, tzinfo=UTC)
DAY = 24


@pytest.fixture
def keys(app: Flask, cast: Cast, make_key: MakeKey, clock: Clock) -> list[str]:
    """Two keys of Alice's and one of Bob's, and what they did: hours ago, calls, refusals."""
    clock.to(TUESDAY)
    created = [make_key(cast.alice).id, make_key(cast.alice, name="cd").id, make_key(cast.bob).id]
    use = [
        (0, 0, 2, "apikeyExpired"),
        (0, 14, 3, "tooManyRequests"),
        (0, 15, 4, ""),
        (1, 23, 1, "tooManyRequests"),
        (1, 24, 5, ""),
        (2, 29 * DAY, 20, "apikeyExpired"),
        (2, 30 * DAY, 6, ""),
        (0, 50 * 7 * DAY, 7, ""),
        (0, 53 * 7 * DAY, 8, ""),
    ]
    now, collector = int(TUESDAY.timestamp()) * 1000, runtime_of(app).usage
    for key, ago, calls, reason in use:
        for _ in range(calls):
            collector.note_call(created[key], "192.0.2.1", now - ago * HOUR_MS)
        if reason:
            collector.note_refusal(created[key], now - ago * HOUR_MS, reason)
    collector.flush()
    return created


def filled(span: Span, whose: UsageScope = ALL) -> dict[int, int]:
    """The calls by how many slots ago, 0 being the one that is running."""
    slots = usage_queries.read_series(span, whose).slots
    return {ago: slot.calls for ago, slot in enumerate(reversed(slots)) if slot.calls}


def test_every_call_is_in_its_slot(app: Flask, keys: list[str], cast: Cast) -> None:
    alice, second = UsageScope(account_id=cast.alice.account_id), UsageScope(key_id=UUID(keys[1]))
    with app.app_context():
        assert filled(Span.DAY) == {0: 2, 14: 3, 15: 4, 23: 1}
        assert filled(Span.MONTH) == {0: 5, 1: 10, 29: 20}
        assert filled(Span.MONTH, alice) == {0: 5, 1: 10}
        assert filled(Span.MONTH, second) == {1: 6}
        whole = {0: 15, 4: 20, 5: 6, 50: 7}
        assert filled(Span.YEAR) == whole
        rollup.fold()
        assert filled(Span.YEAR) == whole

        begins = {span: usage_queries.read_series(span).slots[0].begins for span in Span}
    assert begins == {
        Span.DAY: datetime(2026, 11, 23, 15, tzinfo=UTC),
        Span.MONTH: datetime(2026, 10, 26, tzinfo=UTC),
        Span.YEAR: datetime(2025, 12, 1, tzinfo=UTC),
    }


def test_refusals_are_told_by_reason_and_what_is_not_known_too(
    app: Flask, keys: list[str], cast: Cast, database: Database
) -> None:
    with app.app_context():
        assert usage_queries.read_series(Span.DAY).reasons == [("tooManyRequests", 2), ("apikeyExpired", 1)]
        bob = UsageScope(account_id=cast.bob.account_id)
        assert usage_queries.read_series(Span.MONTH, bob).reasons == [("apikeyExpired", 1)]
    database.execute("DELETE FROM key_refusals WHERE reason = 'tooManyRequests'")
    with app.app_context():
        assert usage_queries.read_series(Span.DAY).reasons == [("", 2), ("apikeyExpired", 1)]


def test_the_busiest_keys_come_first_with_their_owners(app: Flask, keys: list[str]) -> None:
    with app.app_context():
        month = [
            (str(busy.key.id), busy.key.account.username, busy.calls, busy.refused)
            for busy in usage_queries.busiest_keys(Span.MONTH)
        ]
        assert [str(busy.key.id) for busy in usage_queries.busiest_keys(Span.DAY)] == keys[:2]
    assert month == [(keys[2], "bobby", 20, 1), (keys[0], "alice", 9, 2), (keys[1], "alice", 6, 1)]


def test_every_refusal_has_its_words() -> None:
    assert set(Outcome) - {Outcome.GOOD, Outcome.UNKNOWN} <= set(REFUSALS)
