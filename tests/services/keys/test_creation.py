"""Making and revoking keys (rules 1 to 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal import clock as time
from portal.models import Action, ActorKind, ApiKey, RevocationReason
from portal.models.key_lists import KeyFilter
from portal.permissions import LONGEST_LIFE
from portal.services.accounts.update import change_account
from portal.services.auth.admission import admit
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import (
    AlreadyCreated,
    ConsentLacking,
    Forbidden,
    InvalidInput,
    NotAdmitted,
    NotFound,
)
from portal.services.core.sent_forms import Form
from portal.services.core.transaction import transaction
from portal.services.keys import creation, issuing, revocation, rotation
from portal.services.keys import queries as key_queries
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

DAY = timedelta(days=1)


@pytest.fixture
def make(app: Flask, cast: Cast) -> Callable[..., tuple[ApiKey, str]]:
    """Make a key for Alice, with what the test says of it."""

    def create(actor: Actor | None = None, **settings: object) -> tuple[ApiKey, str]:
        wanted = {"name": "ci", "level": 4, "life": DAY, **settings}
        with app.app_context():
            key, secret = creation.create_key(actor or cast.alice.actor, **wanted)  # type: ignore[arg-type]
            assert key.usage is None
            return key, secret

    return create


def as_key(cast: Cast, key_id: str | UUID) -> Actor:
    """Alice's key, when it acts."""
    return Actor(ActorKind.KEY, cast.alice.account_id, key_id=UUID(str(key_id)))


