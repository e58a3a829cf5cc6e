"""Nobody's inbox is flooded, whichever use case writes to it."""

from __future__ import annotations

from portal.models import ActorKind
from portal.services import limits, profile, recovery, signup
from portal.services.actor import Actor
from portal.services.changes import Changes, change_account

STRANGER = Actor(ActorKind.ANONYMOUS, address="192.0.2.7")
VICTIM = "victim@example.org"
TRIES = limits.MAIL_RECIPIENT.amount + 3


def mails_to(database, address):
    [(count,)] = database.execute("SELECT count(*) FROM outbox WHERE address = :address", address=address)
    return count


def test_only_so_many_mails_answer_sign_ups_for_one_address(app, database):
    with app.app_context():
        for _ in range(TRIES):
            assert signup.request_sign_up(STRANGER, VICTIM, "en") == VICTIM
    assert mails_to(database, VICTIM) == limits.MAIL_RECIPIENT.amount


def test_only_so_many_mails_answer_forgotten_passwords(app, database):
    with app.app_context():
        for _ in range(TRIES):
            recovery.request_reset(STRANGER, VICTIM)
    assert mails_to(database, VICTIM) == limits.MAIL_RECIPIENT.amount


def test_only_so_many_mails_bring_the_way_back_into_a_locked_account(app, cast, database):
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
        before = mails_to(database, cast.alice.email)
        for _ in range(TRIES):
            recovery.request_unlock(cast.alice.account_id)
        recovery.request_unlock(cast.bob.account_id)
        recovery.request_unlock(0)
    assert mails_to(database, cast.alice.email) - before == limits.MAIL_RECIPIENT.amount
    assert mails_to(database, cast.bob.email) == 0


def test_only_so_many_mails_ask_for_one_new_address_from_a_page(app, cast, database):
    with app.app_context():
        for _ in range(TRIES):
            profile.request_email_change(cast.alice.actor, VICTIM)
    assert mails_to(database, VICTIM) == limits.MAIL_RECIPIENT.amount


def test_only_so_many_mails_ask_for_one_new_address_from_the_api(app, cast, database):
    with app.app_context():
        for _ in range(TRIES):
            change_account(cast.alice.actor, Changes(email=VICTIM))
    assert mails_to(database, VICTIM) == limits.MAIL_RECIPIENT.amount


def test_the_hour_passes(app, database, clock):
    with app.app_context():
        for _ in range(TRIES):
            recovery.request_reset(STRANGER, VICTIM)
        clock.forward(hours=1, seconds=1)
        recovery.request_reset(STRANGER, VICTIM)
    assert mails_to(database, VICTIM) == limits.MAIL_RECIPIENT.amount + 1
