"""Lists of keys: sorts, and old keys beneath their successors, each counted where it is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal.clock import to_ms
from portal.extensions import db
from portal.models.key_lists import KeyFilter, KeyOrder, KeySort
from portal.runtime import runtime_of
from portal.services.keys import creation, revocation, rotation
from portal.services.keys import queries as key_queries
from portal.services.keys.conditions import Conditions
from tests.support.cast import Cast
from tests.support.clock import Clock

DAY = timedelta(days=1)
Make = Callable[..., UUID]


@pytest.fixture
def make(app: Flask, cast: Cast) -> Make:
    """Make a key for Alice, in the caller's context: ``make("ci", days=30)``."""

    def create(name: str, days: float = 300, max_idle: int | None = None) -> UUID:
        bound = Conditions(max_idle=max_idle)
        life = timedelta(days=days)
        return creation.create_key(cast.alice.actor, name=name, level=1, life=life, conditions=bound)[0].id

    return create


def names(cast: Cast, sort: KeySort, *, is_descending: bool = False) -> list[str]:
    db.session.rollback()
    order = KeyOrder(sort, is_descending)
    return [key.name for key in key_queries.list_keys(cast.alice.account_id, order=order).items]


def test_each_sort_has_two_directions_and_what_ended_is_last(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    clock.stop()
    usage = runtime_of(app).usage
    with app.app_context():
        first = make("b", days=9)
        clock.forward(minutes=1)
        second = make("C", days=200, max_idle=4 * 86_400)
        clock.forward(minutes=1)
        third, ended = make("a"), make("0", days=1)
        clock.forward(days=2)
        for key, calls in ((first, 1), (third, 3), (ended, 9)):
            for _ in range(calls):
                clock.forward(minutes=1)
                usage.note_call(str(key), "192.0.2.1", to_ms(clock.now()))
        usage.note_call(str(second), "192.0.2.1", to_ms(clock.now() - 20 * DAY))
        usage.flush()

        assert names(cast, KeySort.NAME) == ["a", "b", "C", "0"]
        assert names(cast, KeySort.NAME, is_descending=True) == ["C", "b", "a", "0"]
        assert names(cast, KeySort.EXPIRES) == ["C", "b", "a", "0"], "C rests before it expires"
        assert names(cast, KeySort.EXPIRES, is_descending=True) == ["a", "b", "C", "0"]
        assert names(cast, KeySort.USED, is_descending=True) == ["a", "b", "C", "0"]
        assert names(cast, KeySort.CALLS, is_descending=True) == ["a", "b", "C", "0"], "of fourteen days"
        assert names(cast, KeySort.CREATED, is_descending=True) == ["a", "C", "b", "0"]
        assert names(cast, KeySort.CREATED) == ["b", "C", "a", "0"]


def test_of_those_that_ended_the_last_comes_first(app: Flask, cast: Cast, clock: Clock, make: Make) -> None:
    clock.stop()
    with app.app_context():
        make("early", days=1)
        make("late", days=5)
        revoked = make("revoked", days=300)
        clock.forward(days=3)
        revocation.revoke_key(cast.alice.actor, revoked)
        clock.forward(days=3)

        assert names(cast, KeySort.EXPIRES) == ["late", "revoked", "early"]


def test_the_end_in_sql_is_the_end_of_the_row(app: Flask, cast: Cast, clock: Clock, make: Make) -> None:
    clock.stop()
    with app.app_context():
        make("one", days=3)
        rests, old = make("rests", max_idle=7200), make("old")
        clock.forward(hours=1)
        rotation.rotate_key(cast.alice.actor, old, overlap=DAY)
        runtime_of(app).usage.note_call(str(rests), "192.0.2.1", to_ms(clock.now()))
        runtime_of(app).usage.flush()
        db.session.rollback()
        by_row = sorted(
            key_queries.list_keys(cast.alice.account_id).items, key=lambda key: (key.ends_at, key.name)
        )

        assert names(cast, KeySort.EXPIRES) == [key.name for key in by_row]


class TestBeneath:
    """An old key stands beneath its successor while both are good, and is counted with it."""

    def listed(
        self, cast: Cast, status: KeyFilter = KeyFilter.ALL, query: str = ""
    ) -> dict[UUID, list[UUID]]:
        """The rows, each with those beneath it, after it was held against the counts."""
        db.session.rollback()
        page = key_queries.list_keys(cast.alice.account_id, status=status, query=query, nest=True)
        assert key_queries.count_shown(cast.alice.account_id, query, nest=True)[status] == page.total
        beneath = key_queries.list_beneath(page.items)
        return {key.id: [old.id for old in beneath.get(key.id, ())] for key in page.items}

    def test_it_moves_there_and_comes_back_when_its_overlap_is_over(
        self, app: Flask, cast: Cast, clock: Clock, make: Make
    ) -> None:
        clock.stop()
        with app.app_context():
            other, first = make("other"), make("ci")
            clock.forward(minutes=1)
            second = rotation.rotate_key(cast.alice.actor, first, overlap=7 * DAY)[0].id
            third = rotation.rotate_key(cast.alice.actor, second, overlap=7 * DAY)[0].id

            assert self.listed(cast) == {third: [second, first], other: []}
            assert self.listed(cast, KeyFilter.LIVE) == {third: [second, first], other: []}
            clock.forward(days=8)
            assert set(self.listed(cast)) == {other, first, second, third}
            assert set(self.listed(cast, KeyFilter.REVOKED)) == {first, second}

    def test_it_stands_alone_where_its_successor_is_not_listed_or_has_ended(
        self, app: Flask, cast: Cast, clock: Clock, make: Make
    ) -> None:
        clock.stop()
        with app.app_context():
            old = make("ci")
            clock.forward(minutes=1)
            new = rotation.rotate_key(cast.alice.actor, old, overlap=7 * DAY)[0].id
            runtime_of(app).usage.note_refusal(str(old), to_ms(clock.now()), "ipAddressNotAllowed")
            runtime_of(app).usage.flush()

            assert self.listed(cast, KeyFilter.REFUSED) == {old: []}
            assert self.listed(cast, query=str(old)) == {old: []}
            revocation.revoke_key(cast.alice.actor, new)
            assert self.listed(cast) == {old: [], new: []}
            assert self.listed(cast, KeyFilter.LIVE) == {old: []}
