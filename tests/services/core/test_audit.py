"""What a line of the audit log holds (rule 8)."""

from __future__ import annotations

from uuid import UUID

from flask import Flask

from portal import clock as times
from portal.extensions import db
from portal.models import Action, ActorKind, AuditEvent
from portal.services.auth.admission import admit
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.ids import uuid7
from portal.services.core.transaction import note_admitted, transaction
from tests.support.cast import Cast
from tests.support.clock import Clock


def lines_of(key_id: UUID) -> list[AuditEvent]:
    return db.session.query(AuditEvent).filter_by(key_id=key_id).order_by(AuditEvent.id).all()


def test_the_record_tells_who_what_when_from_where_and_why(app: Flask, cast: Cast, clock: Clock) -> None:
    """One line at a time, and many in one statement, alike."""
    clock.stop()
    by, on = uuid7(), uuid7()
    actor = Actor(
        ActorKind.KEY, account_id=cast.sue.account_id, key_id=by, ip_address="192.0.2.7", request_id="abc"
    )
    told = {"account_id": cast.alice.account_id, "reason": "spam"}
    with app.app_context():
        with transaction() as session:
            note_admitted(session, actor)
            audit.log_event(session, actor, Action.KEY_REVOKED, key_id=on, **told, name="ci")
            audit.log_events(session, actor, Action.KEY_REVOKED, {on: {"name": "ci"}}, **told)
        lines = lines_of(on)

        assert len(lines) == 2
        for line in lines:
            assert (line.actor_kind, line.actor_account_id, line.actor_key_id) == (
                ActorKind.KEY,
                cast.sue.account_id,
                by,
            )
            assert (line.action, line.account_id, line.key_id) == (
                Action.KEY_REVOKED,
                cast.alice.account_id,
                on,
            )
            assert (line.at, line.ip_address, line.request_id) == (times.utcnow(), "192.0.2.7", "abc")
            assert (line.reason, line.details) == ("spam", {"name": "ci"})


def test_an_account_sees_what_it_did_and_what_was_done_to_it(app: Flask, cast: Cast) -> None:
    with app.app_context():
        sue = cast.sue.actor
        with transaction() as session:
            admit(session, sue)
            audit.log_event(session, sue, Action.ACCOUNT_READ, account_id=cast.alice.account_id)
        seen = {
            person.name: [each.action for each in audit.list_events(account_id=person.account_id, limit=1)]
            for person in (cast.alice, cast.sue, cast.bob)
        }

    assert seen["alice"] == seen["sue"] == [Action.ACCOUNT_READ]
    assert seen["bobby"] != [Action.ACCOUNT_READ]