def test_a_new_key_has_what_was_asked_for(
    make: Callable[..., tuple[ApiKey, str]], cast: Cast, clock: Clock
) -> None:
    clock.stop()

    key, secret = make(name="  Nightly build ", level=2, life=30 * DAY)

    assert (key.name, key.level, key.account_id) == ("Nightly build", 2, cast.alice.account_id)
    assert key.expires_at - key.created_at == 30 * DAY
    assert key.created_at == time.utcnow()
    assert secret.startswith("chk_")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"name": "  "}, "nameMissing"),
        ({"name": "x" * 101}, "nameTooLong"),
        ({"name": "a\nb"}, "nameNotPrintable"),
        ({"level": -1}, "invalidLevel"),
        ({"level": 10}, "invalidLevel"),
        ({"level": 5}, "keyLevelExceedsRoleLevel"),
        ({"life": timedelta(0)}, "expiresInNotNumeric"),
        ({"life": -DAY}, "expiresInNotNumeric"),
        ({"life": LONGEST_LIFE + timedelta(milliseconds=1)}, "expiresInHigherThanMaximum"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_name(
    make: Callable[..., tuple[ApiKey, str]], settings: dict[str, object], code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        make(**settings)

    assert refused.value.code == code


@pytest.mark.parametrize("level", range(5))
def test_every_level_up_to_the_role_can_be_given(make: Callable[..., tuple[ApiKey, str]], level: int) -> None:
    key, _ = make(level=level, life=LONGEST_LIFE)

    assert key.level == level


def test_a_key_made_with_a_key_stays_within_it(
    app: Flask, cast: Cast, make: Callable[..., tuple[ApiKey, str]], make_key: MakeKey
) -> None:
    parent = make_key(cast.alice, level=4, days=3)
    actor = as_key(cast, parent.id)

    child, _ = make(actor, level=4, life=30 * DAY)
    with app.app_context():
        assert child.expires_at == key_queries.get_key(cast.alice.account_id, UUID(parent.id)).expires_at
        assert child.made_by_key_id == UUID(parent.id)
    weaker = make_key(cast.alice, level=2, days=3)
    with pytest.raises(Forbidden):
        make(as_key(cast, weaker.id), level=1)
    sues = Actor(ActorKind.KEY, cast.sue.account_id, key_id=UUID(make_key(cast.sue, level=4).id))
    with pytest.raises(InvalidInput, match="keyLevelExceedsRoleLevel"):
        make(sues, level=5)


def test_an_expired_or_revoked_key_makes_no_key(
    app: Flask, cast: Cast, clock: Clock, make: Callable[..., tuple[ApiKey, str]], make_key: MakeKey
) -> None:
    expired, revoked = make_key(cast.alice, days=1), make_key(cast.alice, days=10)
    clock.forward(days=1)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(revoked.id))

    for dead, told in ((expired, "apikeyExpired"), (revoked, "apikeyRevoked")):
        with pytest.raises(NotAdmitted, match=told):
            make(as_key(cast, dead.id), level=1)


def test_a_key_that_ends_while_it_makes_one_makes_none(
    app: Flask, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    """It was let in a moment before."""
    maker = as_key(cast, make_key(cast.alice, days=1).id)
    with app.app_context(), transaction() as session:
        account = admit(session, maker)
        assert issuing.bounds_of(session, maker, account, time.utcnow()).maker
        with pytest.raises(Forbidden):
            issuing.bounds_of(session, maker, account, time.utcnow() + DAY)


def test_one_form_makes_one_key(make: Callable[..., tuple[ApiKey, str]], cast: Cast) -> None:
    actor = replace(cast.alice.actor, form=Form.of("", "", "x" * 43, []))
    key, _ = make(actor)

    with pytest.raises(AlreadyCreated) as refused:
        make(actor)

    assert refused.value.key_id == key.id


def test_without_consent_no_key_is_made(
    app: Flask, cast: Cast, make: Callable[..., tuple[ApiKey, str]]
) -> None:
    with app.app_context():
        change_account(cast.alice.actor, consent=0)

    with pytest.raises(ConsentLacking):
        make()


def test_a_strangers_key_is_not_there(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    key_id = UUID(make_key(cast.alice).id)

    with app.app_context():
        assert key_queries.find_key(cast.bob.account_id, key_id) is None
        for act in (revocation.revoke_key, rotation.rotate_key):
            with pytest.raises(NotFound):
                act(cast.bob.actor, key_id)
        assert key_queries.get_key(cast.alice.account_id, key_id).revoked_at is None


def test_a_revocation_is_dated_now(app: Flask, cast: Cast, clock: Clock, make_key: MakeKey) -> None:
    clock.stop()
    one, two = make_key(cast.alice, days=30), make_key(cast.alice, days=30)
    clock.forward(hours=1)
    with app.app_context():
        assert revocation.revoke_key(cast.alice.actor, UUID(one.id)).revoked_at == time.utcnow()
        change_account(cast.alice.actor, consent=0)
        assert key_queries.get_key(cast.alice.account_id, UUID(two.id)).revoked_at == time.utcnow()


def test_revoking_twice_changes_nothing(
    app: Flask, cast: Cast, clock: Clock, make_key: MakeKey, database: Database
) -> None:
    key_id = UUID(make_key(cast.alice).id)
    with app.app_context():
        first = revocation.revoke_key(cast.alice.actor, key_id).revoked_at
        clock.forward(hours=1)
        events = database.execute("SELECT count(*) FROM audit_events")

        again = revocation.revoke_key(cast.alice.actor, key_id)

        assert (again.revoked_at, again.revoked_reason) == (first, RevocationReason.OWNER)
        assert database.execute("SELECT count(*) FROM audit_events") == events


def test_the_act_its_record_and_its_mail_are_one(
    app: Flask, cast: Cast, make_key: MakeKey, mailbox: Mailbox
) -> None:
    created = make_key(cast.alice, name="Nightly build", level=2)

    with app.app_context():
        event = audit.list_events(account_id=cast.alice.account_id)[0]
        assert (event.action, str(event.key_id)) == (Action.KEY_CREATED, created.id)
        assert event.actor_account_id == cast.alice.account_id
    mail = mailbox.last(to=cast.alice.email)
    assert "Nightly build" in mail.text
    assert created.secret not in mail.message.as_string()


def test_lists_put_the_living_first_and_find_by_name_and_id(
    app: Flask, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    old = make_key(cast.alice, days=1, name="Old exporter")
    clock.forward(days=2)
    live = make_key(cast.alice, name="100% live_")
    gone = make_key(cast.alice, name="Gone")
    make_key(cast.bob, name="Not hers")
    me = cast.alice.account_id
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(gone.id))

        def found(**query: object) -> list[str]:
            return [str(key.id) for key in key_queries.list_keys(me, **query).items]  # type: ignore[arg-type]

        assert found()[0] == live.id
        assert len(found()) == 3
        assert found(status=KeyFilter.EXPIRED) == [old.id]
        assert found(status=KeyFilter.REVOKED) == [gone.id]
        assert found(query="0% LIVE_") == [live.id]
        assert found(query=live.id[:13]) == [live.id] or live.id in found(query=live.id[:13])
        assert found(query=live.id) == [live.id]
        assert found(query="nothing") == []
        assert key_queries.count_keys(me) == {"all": 3, "live": 1, "expired": 1, "revoked": 1}


def test_long_lists_come_in_pages(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    for number in range(5):
        make_key(cast.alice, name=f"key {number}")

    with app.app_context():
        pages = [
            key_queries.list_keys(cast.alice.account_id, page=number, size=2) for number in (1, 2, 3, 99)
        ]

    assert [len(page.items) for page in pages] == [2, 2, 1, 1]
    assert [page.number for page in pages] == [1, 2, 3, 3]
    assert pages[0].pages == 3
    assert pages[0].total == 5
    assert [key.name for page in pages[:3] for key in page.items] == [f"key {n}" for n in (4, 3, 2, 1, 0)]


def test_an_actor_without_an_account_makes_no_key(
    make: Callable[..., tuple[ApiKey, str]],
) -> None:
    with pytest.raises(Forbidden):
        make(Actor(ActorKind.BROWSER, session_id=UUID(int=1)))


def test_a_moment_of_its_end_is_kept_to_the_millisecond(
    make: Callable[..., tuple[ApiKey, str]], clock: Clock
) -> None:
    clock.to(clock.now().replace(microsecond=123_000))
    end = clock.now().replace(microsecond=0) + 3 * DAY

    key, _ = make(life=end)

    assert key.expires_at == end
    with pytest.raises(InvalidInput, match="expiresInHigherThanMaximum"):
        make(life=clock.now() + LONGEST_LIFE + timedelta(milliseconds=1))
    with pytest.raises(InvalidInput, match="expiresInNotNumeric"):
        make(life=clock.now())
