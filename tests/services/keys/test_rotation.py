"""A successor takes a key's place (row 52): overlap, likeness, and the use of what was rotated out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal import clock as times
from portal.models import Action, ActorKind, RevocationReason
from portal.models.key_lists import KeyFilter
from portal.runtime import runtime_of
from portal.services.abuse import leaks
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import AlreadyRotated, InvalidInput, NotAdmitted
from portal.services.keys import creation, revocation, rotation
from portal.services.keys import queries as key_queries
from portal.services.operators import actions
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.mailbox import Mailbox

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="198.51.100.9")


def as_key(cast: Cast, key_id: UUID) -> Actor:
    """Alice's key, when it acts."""
    return Actor(ActorKind.KEY, cast.alice.account_id, key_id=key_id)


@pytest.mark.parametrize(
    ("overlap", "works_on"),
    [(timedelta(0), timedelta(0)), (HOUR, HOUR), (DAY, DAY), (7 * DAY, 3 * DAY)],
    ids=["none", "an hour", "a day", "a week, cut to the old expiry"],
)
def test_both_work_during_the_overlap_and_only_the_new_one_after_it(
    app: Flask,
    cast: Cast,
    clock: Clock,
    make_key: MakeKey,
    run_jobs: Callable[[], int],
    overlap: timedelta,
    works_on: timedelta,
) -> None:
    clock.stop()
    created, decide = make_key(cast.alice, level=3, days=10, name="Importer"), runtime_of(app).verifier.decide
    old_id = UUID(created.id)
    clock.forward(days=7)
    with app.app_context():
        new, secret = rotation.rotate_key(cast.alice.actor, old_id, overlap=overlap)
        old = key_queries.get_key(cast.alice.account_id, old_id)

        assert (new.name, new.level, new.replaces_id) == ("Importer", 3, old_id)
        assert new.expires_at - new.created_at == 10 * DAY
        assert old.retires_at == new.created_at + works_on
        clock.to(old.retires_at - timedelta(milliseconds=1))
        assert old.is_live(clock.now()) is bool(overlap)
        clock.to(old.retires_at)
        assert (old.is_live(clock.now()), old.is_revoked(clock.now())) == (False, True)
        alive = key_queries.list_keys(cast.alice.account_id, status=KeyFilter.LIVE).items
        assert [key.id for key in alive] == [new.id]
        counts = {"all": 2, "live": 1, "expired": 0, "revoked": 1}
        assert key_queries.count_keys(cast.alice.account_id) == counts
    clock.forward(minutes=5)
    run_jobs()
    with app.app_context():
        old = key_queries.get_key(cast.alice.account_id, old_id)
        assert (old.revoked_at, old.revoked_reason) == (old.retires_at, RevocationReason.REPLACED)
    assert decide(created.id, created.secret).outcome == "apikeyRevoked"
    assert decide(str(new.id), secret).outcome == "good"


def test_a_key_that_has_ended_gets_a_successor_and_stays_as_it_is(
    app: Flask, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    expired, revoked = UUID(make_key(cast.alice, days=1).id), UUID(make_key(cast.alice, days=30).id)
    clock.forward(days=2)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, revoked)
        for key_id in (expired, revoked):
            rotation.rotate_key(cast.alice.actor, key_id, overlap=DAY)
        ended = [key_queries.get_key(cast.alice.account_id, key_id) for key_id in (expired, revoked)]

    assert [(key.revoked_reason, key.retires_at) for key in ended] == [
        (None, None),
        (RevocationReason.OWNER, None),
    ]


def test_a_key_has_one_successor_and_no_other_overlap_than_is_offered(
    app: Flask, cast: Cast, make_key: MakeKey
) -> None:
    old_id = UUID(make_key(cast.alice).id)
    with app.app_context():
        with pytest.raises(InvalidInput) as refused:
            rotation.rotate_key(cast.alice.actor, old_id, overlap=2 * HOUR)
        assert refused.value.code == "overlapInvalid"
        new, _ = rotation.rotate_key(cast.alice.actor, old_id)

        with pytest.raises(AlreadyRotated) as twice:
            rotation.rotate_key(cast.alice.actor, old_id)

        assert twice.value.key_id == new.id


