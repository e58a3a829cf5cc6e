"""Which keys an owner is asked to look at, and how many queries it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask import Flask
from sqlalchemy import event

from portal.extensions import db
from portal.models import ActorKind
from portal.runtime import runtime_of
from portal.services.core.actor import Actor
from portal.services.keys import revocation, rotation
from portal.services.usage import attention
from portal.services.usage.refusals import Circumstances
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FORBIDDEN = "insufficientAccessLevel"


def names(keys: object) -> list[str]:
    return [key.name for key in keys]  # type: ignore[attr-defined]  # keys, or what is told of them


def refuse(
    app: Flask, key_id: str, clock: Clock, reason: str, times: int = 1, place: str = "192.0.2.9"
) -> None:
    usage = runtime_of(app).usage
    for _ in range(times):
        usage.note_refusal(key_id, int(clock.now().timestamp()) * 1000, reason, Circumstances(place))
    usage.flush()


def call(app: Flask, key_id: str, clock: Clock) -> None:
    usage = runtime_of(app).usage
    usage.note_call(key_id, "192.0.2.1", int(clock.now().timestamp()) * 1000)
    usage.flush()


def test_keys_that_end_soon_stand_there_the_first_to_end_first(
    app: Flask, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    clock.to(NOON)
    for name, days in (("later", 13), ("soon", 2), ("far", 15), ("ended", 1)):
        make_key(cast.alice, name=name, days=days)
    make_key(cast.bob, name="somebody else's", days=2)
    rotated, gone = (make_key(cast.alice, name=name, days=3) for name in ("rotated", "gone"))
    with app.app_context():
        rotation.rotate_key(cast.alice.actor, UUID(rotated.id), overlap=timedelta(days=1))
        revocation.revoke_key(cast.alice.actor, UUID(gone.id))
        clock.forward(days=1)

        assert names(attention.find(cast.alice.account_id).expiring) == ["soon", "rotated", "later", "far"]


def test_keys_that_nobody_uses_stand_there_the_longest_unused_first(
    app: Flask, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    clock.to(NOON)
    _never, long_ago, lately = (
        make_key(cast.alice, name=name, days=365) for name in ("never", "long ago", "lately")
    )
    clock.forward(hours=1)
    call(app, long_ago.id, clock)
    clock.forward(days=60)
    call(app, lately.id, clock)
    with app.app_context():
        assert attention.find(cast.alice.account_id).unused == []
        clock.forward(days=31)

        unused = attention.find(cast.alice.account_id).unused

        assert names(unused) == ["never", "long ago"]
        assert [(clock.now() - attention.last_needed(key)).days for key in unused] == [91, 91]


def test_refusals_of_the_last_day_stand_there_with_their_commonest_reason(
    app: Flask, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    clock.to(NOON)
    often, seldom, before = (make_key(cast.alice, name=name) for name in ("often", "seldom", "before"))
    others = make_key(cast.bob, name="somebody else's")
    refuse(app, before.id, clock, FORBIDDEN)
    clock.forward(hours=26)
    refuse(app, often.id, clock, "apikeyNotYetValid", 2)
    refuse(app, often.id, clock, FORBIDDEN, 2, "192.0.2.1")
    clock.forward(minutes=5)
    refuse(app, often.id, clock, FORBIDDEN, 1, "192.0.2.2")
    refuse(app, seldom.id, clock, "addressNotAllowed")
    refuse(app, others.id, clock, FORBIDDEN, 9)
    with app.app_context():
        found = attention.find(cast.alice.account_id).refused

    assert [key[1:] for key in found] == [
        ("often", 5, FORBIDDEN, "192.0.2.2"),
        ("seldom", 1, "addressNotAllowed", "192.0.2.9"),
    ]


def test_an_old_secret_that_is_still_in_use_stands_there_for_two_weeks(
    app: Flask, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    clock.to(NOON)
    key = make_key(cast.alice, name="nightly", days=365)
    with app.app_context():
        rotation.rotate_key(cast.alice.actor, UUID(key.id), overlap=timedelta(0))
        assert attention.find(cast.alice.account_id).reused == []
    with app.app_context():
        rotation.note_reuse(Actor(kind=ActorKind.ANONYMOUS), UUID(key.id))

        assert names(attention.find(cast.alice.account_id).reused) == ["nightly"]
        clock.forward(days=15)
        assert attention.find(cast.alice.account_id).reused == []


def test_the_next_to_expire_is_told_before_it_is_near(
    app: Flask, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    clock.to(NOON)
    with app.app_context():
        assert attention.find_next_to_end(cast.alice.account_id) is None
    make_key(cast.alice, name="year", days=365)
    make_key(cast.alice, name="quarter", days=90)
    with app.app_context():
        next_one = attention.find_next_to_end(cast.alice.account_id)

    assert next_one is not None
    assert next_one.name == "quarter"


def test_the_first_call_is_noticed(app: Flask, cast: Cast, make_key: MakeKey, clock: Clock) -> None:
    key, others = make_key(cast.alice), make_key(cast.bob)
    call(app, others.id, clock)
    refuse(app, key.id, clock, FORBIDDEN)
    with app.app_context():
        assert not attention.has_been_called(cast.alice.account_id)
    call(app, key.id, clock)
    with app.app_context():
        assert attention.has_been_called(cast.alice.account_id)


def test_it_takes_as_many_queries_for_many_keys_as_for_one(
    app: Flask, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    clock.to(NOON)

    def look() -> tuple[attention.Attention, int]:
        statements: list[object] = []

        def note(*args: object) -> None:
            statements.append(args[2])

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            try:
                return attention.find(cast.alice.account_id), len(statements)
            finally:
                event.remove(db.engine, "before_cursor_execute", note)

    refuse(app, make_key(cast.alice, days=5).id, clock, FORBIDDEN)
    _found, few = look()
    for number in range(12):
        refuse(app, make_key(cast.alice, name=f"number {number}", days=5).id, clock, FORBIDDEN)

    found, many = look()

    assert (len(found.expiring), len(found.refused)) == (13, 13)
    assert many == few <= 4
