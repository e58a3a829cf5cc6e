"""What state a key is in: the word for one row, and the same as conditions of a list (row 82)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal.clock import to_ms
from portal.extensions import db
from portal.models import ApiKey, key_states
from portal.models.key_lists import KeyFilter
from portal.runtime import runtime_of
from portal.services.keys import creation, revocation, rotation
from portal.services.keys import queries as key_queries
from portal.services.keys.conditions import Conditions
from tests.support.cast import Cast
from tests.support.clock import Clock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Make = Callable[..., UUID]


@pytest.fixture
def make(app: Flask, cast: Cast) -> Make:
    """Make a key for Alice: ``make(100, max_idle=3600)``, in the caller's context."""

    def create(days: float = 300, not_before: datetime | None = None, max_idle: int | None = None) -> UUID:
        bound = Conditions(not_before=not_before, max_idle=max_idle)
        actor, life = cast.alice.actor, timedelta(days=days)
        return creation.create_key(actor, name="ci", level=1, life=life, conditions=bound)[0].id

    return create


def shown(cast: Cast, status: KeyFilter) -> set[UUID]:
    db.session.rollback()
    return {key.id for key in key_queries.list_keys(cast.alice.account_id, status=status).items}


def words(cast: Cast, clock: Clock) -> dict[UUID, str]:
    found = key_queries.list_keys(cast.alice.account_id).items
    return {key.id: key_states.word_of(key, clock.now()) for key in found}


def test_each_key_is_in_one_state_and_the_lists_say_the_same(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    clock.stop()
    with app.app_context():
        early, rests, ends = make(not_before=clock.now() + 10 * DAY), make(max_idle=86_400), make(2)
        gone, old, soon, live = make(), make(), make(16), make()
        revocation.revoke_key(cast.alice.actor, gone)
        clock.forward(days=3)
        new = rotation.rotate_key(cast.alice.actor, old, overlap=7 * DAY)[0].id

        assert words(cast, clock) == {
            early: "pending", rests: "expired", ends: "expired", gone: "revoked", old: "retiring",
            soon: "soon", live: "live", new: "live",
        }  # fmt: skip
        assert shown(cast, KeyFilter.LIVE) == {old, soon, live, new}
        assert shown(cast, KeyFilter.EXPIRING) == {soon}
        assert shown(cast, KeyFilter.PENDING) == {early}
        assert shown(cast, KeyFilter.EXPIRED) == {rests, ends}
        assert shown(cast, KeyFilter.REVOKED) == {gone}
        assert key_queries.count_keys(cast.alice.account_id)["live"] == 5, "the API counts the early one"
        keys = {key.id: key for key in key_queries.list_keys(cast.alice.account_id).items}
        assert [key.is_unused_too_long(clock.now()) for key in (keys[rests], keys[ends])] == [True, False]

        clock.forward(days=7)

        assert words(cast, clock)[early] == "live"
        assert words(cast, clock)[old] == "revoked", "its overlap is over"


@pytest.mark.parametrize(("minutes", "word"), [(-1, "pending"), (0, "live"), (1, "live")])
def test_a_key_is_valid_from_its_first_moment_on(
    app: Flask, cast: Cast, clock: Clock, make: Make, minutes: int, word: str
) -> None:
    clock.stop()
    with app.app_context():
        key = make(not_before=clock.now() + HOUR)
        clock.forward(minutes=60 + minutes)

        assert words(cast, clock) == {key: word}
        assert shown(cast, KeyFilter(word)) == {key}


def test_a_key_that_is_not_yet_valid_and_retires_is_not_yet_valid(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    with app.app_context():
        key = make(not_before=clock.now() + 10 * DAY)
        new = rotation.rotate_key(cast.alice.actor, key, overlap=DAY)[0].id

        assert words(cast, clock) == {key: "pending", new: "pending"}
        assert shown(cast, KeyFilter.EXPIRING) == set()


def test_what_ended_by_revocation_did_not_end_for_being_unused(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    with app.app_context():
        key, short = make(max_idle=86_400), make(0.5, max_idle=43_200)
        clock.forward(days=2)
        revocation.revoke_key(cast.alice.actor, key)

        found = {key.id: key for key in db.session.query(ApiKey)}
        assert not found[key].is_unused_too_long(clock.now())
        assert not found[short].is_unused_too_long(clock.now()), "its expiry came at the same moment"


def test_unused_are_those_that_nothing_called_in_ninety_days(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    clock.stop()
    usage = runtime_of(app).usage
    with app.app_context():
        never, called, late = make(), make(), make(not_before=clock.now() + 5 * DAY)
        ended = make(30)
        clock.forward(days=10)
        usage.note_call(str(called), "192.0.2.1", to_ms(clock.now()))
        usage.flush()
        clock.forward(days=80)
        young = make()
        assert shown(cast, KeyFilter.UNUSED) == {never}
        clock.forward(days=5)
        assert shown(cast, KeyFilter.UNUSED) == {never, late}
        clock.forward(days=5)
        assert shown(cast, KeyFilter.UNUSED) == {never, late, called}
        assert not {young, ended} & shown(cast, KeyFilter.UNUSED)


def test_refused_are_those_whose_secret_was_refused_in_thirty_days(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    clock.stop()
    usage = runtime_of(app).usage
    with app.app_context():
        key, ended, good = make(), make(1), make()
        clock.forward(days=2)
        usage.note_refusal(str(key), to_ms(clock.now()), "ipAddressNotAllowed")
        clock.forward(days=1)
        usage.note_refusal(str(ended), to_ms(clock.now()), "apikeyExpired")
        usage.note_call(str(good), "192.0.2.1", to_ms(clock.now()))
        usage.flush()
        assert shown(cast, KeyFilter.REFUSED) == {key, ended}
        clock.forward(days=29, hours=1)
        assert shown(cast, KeyFilter.REFUSED) == {ended}


def test_each_filter_is_counted_and_the_counts_follow_the_search(app: Flask, cast: Cast, make: Make) -> None:
    with app.app_context():
        make(5)
        named = make()
        me = cast.alice.account_id
        counted = key_queries.count_shown(me)
        assert counted == {status: key_queries.list_keys(me, status=status).total for status in KeyFilter}
        assert (counted[KeyFilter.ALL], counted[KeyFilter.EXPIRING]) == (2, 1)
        assert key_queries.count_shown(me, str(named))[KeyFilter.EXPIRING] == 0
        assert set(key_queries.count_shown(cast.bob.account_id).values()) == {0}