def test_what_the_role_no_longer_allows_is_not_rotated(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    high = UUID(make_key(cast.sue, level=8).id)
    with app.app_context():
        actions.set_role(Actor.command_line(), cast.sue.account_id, cast.alice.role)

        with pytest.raises(InvalidInput) as refused:
            rotation.rotate_key(cast.sue.actor, high)

        assert refused.value.code == "keyLevelExceedsRoleLevel"


def test_a_key_that_rotates_itself_renews_its_secret_and_not_its_life(
    app: Flask, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    own, other = UUID(make_key(cast.alice, days=10).id), UUID(make_key(cast.alice, days=90).id)
    clock.forward(days=4)
    with app.app_context():
        expires_at = key_queries.get_key(cast.alice.account_id, own).expires_at
        another, _ = rotation.rotate_key(as_key(cast, own), other)
        new, _ = rotation.rotate_key(as_key(cast, own), own, overlap=HOUR)
        assert (another.expires_at, new.expires_at, new.made_by_key_id) == (expires_at, expires_at, own)

        late, _ = creation.create_key(as_key(cast, own), name="late", level=1, life=DAY)
        assert late.expires_at == new.created_at + HOUR, "what it makes in its overlap ends with it"
        clock.forward(hours=1)
        with pytest.raises(NotAdmitted, match="apikeyRevoked"):
            creation.create_key(as_key(cast, own), name="too late", level=1, life=DAY)


def test_a_retiring_key_makes_none_that_outlives_its_retirement(
    app: Flask, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    clock.stop()
    created = make_key(cast.alice, days=30)
    with app.app_context():
        rotation.rotate_key(cast.alice.actor, UUID(created.id), overlap=timedelta(hours=1))
        new, _ = creation.create_key(
            as_key(cast, UUID(created.id)), name="late", level=4, life=timedelta(days=30)
        )
        assert new.expires_at == times.utcnow() + timedelta(hours=1)


def test_it_is_recorded_and_mailed(app: Flask, cast: Cast, make_key: MakeKey, mailbox: Mailbox) -> None:
    old = make_key(cast.alice, name="Importer")
    with app.app_context():
        new, secret = rotation.rotate_key(cast.alice.actor, UUID(old.id), overlap=DAY)
        [event] = audit.list_events(action=Action.KEY_ROTATED)

        assert (str(event.key_id), event.details["successor"]) == (old.id, str(new.id))
        assert event.details["retires_at"]
    mail = mailbox.last(to=cast.alice.email)
    assert mail.subject == "Key rotated: Importer"
    assert all(part in mail.text for part in (old.id, str(new.id), "127.0.0.1", "works until"))
    assert secret not in mail.message.as_string()


def test_the_use_of_a_rotated_out_secret_is_recorded_and_mailed_once(
    app: Flask,
    cast: Cast,
    clock: Clock,
    make_key: MakeKey,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rotated, revoked = (make_key(cast.alice, name=name) for name in ("Old", "Gone"))
    blocked = make_key(cast.bob)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(revoked.id))
        for owner, created in ((cast.alice, rotated), (cast.bob, blocked)):
            rotation.rotate_key(owner.actor, UUID(created.id), overlap=HOUR)
        actions.block(cast.sue.actor, cast.bob.account_id, why="abuse")
        noted = [rotation.note_reuse(STRANGER, UUID(created.id)) for created in (rotated, revoked)]
        assert noted == [False, False], "it works still; it was never rotated"
        clock.forward(hours=1)
        assert [rotation.note_reuse(STRANGER, UUID(rotated.id)) for _ in range(3)] == [True, False, False]
        [event] = audit.list_events(action=Action.KEY_REUSED)
        assert (str(event.key_id), event.ip_address) == (rotated.id, STRANGER.ip_address)
        with monkeypatch.context() as patch:
            patch.setattr(rotation, "transaction", None)
            assert not rotation.note_reuse(STRANGER, UUID(blocked.id)), (
                "it ended otherwise, and that is known"
            )

    [mail] = [each for each in mailbox.all() if "Old secret" in each.subject]
    assert STRANGER.ip_address in mail.text


@pytest.mark.parametrize(
    "end",
    [
        lambda key, secret, cast: actions.block(cast.ada.actor, cast.alice.account_id, why="abuse"),
        lambda key, secret, cast: revocation.revoke_key(cast.alice.actor, key),
        lambda key, secret, cast: actions.revoke_one(cast.ada.actor, key, why="abuse"),
        lambda key, secret, cast: leaks.report(STRANGER, [leaks.Leak(secret)], leaks.Reporter.PAGE),
    ],
    ids=["a block", "its owner", "an operator", "a report of a leak"],
)
def test_what_comes_after_the_overlap_does_not_take_its_place_in_the_record(
    app: Flask,
    cast: Cast,
    clock: Clock,
    make_key: MakeKey,
    mailbox: Mailbox,
    end: Callable[[UUID, str, Cast], object],
) -> None:
    clock.stop()
    created = make_key(cast.alice)
    old_id = UUID(created.id)
    with app.app_context():
        rotation.rotate_key(cast.alice.actor, old_id, overlap=HOUR)
    mailbox.all()
    clock.forward(hours=1, minutes=2)

    with app.app_context():
        end(old_id, created.secret, cast)
        old = key_queries.get_key(cast.alice.account_id, old_id)
        told = audit.list_events(account_id=cast.alice.account_id, action=Action.KEY_REVOKED)

        assert (old.revoked_at, old.revoked_reason) == (old.retires_at, RevocationReason.REPLACED)
        of_old = [event for event in told if event.key_id == old_id]
        assert [(event.details["cause"], event.actor_kind) for event in of_old] == [
            ("replaced", ActorKind.SYSTEM)
        ]
        all_revoked = audit.list_events(account_id=cast.alice.account_id, action=Action.KEYS_REVOKED)
        assert [event.details["keys"] for event in all_revoked] in ([], [1])
