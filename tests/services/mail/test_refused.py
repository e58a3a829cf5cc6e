"""Mails that no attempt will bring through: they end, and operators and the account are told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal import jobs
from portal.models import Action, MailKind, OutboxMail
from portal.services.accounts import email_change, recovery, removal, signup
from portal.services.accounts.update import change_account
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.mail import outbox
from portal.services.mail import pending as pending_mail
from portal.services.mail.outbox import find_refused
from portal.transports import FileTransport, SmtpTransport
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.outbox import Receiver, enqueue, mail_server
from tests.support.ports import free_port


class Refusing(Receiver):
    """A mail server that says no to the recipient, or to the sender."""

    def __init__(self, recipient: str = "250 OK", sender: str = "250 OK") -> None:
        super().__init__()
        self.to_recipient, self.to_sender = recipient, sender

    async def handle_MAIL(self, *words: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Take or refuse the sender."""
        _, _, envelope, envelope.mail_from, _ = words
        return self.to_sender

    async def handle_RCPT(self, *words: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Take or refuse the recipient."""
        _, _, envelope, address, _ = words
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient


def run(app: Flask, receiver: Receiver, **options: Any) -> int:
    with mail_server(receiver, **options) as port:
        return jobs.run_once(app, SmtpTransport("127.0.0.1", port, "localhost", clear_text=True))


def run_into_nothing(app: Flask) -> int:
    return jobs.run_once(app, SmtpTransport("127.0.0.1", free_port(), "localhost", clear_text=True))


def state(database: Database) -> list[tuple[bool, bool]]:
    """Of each mail: whether it is done with, and whether it was refused."""
    found = database.execute("SELECT sent_at, refused_at FROM outbox ORDER BY id")
    return [(done is not None, refused is not None) for done, refused in found]


ENDED, TRIED_AGAIN = [(True, True)], [(False, False)]
ANSWERS = {
    "no such user": (lambda: Refusing(recipient="550 5.1.1 no such user"), ENDED),
    "no such domain": (lambda: Refusing(recipient="556 5.1.10 null MX"), ENDED),
    "mailbox disabled": (lambda: Refusing(recipient="521 takes no mail"), ENDED),
    "greylisted": (lambda: Refusing(recipient="450 4.2.0 come back later"), TRIED_AGAIN),
    "mailbox full": (lambda: Refusing(recipient="452 4.2.2 full"), TRIED_AGAIN),
    "wants a sign-in": (lambda: Refusing(recipient="530 5.7.0 authenticate first"), TRIED_AGAIN),
    "sender refused": (lambda: Refusing(sender="550 5.7.1 not you"), TRIED_AGAIN),
}
DATA = {
    "554 5.7.1 spam": ENDED,
    "552 5.3.4 too big": ENDED,
    "451 4.3.0 later": TRIED_AGAIN,
}


@pytest.mark.parametrize("what", ANSWERS)
def test_a_recipient_that_is_refused_for_good_ends_the_mail(
    app: Flask, database: Database, what: str
) -> None:
    receiver, expected = ANSWERS[what]
    enqueue(app)

    assert run(app, receiver()) == 0

    assert state(database) == expected


@pytest.mark.parametrize("answer", DATA)
def test_a_message_that_is_refused_for_good_ends(app: Flask, database: Database, answer: str) -> None:
    receiver = Receiver()
    receiver.answer = answer
    enqueue(app)

    run(app, receiver)

    assert state(database) == DATA[answer]


@pytest.mark.parametrize("address", ["nobody", "=?utf-8?q?eve?=@example.org", "a b@example.org", "@x", "a@"])
def test_an_address_that_no_header_can_hold_ends_the_mail(
    app: Flask, database: Database, address: str
) -> None:
    enqueue(app, recipient=address)

    run(app, Receiver())

    assert state(database) == ENDED


def test_letters_that_the_server_no_longer_takes_end_the_mail(app: Flask, database: Database) -> None:
    enqueue(app, recipient="josé@example.org")

    run(app, Receiver(), enable_SMTPUTF8=False)

    assert state(database) == ENDED


def test_a_server_without_a_sign_in_is_for_an_operator_to_mend(
    app: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(app)
    monkeypatch.setattr(SmtpTransport, "_authenticate", lambda _, server: server.login("u", "p"))

    run(app, Receiver(), auth_exclude_mechanism=["LOGIN", "PLAIN"])

    assert state(database) == TRIED_AGAIN


def test_a_mail_that_can_not_be_made_yet_is_tried_again(app: Flask, database: Database) -> None:
    enqueue(app, MailKind.KEY_CREATED, name="half a mail")

    run(app, Receiver())

    assert state(database) == TRIED_AGAIN


def test_a_server_that_never_comes_back_ends_it_after_a_week(
    app: Flask, database: Database, clock: Clock
) -> None:
    enqueue(app)
    began, attempts = clock.now(), 0
    while state(database) == TRIED_AGAIN:
        run_into_nothing(app)
        attempts += 1
        clock.forward(seconds=outbox.pause_after(attempts).total_seconds() + 1)
        assert attempts < 100
    assert attempts == outbox.MOST_ATTEMPTS
    assert timedelta(days=6.5) < clock.now() - began < timedelta(days=8)


def test_a_refused_mail_says_nothing_any_more_and_goes_nowhere_again(
    app: Flask, database: Database, clock: Clock
) -> None:
    enqueue(app, MailKind.EMAIL_CHANGED, email="marker-of-this-mail@example.org")
    run(app, Refusing(recipient="550 no"))
    clock.forward(days=1)
    late = Receiver()

    assert run(app, late) == 0

    assert late.messages == []
    assert "marker-of-this-mail" not in database.dump()


def refused(app: Flask, account_id: int) -> OutboxMail | None:
    with app.app_context():
        return find_refused(account_id)


class TestWhoIsTold:
    def test_the_record_says_it_without_an_address(self, app: Flask, cast: Cast, database: Database) -> None:
        enqueue(app, account_id=cast.alice.account_id, recipient=cast.alice.email)

        run(app, Refusing(recipient=f"550 5.1.1 no {cast.alice.email} here"))

        with app.app_context():
            [event] = audit.list_events(action=Action.MAIL_REFUSED)
            assert event.account_id == cast.alice.account_id
            assert event.details == {"mail": "account-removed", "answer": 550, "attempts": 1}

    def test_the_account_says_it_until_a_mail_comes_through(
        self, app: Flask, cast: Cast, clock: Clock
    ) -> None:
        alice = cast.alice.account_id
        assert refused(app, alice) is None
        enqueue(app, account_id=alice, recipient=cast.alice.email)
        run(app, Refusing(recipient="550 5.1.1 no such user"))

        found = refused(app, alice)
        assert found
        assert "550" in (found.last_error or "")
        assert refused(app, cast.bob.account_id) is None

        clock.forward(minutes=1)
        enqueue(app, account_id=alice, recipient=cast.alice.email)
        run_into_nothing(app)
        assert refused(app, alice), "one that waits says nothing"
        clock.forward(minutes=2)
        assert run(app, Receiver()) == 1
        assert refused(app, alice) is None

    def test_it_is_about_the_address_that_the_account_has(self, app: Flask, cast: Cast) -> None:
        enqueue(app, account_id=cast.alice.account_id, recipient="alice-before@example.org")

        run(app, Refusing(recipient="550 5.1.1 no such user"))

        assert refused(app, cast.alice.account_id) is None

    def test_what_was_ended_by_the_owner_says_nothing_of_the_address(
        self, app: Flask, cast: Cast, clock: Clock
    ) -> None:
        alice = cast.alice
        enqueue(app, account_id=alice.account_id, recipient=alice.email)
        run(app, Refusing(recipient="550 5.1.1 no such user"))
        clock.forward(minutes=1)
        with app.app_context():
            change_account(alice.actor, email="new@example.org", current_password=alice.password)
            email_change.cancel_email(alice.actor)

        assert refused(app, alice.account_id)

    def test_a_new_address_that_refuses_is_told_where_it_waits(self, app: Flask, cast: Cast) -> None:
        with app.app_context():
            change_account(cast.alice.actor, email="new@example.org", current_password=cast.alice.password)

        run(app, Refusing(recipient="550 5.1.1 no such user"))

        with app.app_context():
            pending = pending_mail.find_email(cast.alice.account_id)
            assert pending
            assert pending.refused

    def test_the_pages_say_so(self, app: Flask, cast: Cast, new_client: Any) -> None:
        enqueue(app, account_id=cast.alice.account_id, recipient=cast.alice.email)
        run(app, Refusing(recipient="550 5.1.1 no such user"))
        alice, sue = new_client(), new_client()
        cast.alice.sign_in(alice)
        cast.sue.sign_in(sue)

        for client, path in (
            (alice, "/account/profile"),
            (sue, f"/admin/accounts/{cast.alice.account_id}"),
        ):
            assert "550 5.1.1 no such user" in client.page(path).text
        assert "Email not delivered" in alice.page("/account/activity").text
        assert "answer 550" in sue.page("/admin/audit-log?action=mail:refused").text
        assert "550" not in sue.page("/account/profile").text

    def test_the_figures_count_them(self, app: Flask, cast: Cast, client: Any, make_key: Any) -> None:
        scraper = make_key(cast.sue, level=6)
        enqueue(app)
        run(app, Refusing(recipient="550 5.1.1 no such user"))

        assert "chatelaine_outbox_refused 2.0\n" in client.get("/metrics", headers=scraper.headers).text


class TestForgottenSignUps:
    """A sign-up that came to nothing leaves nothing, whatever its mail does."""

    @pytest.mark.parametrize("address", ["carol@example.org", "carol@corp.local", "josé@example.org"])
    def test_one_whose_mail_never_goes_out(
        self, app: Flask, cast: Cast, database: Database, clock: Clock, address: str
    ) -> None:
        with app.app_context():
            signup.request_sign_up(Actor.system(), address, "en")
        for _ in range(60):
            run_into_nothing(app)
            clock.forward(hours=7)

        assert self.accounts(database) == [(1,)], "no second one"
        self.is_forgotten(database, address)

    def test_one_whose_mail_is_being_sent_while_it_is_forgotten(
        self, app: Flask, cast: Cast, database: Database, clock: Clock
    ) -> None:
        with app.app_context():
            signup.request_sign_up(Actor.system(), "carol@example.org", "en")
        run_into_nothing(app)
        clock.forward(days=8)
        with app.app_context():
            claim = outbox.claim_next()
            assert claim
            removal.forget_unconfirmed()
            assert outbox.prepare(claim, signup.prepare_sign_up_mail) is None
        clock.forward(hours=2)
        run_into_nothing(app)

        assert self.accounts(database) == [(1,)]
        self.is_forgotten(database, "carol@example.org")

    @pytest.mark.postgresql_only(reason="SQLite lets nobody write while a mail is prepared")
    def test_one_that_is_forgotten_in_the_middle_of_an_attempt(
        self, app: Flask, cast: Cast, database: Database, clock: Clock
    ) -> None:
        with app.app_context():
            signup.request_sign_up(Actor.system(), "carol@example.org", "en")
        run_into_nothing(app)
        clock.forward(days=8)

        def forget_first(session: Any, mail: OutboxMail) -> outbox.MailContent | None:
            with ThreadPoolExecutor(1) as other:
                other.submit(forget).result()
            return signup.prepare_sign_up_mail(session, mail)

        def forget() -> None:
            with app.app_context():
                removal.forget_unconfirmed()

        with app.app_context():
            claim = outbox.claim_next()
            assert claim
            assert outbox.prepare(claim, forget_first) is None

        assert self.accounts(database) == [(1,)]
        assert database.execute("SELECT count(*) FROM accounts WHERE email = 'carol@example.org'") == [(0,)]

    def test_one_whose_address_refuses_may_be_tried_once_more(
        self, app: Flask, cast: Cast, database: Database, clock: Clock
    ) -> None:
        with app.app_context():
            signup.request_sign_up(Actor.system(), "carol@example.org", "en")
        run(app, Refusing(recipient="550 5.1.1 not yet"))
        clock.forward(minutes=5)
        with app.app_context():
            signup.request_sign_up(Actor.system(), "carol@example.org", "en")
        receiver = Receiver()
        assert run(app, receiver) == 1
        assert receiver.recipients == ["carol@example.org"]

    def test_a_farewell_that_never_goes_out(
        self, app: Flask, cast: Cast, database: Database, clock: Clock
    ) -> None:
        from portal.services.accounts.removal import remove_account

        with app.app_context():
            recovery.request_reset(Actor.system(), cast.bob.email)
            remove_account(cast.bob.actor, cast.bob.password)
        for _ in range(60):
            run_into_nothing(app)
            clock.forward(hours=7)

        self.is_forgotten(database, cast.bob.email)

    @staticmethod
    def accounts(database: Database) -> list[Any]:
        return database.execute("SELECT count(*) FROM accounts WHERE username LIKE 'removed:%'")

    @staticmethod
    def is_forgotten(database: Database, address: str) -> None:
        assert address not in database.dump()
        assert database.execute("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(0,)]


def test_files_that_can_not_be_written_are_tried_again(app: Flask, database: Database, tmp_path: Any) -> None:
    (tmp_path / "mail").write_text("a file where the folder should be")
    enqueue(app)

    jobs.run_once(app, FileTransport(tmp_path / "mail"))

    assert state(database) == TRIED_AGAIN
