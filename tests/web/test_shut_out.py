"""Whoever can't get in is told why, by whom to ask, and what to do; strangers are told nothing."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import TestResponse

from portal.services.accounts import recovery
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.operators import actions
from tests.conftest import MakeApp, MakeKey
from tests.support import pages
from tests.support.cast import Cast, Person, make_cast
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

WHY = "Three of your keys sent spam."
CONTACT = "help@keys.example.org"


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(PORTAL_SUPPORT_CONTACT=CONTACT)


@pytest.fixture
def cast(app: Flask) -> Cast:
    return make_cast(app)


def enter(client: PageChecker, person: Person, password: str = "") -> TestResponse:
    return client.submit("/signin", {"username": person.email, "password": password or person.password})


def read(answer: TestResponse) -> str:
    page: BeautifulSoup = pages.parse(answer)
    return " ".join(page.select("main")[0].get_text(" ").split())


def block(app: Flask, cast: Cast) -> None:
    with app.app_context():
        actions.block(cast.sue.actor, cast.alice.account_id, why=WHY)


class TestBlocked:
    def test_the_owner_is_told_why_and_whom_to_ask(self, app: Flask, client: PageChecker, cast: Cast) -> None:
        block(app, cast)

        answer = enter(client, cast.alice)

        assert answer.status_code == 403
        assert "This account is blocked" in read(answer)
        assert WHY in read(answer)
        assert f'href="mailto:{CONTACT}"' in answer.text
        assert cast.sue.email not in answer.text

    def test_a_stranger_is_told_nothing(self, app: Flask, client: PageChecker, cast: Cast) -> None:
        block(app, cast)

        answer = enter(client, cast.alice, "wrong-harbour-17-x")

        assert answer.status_code == 422
        assert "blocked" not in answer.text
        assert WHY not in answer.text

    def test_the_wire_says_as_much_as_before(self, app: Flask, client: PageChecker, cast: Cast) -> None:
        block(app, cast)

        answer = client.post("/api/signin", json={"username": "alice", "password": cast.alice.password})

        assert answer.json is not None
        assert answer.json["error"] == "accountBlocked"
        assert WHY not in answer.text

    def test_a_block_past_the_portal_has_no_reason_of_an_older_one(
        self, app: Flask, client: PageChecker, cast: Cast, database: Database
    ) -> None:
        block(app, cast)
        with app.app_context():
            actions.unblock(cast.sue.actor, cast.alice.account_id, why="It was a mistake.")
        database.execute("UPDATE accounts SET status = -2 WHERE id = :id", id=cast.alice.account_id)

        answer = enter(client, cast.alice)

        assert "This account is blocked" in read(answer)
        assert WHY not in answer.text

    @pytest.mark.parametrize("keys", [0, 2])
    def test_it_is_mailed_with_the_reason_however_many_keys_there_were(
        self, app: Flask, cast: Cast, make_key: MakeKey, mailbox: Mailbox, keys: int
    ) -> None:
        for _ in range(keys):
            make_key(cast.alice)
        mailbox.clear()
        block(app, cast)

        [mail] = mailbox.all(to=cast.alice.email)

        assert mail.subject == "Your account is blocked"
        assert WHY in mail.text
        assert CONTACT in mail.text
        assert ("2 keys were revoked" in mail.text) == bool(keys)

    def test_an_email_that_was_never_confirmed_is_not_written_to(
        self, app: Flask, client: PageChecker, cast: Cast, database: Database
    ) -> None:
        database.execute("UPDATE accounts SET status = 0 WHERE id = :id", id=cast.alice.account_id)
        block(app, cast)

        assert database.execute("SELECT count(*) FROM outbox WHERE kind = 'account-blocked'") == [(0,)]


class TestLocked:
    def test_the_owner_is_told_how_to_open_the_account(
        self, app: Flask, client: PageChecker, cast: Cast, mailbox: Mailbox
    ) -> None:
        with app.app_context():
            recovery.lock(cast.alice.actor, cast.alice.password)
        mailbox.clear()

        answer = enter(client, cast.alice)

        assert answer.status_code == 403
        assert "This account is locked" in read(answer)
        assert "link" in read(answer)
        assert mailbox.last(to=cast.alice.email).path("/unlock/")


class TestWithoutConsent:
    def withdraw(self, app: Flask, cast: Cast) -> None:
        with app.app_context():
            change_account(cast.alice.actor, consent=0)

    def test_the_owner_is_led_to_what_is_missing(self, app: Flask, client: PageChecker, cast: Cast) -> None:
        self.withdraw(app, cast)

        assert enter(client, cast.alice).location == "/account"
        assert client.get("/account").location == "/account/consent"
        page = client.page("/account/consent")
        assert "Until you give it" in page.text

    @pytest.mark.parametrize("keys", [0, 1])
    def test_it_is_mailed_however_many_keys_there_were(
        self, app: Flask, cast: Cast, make_key: MakeKey, mailbox: Mailbox, keys: int
    ) -> None:
        for _ in range(keys):
            make_key(cast.alice)
        mailbox.clear()
        self.withdraw(app, cast)

        [mail] = mailbox.all(to=cast.alice.email)

        assert mail.subject == "You withdrew your consent"
        assert mail.path("/account/consent")
        assert ("1 key was revoked" in mail.text) == bool(keys)


def test_the_command_line_blocks_with_a_reason_too(app: Flask, client: PageChecker, cast: Cast) -> None:
    with app.app_context():
        actions.block(Actor.command_line(), cast.alice.account_id, why=WHY)

    assert WHY in read(enter(client, cast.alice))
