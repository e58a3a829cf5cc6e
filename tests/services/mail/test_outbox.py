from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from portal.models import AccountStatus, MailKind, OutboxMail
from portal.services.accounts import recovery, signup
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.mail import outbox
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.outbox import enqueue


def claim(app: Flask) -> outbox.Claim | None:
    with app.app_context():
        return outbox.claim_next()


def test_the_mail_that_waits_longest_goes_first(app: Flask, clock: Clock) -> None:
    enqueue(app, MailKind.ROLE_CHANGED, role="user")
    clock.forward(seconds=1)
    enqueue(app, MailKind.ACCOUNT_REMOVED)

    first, second, third = claim(app), claim(app), claim(app)

    assert first
    assert first.kind == MailKind.ROLE_CHANGED
    assert second
    assert second.kind == MailKind.ACCOUNT_REMOVED
    assert third is None


def test_a_claimed_mail_is_nobody_elses_until_the_lease_ends(app: Flask, clock: Clock) -> None:
    enqueue(app)
    first = claim(app)

    clock.forward(minutes=9, seconds=55)
    assert claim(app) is None
    clock.forward(seconds=10)
    second = claim(app)

    assert first
    assert second
    assert first.id == second.id


def test_whoever_lost_the_lease_can_settle_nothing(app: Flask, clock: Clock, database: Database) -> None:
    enqueue(app)
    late = claim(app)
    clock.forward(minutes=11)
    mine = claim(app)
    assert late
    assert mine

    with app.app_context():
        assert outbox.prepare(late, None) is None
        assert outbox.mark_failed(late, "too late") is False
        assert outbox.mark_sent(late) is False
        assert outbox.mark_sent(mine) is True
    assert database.execute("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(0,)]


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (5000, 360)])
def test_pauses_grow_up_to_six_hours(attempts: int, minutes: int) -> None:
    assert outbox.pause_after(attempts) == timedelta(minutes=minutes)


def test_a_mail_that_failed_waits_its_pause_and_is_tried_again(app: Flask, clock: Clock) -> None:
    enqueue(app)
    for attempt in range(1, 16):
        mine = claim(app)
        assert mine, f"attempt {attempt}"
        with app.app_context():
            assert outbox.mark_failed(mine, "no route")
        clock.forward(seconds=outbox.pause_after(attempt).total_seconds() - 2)
        assert claim(app) is None
        clock.forward(seconds=3)


def test_what_went_wrong_is_kept_with_the_mail(app: Flask, database: Database) -> None:
    enqueue(app)
    mine = claim(app)
    assert mine
    with app.app_context():
        outbox.mark_failed(mine, "x" * 500)

    assert database.execute("SELECT attempts, last_error FROM outbox") == [(1, "x" * 200)]


def test_what_a_sent_mail_said_is_forgotten(app: Flask, database: Database) -> None:
    enqueue(app, MailKind.EMAIL_CHANGED, email="marker-of-this-mail@example.org")
    mine = claim(app)
    assert mine
    with app.app_context():
        outbox.mark_sent(mine)

    assert "marker-of-this-mail" not in database.dump()


def test_an_act_that_fails_leaves_no_mail(app: Flask) -> None:
    def fail() -> None:
        with transaction() as session:
            outbox.enqueue(
                session, MailKind.ACCOUNT_REMOVED, account_id=None, recipient="a@example.org", language="en"
            )
            session.flush()
            raise ZeroDivisionError

    with app.app_context(), pytest.raises(ZeroDivisionError):
        fail()

    assert claim(app) is None


def test_a_removed_account_is_not_written_to(app: Flask, cast: Cast) -> None:
    with app.app_context(), transaction() as session:
        account = session.get_one(signup.Account, cast.alice.account_id)
        account.status, account.removed_at = AccountStatus.INACTIVE, account.created_at
        account.email = account.lemail = None
        before = session.query(OutboxMail).count()
        outbox.enqueue_to(session, account, MailKind.ROLE_CHANGED, role="user")
        session.flush()
        assert session.query(OutboxMail).count() == before


def test_many_who_claim_at_once_never_get_the_same_mail(app: Flask) -> None:
    for _ in range(24):
        enqueue(app)

    def take_all(_worker: int) -> list[int]:
        taken = []
        while mine := claim(app):
            taken.append(mine.id)
            with app.app_context():
                assert outbox.mark_sent(mine)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [number for each in pool.map(take_all, range(4)) for number in each]

    assert len(taken) == len(set(taken)) == 24


def test_tokens_are_made_at_sending_and_only_their_hash_is_kept(
    app: Flask, database: Database, cast: Cast
) -> None:
    with app.app_context():
        recovery.request_reset(Actor.system(), cast.alice.email)
    assert database.execute("SELECT count(*) FROM mail_tokens WHERE purpose = 'reset'") == [(0,)]
    mine = claim(app)
    while mine and mine.kind != MailKind.RESET:
        mine = claim(app)
    assert mine

    with app.app_context():
        prepared = outbox.prepare(mine, recovery.prepare_reset_mail)

    assert prepared
    token = prepared.letter.params["token"]
    assert token not in database.dump()
    assert token not in repr(prepared)
    assert database.execute("SELECT count(*) FROM mail_tokens WHERE purpose = 'reset'") == [(1,)]


def test_a_reset_for_nobody_writes_to_nobody(app: Flask) -> None:
    with app.app_context():
        recovery.request_reset(Actor.system(), "stranger@example.org")
        mine = outbox.claim_next()
        assert mine
        assert outbox.prepare(mine, recovery.prepare_reset_mail) is None


def test_a_reset_goes_out_in_the_language_of_its_account(app: Flask, cast: Cast) -> None:
    with app.app_context():
        change_account(cast.alice.actor, language="nl")
        recovery.request_reset(Actor.system(), cast.alice.email)
        while (mine := outbox.claim_next()) and mine.kind != MailKind.RESET:
            continue
        assert mine
        prepared = outbox.prepare(mine, recovery.prepare_reset_mail)

    assert prepared
    assert (prepared.language, prepared.recipient) == ("nl", cast.alice.email)
