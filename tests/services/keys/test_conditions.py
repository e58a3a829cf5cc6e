"""What a key is bound to: asked for, kept, handed on, never loosened (row 51).

That each door holds it is proved in tests/api/test_doors.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from portal.models import ActorKind, ApiKey, Environment, KeyKind, key_states
from portal.models.key_lists import KeyFilter
from portal.runtime import runtime_of
from portal.services.core.actor import Actor
from portal.services.core.errors import InvalidInput
from portal.services.keys import audiences, creation, networks, rotation
from portal.services.keys import queries as key_queries
from portal.services.keys.conditions import Conditions
from tests.conftest import MakeApp
from tests.support.cast import Cast
from tests.support.clock import Clock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BOUND: dict[str, Any] = {
    "networks": "192.0.2.0/24 !192.0.2.7/32", "max_idle": 86_400, "calls_per_minute": 60,
    "calls_per_day": 1000, "audiences": "orders billing",
}  # fmt: skip
Make = Callable[..., ApiKey]


@pytest.fixture
def make(app: Flask, cast: Cast) -> Make:
    """Make a key for Alice that is bound to what the test says, in the caller's context."""

    def create(by: ApiKey | None = None, life: timedelta = 30 * DAY, **bound: Any) -> ApiKey:
        actor = cast.alice.actor
        if by is not None:
            actor = Actor(ActorKind.KEY, cast.alice.account_id, key_id=by.id)
        return creation.create_key(actor, name="ci", level=4, life=life, conditions=Conditions(**bound))[0]

    return create


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], ""),
        ([" orders ", "", "billing", "orders"], "orders billing"),
        (["a.b_c-9", "0"], "a.b_c-9 0"),
        (["a" * 40], "a" * 40),
    ],
)
def test_audiences_are_kept_each_once(given: list[str], kept: str) -> None:
    assert audiences.parse_audiences(given) == kept


@pytest.mark.parametrize(
    "given",
    ["Orders", "a" * 41, "a b", "-a", "ö", "а", "a\nb", "a,b", "https://a", "a\u200bb", '"', "%", "a\x00"],
)
def test_what_is_no_audience_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        audiences.parse_audiences(["orders", given])
    assert refused.value.code == "audiencesInvalid"


def test_there_are_not_too_many_audiences() -> None:
    assert len(audiences.parse_audiences([f"{number:024}" for number in range(20)])) == 499
    with pytest.raises(InvalidInput) as refused:
        audiences.parse_audiences([f"{number:025}" for number in range(20)])
    assert refused.value.code == "audiencesTooLong"


def test_a_service_key_asks_in_one_name(app: Flask, cast: Cast) -> None:
    def make(names: str) -> ApiKey:
        return creation.create_key(
            cast.ada.actor, name="gate", level=0, life=DAY, kind=KeyKind.SERVICE,
            conditions=Conditions(audiences=names),
        )[0]  # fmt: skip

    with app.app_context():
        assert make("orders").audiences == "orders"
        with pytest.raises(InvalidInput) as refused:
            make("orders billing")
    assert refused.value.code == "serviceAudience"


def bound_to(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in asdict(Conditions())}


def test_a_key_is_bound_to_what_was_asked_for_and_hands_it_on_to_its_successor(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    clock.stop()
    asked = {**BOUND, "environment": Environment.TEST, "note": "For the\nimporter"}
    with app.app_context():
        key = make(**asked, not_before=clock.now() + HOUR)
        assert bound_to(key) == {**asked, "not_before": key.created_at + HOUR}
        clock.forward(hours=1)

        new, _ = rotation.rotate_key(cast.alice.actor, key.id)

        assert bound_to(new) == {**asked, "not_before": None}, "a first moment that has passed is no more"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"max_idle": 3599}, "maxIdleInvalid"),
        ({"max_idle": 365 * 86_400 + 1}, "maxIdleInvalid"),
        ({"note": "x" * 501}, "noteTooLong"),
        ({"note": "a\x1bb"}, "noteNotPrintable"),
        ({"calls_per_minute": 0}, "callsPerMinuteInvalid"),
        ({"calls_per_minute": 6001}, "callsPerMinuteInvalid"),
        ({"calls_per_day": -1}, "callsPerDayInvalid"),
        ({"not_before": 30 * DAY}, "notBeforeInvalid"),
    ],
)
def test_what_can_not_be_is_refused_by_its_name(
    app: Flask, clock: Clock, make: Make, asked: dict[str, Any], code: str
) -> None:
    clock.stop()
    if "not_before" in asked:
        asked = {"not_before": clock.now() + asked["not_before"]}

    with app.app_context(), pytest.raises(InvalidInput) as refused:
        make(**asked)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kept", "address", "allowed"),
    [
        ("192.0.2.0/24", "::ffff:192.0.2.7", True),
        ("!192.0.2.7/32", "::ffff:192.0.2.7", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("192.0.2.0/24", None, False),
        ("192.0.2.0/24", "nowhere", False),
        ("", None, True),
    ],
)
def test_an_address_is_one_however_it_is_written(kept: str, address: str | None, allowed: bool) -> None:
    assert networks.allows(kept, address) is allowed


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({}, True),
        (BOUND, True),
        ({"networks": "192.0.2.128/25 !192.0.2.7/32", "max_idle": 3600}, True),
        ({"networks": "192.0.2.0/24 !192.0.2.0/28"}, True),
        ({"networks": "192.0.2.0/24"}, False),
        ({"networks": "!192.0.2.7/32"}, False),
        ({"networks": "192.0.0.0/16 !192.0.2.7/32"}, False),
        ({"networks": "192.0.2.0/24 2001:db8::/32 !192.0.2.7/32"}, False),
        ({"audiences": "billing"}, True),
        ({"audiences": "billing orders"}, True),
        ({"audiences": "orders stock"}, False),
        ({"audiences": "order"}, False),
        ({"max_idle": 86_401}, False),
        ({"calls_per_minute": 61}, False),
        ({"calls_per_day": 1001}, False),
    ],
)
def test_a_key_makes_none_that_is_bound_to_less(
    app: Flask, make: Make, asked: dict[str, Any], holds: bool
) -> None:
    with app.app_context():
        maker = make(**BOUND)
        if holds:
            assert bound_to(make(maker, **asked)) == bound_to(maker) | asked
        else:
            with pytest.raises(InvalidInput) as refused:
                make(maker, **asked)
            assert refused.value.code == "conditionsExceedKey"


