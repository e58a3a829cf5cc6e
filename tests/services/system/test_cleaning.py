from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from flask import Flask

from portal.models import Account, ActorKind, ExcessLevel, ExcessStep, MailKind, SessionKind, TokenPurpose
from portal.services.accounts import recovery, removal, sign_in, signup
from portal.services.auth import sessions
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.mail import outbox, tokens
from portal.services.system import job_leases, retention
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.mailbox import Mailbox
from tests.support.outbox import enqueue


def clean(app: Flask) -> dict[str, int]:
    with app.app_context():
        return retention.clean()


def count(database: Database, table: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM {table}")[0][0])


def test_a_lease_is_given_to_one_only(app: Flask) -> None:
    def take(_worker: int) -> bool:
        with app.app_context():
            return job_leases.take_lease("trial", timedelta(hours=1))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(12))) == [False] * 11 + [True]


def test_a_lease_that_is_over_is_given_to_one_only(app: Flask, clock: Clock) -> None:
    def take(_worker: int) -> bool:
        with app.app_context():
            return job_leases.take_lease("trial", timedelta(hours=1))

    assert take(0)
    clock.forward(minutes=61)
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(12))) == [False] * 11 + [True]


def test_mail_tokens_go_when_they_are_used_or_too_old(app: Flask, database: Database, clock: Clock) -> None:
    with app.app_context(), transaction() as session:
        used = tokens.mint(session, TokenPurpose.CONFIRM, account_id=None, email="a@example.org")
        tokens.mint(session, TokenPurpose.EMAIL, account_id=None, email="b@example.org")
        session.flush()
        tokens.redeem(session, used, TokenPurpose.CONFIRM)

    assert clean(app)["mail_tokens"] == 1
    clock.forward(hours=23)
    assert clean(app)["mail_tokens"] == 0
    clock.forward(hours=2)
    assert clean(app)["mail_tokens"] == 1
    assert count(database, "mail_tokens") == 0


def test_rows_of_sent_mails_go_after_thirty_days_and_others_never(
    app: Flask, database: Database, clock: Clock
) -> None:
    for number in range(3):
        enqueue(app, recipient=f"reader-{number}@example.org")
    with app.app_context():
        for _ in range(2):
            mine = outbox.claim_next()
            assert mine
            outbox.mark_sent(mine)

    clock.forward(days=29)
    assert clean(app)["outbox"] == 0
    clock.forward(days=2)
    assert clean(app)["outbox"] == 2
    assert database.execute("SELECT address FROM outbox") == [("reader-2@example.org",)]


def test_the_newest_row_stays_so_that_no_number_is_given_twice(
    app: Flask, database: Database, clock: Clock
) -> None:
    enqueue(app)
    with app.app_context():
        mine = outbox.claim_next()
        assert mine
        outbox.mark_sent(mine)

    clock.forward(days=400)
    clean(app)

    assert count(database, "outbox") == 1


def test_the_address_of_a_removed_account_is_forgotten(app: Flask, database: Database, cast: Cast) -> None:
    enqueue(app, MailKind.ROLE_CHANGED, account_id=cast.bob.account_id, recipient=cast.bob.email, role="user")
    enqueue(
        app, MailKind.ROLE_CHANGED, account_id=cast.alice.account_id, recipient=cast.alice.email, role="user"
    )
    with app.app_context():
        while mine := outbox.claim_next():
            outbox.mark_sent(mine)
        with transaction() as session:
            bob = session.get_one(Account, cast.bob.account_id)
            removal.empty(session, Actor.system(), bob)

    assert clean(app)["addresses"] >= 1

    addresses = {row[0] for row in database.execute("SELECT address FROM outbox")}
    assert cast.bob.email not in addresses
    assert cast.alice.email in addresses


def test_nothing_tells_where_the_owner_of_a_removed_account_was(
    app: Flask, database: Database, cast: Cast
) -> None:
    browser = Actor(ActorKind.ANONYMOUS, user_agent="Netscape/4.08", ip_address="198.51.100.77")
    with app.app_context():
        sign_in.sign_in(browser, cast.alice.email, cast.alice.password, SessionKind.BROWSER)
        sign_in.sign_in(browser, cast.bob.email, cast.bob.password, SessionKind.BROWSER)
        removal.remove_account(cast.alice.actor, cast.alice.password)

    assert clean(app)["sessions"] == 2

    assert database.execute("SELECT account_id FROM sessions") == [(cast.bob.account_id,)]


def test_the_address_of_somebody_without_an_account_is_forgotten(
    app: Flask, database: Database, cast: Cast, mailbox: Mailbox
) -> None:
    with app.app_context():
        for email in ("nobody@example.org", cast.alice.email, cast.bob.email):
            recovery.request_reset(Actor.system(), email)
        removal.remove_account(cast.alice.actor, cast.alice.password)
    mailbox.all()

    clean(app)

    dump = database.dump()
    assert "nobody@example.org" not in dump
    assert cast.alice.email not in dump
    assert cast.bob.email in {row[0] for row in database.execute("SELECT address FROM outbox")}


def test_steps_of_excess_go_with_their_account_and_after_four_hundred_days(
    app: Flask, database: Database, clock: Clock, cast: Cast
) -> None:
    now = clock.now()
    with app.app_context(), transaction() as session:
        for person in (cast.alice, cast.bob):
            session.add(ExcessStep(account_id=person.account_id, day=now, step=ExcessLevel.WARNED, at=now))
        removal.empty(session, Actor.system(), session.get_one(Account, cast.bob.account_id))

    assert clean(app)["excess_steps"] == 1
    assert database.execute("SELECT account_id FROM excess_steps") == [(cast.alice.account_id,)]
    clock.forward(days=401)
    assert clean(app)["excess_steps"] == 1


def test_sessions_go_thirty_days_after_their_end(
    app: Flask, database: Database, clock: Clock, cast: Cast
) -> None:
    before = count(database, "sessions")
    with app.app_context(), transaction() as session:
        account = session.get_one(Account, cast.alice.account_id)
        sessions.start(session, Actor(ActorKind.ANONYMOUS), account, SessionKind.BROWSER)
    assert count(database, "sessions") == before + 1

    clock.forward(days=10)
    assert clean(app)["sessions"] == 0
    clock.forward(days=400)
    assert clean(app)["sessions"] == before + 1


def test_accounts_that_nobody_confirmed_are_emptied_after_a_week(
    app: Flask, database: Database, clock: Clock, cast: Cast
) -> None:
    with app.app_context():
        signup.request_sign_up(Actor.system(), "late@example.org", "en")
        mine = outbox.claim_next()
        assert mine
        outbox.prepare(mine, signup.prepare_sign_up_mail)
        outbox.mark_sent(mine)
    clock.forward(days=6)
    with app.app_context():
        assert removal.forget_unconfirmed() == 0
    clock.forward(days=2)
    with app.app_context():
        assert removal.forget_unconfirmed() == 1
        retention.clean()

    assert "late@example.org" not in database.dump()
