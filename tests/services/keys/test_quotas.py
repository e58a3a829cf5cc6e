"""How many keys an account may have and how long they live, by role, exact when many ask at once."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask

from config_values import ConfigurationError
from portal.models.key_lists import KeyFilter
from portal.services.core.errors import InvalidInput, TooManyKeys
from portal.services.keys import creation, quotas, rotation
from portal.services.keys import queries as key_queries
from tests.conftest import MakeApp
from tests.services.test_races import together
from tests.support.cast import Cast, Person, make_cast
from tests.support.clock import Clock
from tests.support.databases import Database

DAY = timedelta(days=1)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application with small caps."""
    return make_app(PORTAL_KEYS_PER_ACCOUNT="3,support=4", PORTAL_LONGEST_LIFE="user=30,support=7")


@pytest.fixture
def cast(app: Flask) -> Cast:
    return make_cast(app)


def make(who: Person, life: timedelta = DAY) -> UUID:
    return creation.create_key(who.actor, name="ci", level=1, life=life)[0].id


def test_many_at_once_make_as_many_keys_as_are_allowed(app: Flask, cast: Cast, database: Database) -> None:
    created = together(app, *[lambda: make(cast.alice)] * 8)

    assert [isinstance(each, TooManyKeys) for each in created].count(True) == 5
    assert database.execute("SELECT count(*) FROM api_keys") == [(3,)]


def test_a_key_that_ends_makes_room_and_rotating_a_live_one_needs_none(
    app: Flask, cast: Cast, clock: Clock
) -> None:
    with app.app_context():
        short, *others = [make(cast.sue, days * DAY) for days in (1, 5, 5, 5)]
        with pytest.raises(TooManyKeys):
            make(cast.sue)
        for key in others:
            rotation.rotate_key(cast.sue.actor, key, overlap=DAY)
        room = quotas.quota_of(cast.sue.account_id, cast.sue.role)
        assert (room.live, room.retiring, room.most, room.is_full) == (4, 3, 4, True)
        clock.forward(days=1)

        room = quotas.quota_of(cast.sue.account_id, cast.sue.role)

        assert (room.live, room.retiring, room.is_full) == (3, 0, False)
        make(cast.sue)
        with pytest.raises(TooManyKeys):
            rotation.rotate_key(cast.sue.actor, short)
        assert key_queries.list_keys(cast.sue.account_id, status=KeyFilter.EXPIRED).total == 1


def test_overlaps_are_no_way_around_the_cap(app: Flask, cast: Cast) -> None:
    with app.app_context():
        key = make(cast.alice, 20 * DAY)
        for _ in range(3):
            key = rotation.rotate_key(cast.alice.actor, key, overlap=7 * DAY)[0].id
        with pytest.raises(TooManyKeys):
            rotation.rotate_key(cast.alice.actor, key, overlap=7 * DAY)
        rotation.rotate_key(cast.alice.actor, key)


@pytest.mark.parametrize(("who", "days"), [("alice", 30), ("sue", 7), ("ada", 365)])
def test_a_key_lives_as_long_as_its_owners_role_lets_it(app: Flask, cast: Cast, who: str, days: int) -> None:
    person = getattr(cast, who)
    with app.app_context():
        make(person, days * DAY)
        with pytest.raises(InvalidInput) as refused:
            make(person, days * DAY + timedelta(seconds=1))

    assert (refused.value.code, refused.value.details["days"]) == ("expiresInHigherThanMaximum", days)


@pytest.mark.sqlite_only(reason="what a setting may be has nothing to do with the database")
@pytest.mark.parametrize(
    "given",
    [
        {"PORTAL_KEYS_PER_ACCOUNT": "0"},
        {"PORTAL_KEYS_PER_ACCOUNT": "queen=3"},
        {"PORTAL_LONGEST_LIFE": "366"},
        {"PORTAL_LONGEST_LIFE": "user=30,user=40"},
    ],
)
def test_a_cap_that_can_not_be_is_refused_at_the_start(make_app: MakeApp, given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        make_app(**given)
