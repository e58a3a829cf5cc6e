"""A leak ends the whole line of a key, whatever a thief did with it before the report (row 75)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal.models import Action, ActorKind, ApiKey, AuditEvent, RevocationReason
from portal.runtime import runtime_of
from portal.services.abuse import leaks
from portal.services.abuse.leaks import Leak, Reporter
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import NotAdmitted, NotFound
from portal.services.keys import creation, revocation, rotation
from portal.services.keys import queries as key_queries
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey, Person
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

DAY = timedelta(days=1)
PLACE = "https://paste.example/1"
FINDER = Actor(ActorKind.ANONYMOUS, ip_address="198.51.100.7")


class Line:
    """What somebody who holds a secret does with it."""

    def __init__(self, app: Flask, owner: Person) -> None:
        self.app, self.owner = app, owner

    def holder(self, created: CreatedKey) -> Actor:
        """Whoever shows this key and its secret."""
        return Actor(
            ActorKind.KEY, account_id=self.owner.account_id, key_id=UUID(created.id),
            ip_address="203.0.113.66",
        )  # fmt: skip

    def rotate(
        self, created: CreatedKey, *, by: CreatedKey | None, overlap: timedelta = timedelta(0)
    ) -> CreatedKey:
        """The successor of a key, made with a key, or by its owner who is signed in."""
        actor = self.holder(by) if by else self.owner.actor
        with self.app.app_context():
            key, secret = rotation.rotate_key(actor, UUID(created.id), overlap=overlap)
            return CreatedKey(str(key.id), secret)

    def create(self, maker: CreatedKey, name: str = "a child") -> CreatedKey:
        """A key that is created with a key."""
        with self.app.app_context():
            key, secret = creation.create_key(self.holder(maker), name=name, level=4, life=DAY)
            return CreatedKey(str(key.id), secret)

    def report(self, *created: CreatedKey) -> None:
        """Somebody finds these secrets."""
        with self.app.app_context():
            leaks.report(
                FINDER, [Leak(each.secret, "https://paste.example/1") for each in created], Reporter.API
            )

    def outcome(self, created: CreatedKey) -> str:
        """What a check says."""
        return str(runtime_of(self.app).verifier.decide(created.id, created.secret).outcome)

    def key(self, created: CreatedKey) -> ApiKey:
        """The row."""
        with self.app.app_context():
            return key_queries.get_key(self.owner.account_id, UUID(created.id))


@pytest.fixture
def line(app: Flask, cast: Cast) -> Line:
    return Line(app, cast.alice)


def revocations(app: Flask) -> dict[str, AuditEvent]:
    with app.app_context():
        found = audit.list_events(action=Action.KEY_REVOKED, limit=500)
    return {str(event.key_id): event for event in found if event.details["cause"] == "leaked"}


def leak_mails(mailbox: Mailbox, owner: Person) -> list[str]:
    return [mail.text for mail in mailbox.all(to=owner.email) if "Leaked" in mail.subject]


def test_a_thief_who_rotates_and_creates_before_the_report_has_nothing_after_it(
    app: Flask, cast: Cast, make_key: MakeKey, line: Line, mailbox: Mailbox
) -> None:
    stolen, other, his = make_key(cast.alice), make_key(cast.alice, name="other"), make_key(cast.bob)
    successor = line.rotate(stolen, by=stolen)
    second = line.rotate(successor, by=successor, overlap=timedelta(hours=1))
    child = line.create(successor, "a child")
    grandchild = line.create(child, "a grandchild")
    renewed = line.rotate(grandchild, by=child)
    moved = line.rotate(child, by=second)
    line_of_it = [successor, second, child, grandchild, renewed, moved]
    assert [line.outcome(each) for each in (successor, second, renewed, moved)] == ["good"] * 4

    line.report(stolen)

    assert {line.outcome(each) for each in (stolen, *line_of_it)} == {"apikeyRevoked"}
    assert [line.outcome(other), runtime_of(app).verifier.decide(his.id, his.secret).outcome] == [
        "good", "good",
    ]  # fmt: skip
    for dead in (successor, second, renewed, moved):
        with app.app_context(), pytest.raises(NotAdmitted):
            creation.create_key(line.holder(dead), name="late", level=0, life=DAY)
    events = revocations(app)
    assert set(events) == {each.id for each in (successor, second, renewed, moved)}
    assert {event.details["line"] for event in events.values()} == {stolen.id}
    assert {event.ip_address for event in events.values()} == {"198.51.100.7"}
    [mail] = leak_mails(mailbox, cast.alice)
    for said in (successor.id, second.id, renewed.id, moved.id, stolen.id, PLACE):
        assert said in mail
    assert other.id not in mail


def rotated_by_the_owner(line: Line, created: CreatedKey) -> CreatedKey:
    return line.rotate(created, by=None)


def rotated_by_itself(line: Line, created: CreatedKey) -> CreatedKey:
    return line.rotate(created, by=created)


def created_and_then_revoked(line: Line, created: CreatedKey) -> CreatedKey:
    child = line.create(created)
    with line.app.app_context():
        revocation.revoke_key(line.owner.actor, UUID(created.id))
    return child


@pytest.mark.parametrize("before", [rotated_by_the_owner, rotated_by_itself, created_and_then_revoked])
def test_a_report_of_a_secret_that_is_over_ends_what_came_of_it(
    cast: Cast,
    make_key: MakeKey,
    line: Line,
    mailbox: Mailbox,
    before: Callable[[Line, CreatedKey], CreatedKey],
) -> None:
    created = make_key(cast.alice)
    after = before(line, created)
    assert line.outcome(created) == "apikeyRevoked"
    reason = line.key(created).revoked_reason

    line.report(created)

    assert line.outcome(after) == "apikeyRevoked"
    assert line.key(after).revoked_reason is RevocationReason.LEAKED
    assert line.key(created).revoked_reason is reason, "what ended before ended for its own reason"
    [mail] = leak_mails(mailbox, cast.alice)
    assert "It had already ended." in mail


def test_an_expired_key_and_what_it_created_end_too(
    app: Flask, cast: Cast, make_key: MakeKey, line: Line, clock: Clock
) -> None:
    created = make_key(cast.alice, days=2)
    clock.forward(days=3)
    successor = line.rotate(created, by=None)
    child = line.create(successor)

    line.report(created)

    assert [line.outcome(each) for each in (successor, child)] == ["apikeyRevoked"] * 2
    assert set(revocations(app)) == {created.id, successor.id, child.id}


def test_the_predecessor_ends_with_it_while_it_works_beside_it(
    app: Flask, cast: Cast, make_key: MakeKey, line: Line, clock: Clock
) -> None:
    first = make_key(cast.alice)
    child = line.create(first)
    clock.forward(minutes=1)
    second = line.rotate(first, by=None, overlap=timedelta(days=7))
    third = line.rotate(second, by=None, overlap=timedelta(hours=24))

    line.report(third)

    assert {line.outcome(each) for each in (first, second, third, child)} == {"apikeyRevoked"}


def test_what_a_predecessor_made_that_is_over_lives_on(cast: Cast, make_key: MakeKey, line: Line) -> None:
    first = make_key(cast.alice)
    child = line.create(first)
    second = line.rotate(first, by=None)

    line.report(second)

    assert (line.outcome(second), line.outcome(child)) == ("apikeyRevoked", "good")


def test_the_key_that_created_a_leaked_one_lives_on(cast: Cast, make_key: MakeKey, line: Line) -> None:
    maker = make_key(cast.alice)
    child, sibling = line.create(maker), line.create(maker)

    line.report(child)

    assert [line.outcome(each) for each in (child, sibling, maker)] == ["apikeyRevoked", "good", "good"]


def test_a_second_report_of_any_secret_of_the_line_does_nothing_twice(
    database: Database, cast: Cast, make_key: MakeKey, line: Line, mailbox: Mailbox
) -> None:
    first = make_key(cast.alice)
    second = line.rotate(first, by=first)
    child = line.create(second)
    line.report(first)
    assert len(leak_mails(mailbox, cast.alice)) == 1
    rows = database.rows()

    line.report(first, second, child)

    assert database.rows() == rows


def test_many_secrets_of_one_line_are_one_mail_and_each_key_one_event(
    app: Flask, cast: Cast, make_key: MakeKey, line: Line, mailbox: Mailbox
) -> None:
    first = make_key(cast.alice)
    second = line.rotate(first, by=first, overlap=timedelta(hours=1))
    child = line.create(second)

    line.report(child, second)

    events = revocations(app)
    assert set(events) == {first.id, second.id, child.id}
    assert {key_id for key_id, event in events.items() if event.details.get("found_at")} == {
        second.id, child.id,
    }  # fmt: skip
    [mail] = leak_mails(mailbox, cast.alice)
    assert mail.count("Found at:") == 2


def test_an_owner_revokes_a_key_with_everything_that_it_created(
    app: Flask, cast: Cast, make_key: MakeKey, line: Line, mailbox: Mailbox
) -> None:
    created, other = make_key(cast.alice, name="maker"), make_key(cast.alice)
    child = line.create(created, "a child")
    renewed = line.rotate(child, by=None)
    grandchild = line.create(renewed, "a grandchild")
    with app.app_context():
        listed = [
            str(key.id)
            for key in key_queries.list_unrevoked_descendants(cast.alice.account_id, UUID(created.id))
        ]

        revocation.revoke_line(cast.alice.actor, UUID(created.id))

    assert listed == [renewed.id, grandchild.id]
    assert {line.outcome(each) for each in (created, child, renewed, grandchild)} == {"apikeyRevoked"}
    assert line.outcome(other) == "good"
    assert line.key(grandchild).revoked_reason is RevocationReason.OWNER
    mail = mailbox.last(to=cast.alice.email)
    assert "3 keys were revoked" in mail.subject
    for name in ("maker", "a child", "a grandchild"):
        assert name in mail.text


def test_what_an_ended_key_created_can_still_be_revoked_with_it_and_twice_changes_nothing(
    app: Flask, database: Database, cast: Cast, make_key: MakeKey, line: Line
) -> None:
    created = make_key(cast.alice)
    child = line.create(created)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(created.id))
        revocation.revoke_line(cast.alice.actor, UUID(created.id))
    assert line.outcome(child) == "apikeyRevoked"
    rows = database.rows()

    with app.app_context():
        revocation.revoke_line(cast.alice.actor, UUID(created.id))

    assert database.rows() == rows


def test_nobody_revokes_the_line_of_somebody_else(
    app: Flask, cast: Cast, make_key: MakeKey, line: Line
) -> None:
    created = make_key(cast.alice)

    with app.app_context(), pytest.raises(NotFound):
        revocation.revoke_line(cast.bob.actor, UUID(created.id))
    with app.app_context():
        assert list(key_queries.list_unrevoked_descendants(cast.bob.account_id, UUID(created.id))) == []

    assert line.outcome(created) == "good"