def test_a_bound_key_rotates_itself_and_none_that_is_bound_to_less(
    app: Flask, cast: Cast, make: Make
) -> None:
    with app.app_context():
        maker, free = make(**BOUND), make()
        actor = Actor(ActorKind.KEY, cast.alice.account_id, key_id=maker.id)
        with pytest.raises(InvalidInput) as refused:
            rotation.rotate_key(actor, free.id)
        assert refused.value.code == "conditionsExceedKey"

        new, _ = rotation.rotate_key(actor, maker.id)

        assert bound_to(new) == bound_to(maker)


def test_a_key_that_rests_too_long_is_listed_as_expired(
    app: Flask, cast: Cast, clock: Clock, make: Make
) -> None:
    clock.stop()
    usage, me = runtime_of(app).usage, cast.alice.account_id
    with app.app_context():
        resting, used = make(max_idle=7200).id, make(max_idle=7200).id
        later = make(max_idle=7200, not_before=clock.now() + HOUR).id
        forever = make(max_idle=30 * 86_400, life=90 * DAY).id

    def listed(status: KeyFilter) -> set[UUID]:
        with app.app_context():
            found = key_queries.list_keys(me, status=status).items
            assert {key.is_expired(clock.now()) for key in found} <= {status is KeyFilter.EXPIRED}
            return {key.id for key in found}

    with app.app_context():
        assert key_queries.count_expiring_soon(me) == 0, "each was used a moment ago"
    clock.forward(hours=1)
    with app.app_context():
        assert key_queries.count_expiring_soon(me) == 0
        clock.forward(minutes=31)
        assert key_queries.count_expiring_soon(me) == 2, "a quarter of the rest of two is left"
        near = {key.id for key in key_queries.list_keys(me).items if key_states.is_soon(key, clock.now())}
        assert near == {resting, used}
        clock.forward(minutes=-31)
    usage.note_call(str(used), "192.0.2.1", int(clock.now().timestamp() * 1000))
    usage.flush()
    assert listed(KeyFilter.EXPIRED) == set()
    clock.forward(hours=1)
    assert listed(KeyFilter.EXPIRED) == {resting}
    with app.app_context():
        assert key_queries.count_keys(me) == {"all": 4, "live": 3, "expired": 1, "revoked": 0}
    clock.forward(hours=1)
    assert listed(KeyFilter.EXPIRED) == {resting, used, later}
    assert listed(KeyFilter.LIVE) == {forever}


@pytest.mark.sqlite_only(reason="how a secret begins has nothing to do with the database")
@pytest.mark.parametrize(
    ("switch", "environment", "begins"),
    [("true", "live", "chk_live_"), ("true", "test", "chk_test_"), ("true", None, "chk_"),
     ("false", "live", "chk_")],
)  # fmt: skip
def test_a_secret_says_its_environment_where_that_is_switched_on(
    make_app: MakeApp, cast: Cast, switch: str, environment: str | None, begins: str
) -> None:
    app = make_app(PORTAL_KEY_ENVIRONMENTS=switch)
    bound = Conditions(environment=Environment(environment) if environment else None)
    with app.app_context():
        key, secret = creation.create_key(cast.alice.actor, name="ci", level=1, life=DAY, conditions=bound)
        assert runtime_of(app).verifier.decide(str(key.id), secret).outcome == "good"

    assert secret.startswith(begins)
    assert len(secret) == len(begins) + 49
