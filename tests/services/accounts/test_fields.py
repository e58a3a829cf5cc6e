"""What is accepted as an address can be written to (row 81): at the form, and by real mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from portal import jobs
from portal.permissions import Role
from portal.services.accounts import fields, recovery, signup
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.core.emails import clean_email, email_key
from portal.services.core.errors import InvalidInput
from portal.transports import create_transport
from tests.conftest import MakeApp
from tests.support.cast import Cast
from tests.support.outbox import Receiver, mail_server
from tests.support.ports import free_port

PASSWORD = "lantern gravel otter sixty"
SHELL = Actor.command_line()
EVERYWHERE = [
    "admin@corp.local",
    "admin@localhost",
    "admin@test",
    "admin@keys.test",
    "admin@nas.home.arpa",
    "admin@mail.internal",
    "o'neil+keys%x@example.org",
    "a=?b@example.org",
    "user@bücher.local",
]
UTF8_ONLY = ["josé@example.org", "почта@почта.рф", "josé@bücher.example", "用户@corp.local"]
NOWHERE = [
    "admin@mail.invalid",
    "=?utf-8?q?eve?=@example.org",
    "=?iso-8859-1?B?ZXZl?=@corp.local",
    "x=?utf-8?q?eve?=@example.org",
    "admin@corp.local\r\nBcc: eve@example.org",
    "admin@cor_p.local",
    "admin@",
    "\u202eadmin@corp.local",
    "ad\u200dmin@localhost",
]


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    fields._known.clear()
    yield
    fields._known.clear()


@pytest.fixture
def served(make_app: MakeApp) -> Iterator[Callable[..., tuple[Flask, Receiver]]]:
    """A portal and its mail server: ``served(utf8=True)``."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(*, utf8: bool) -> tuple[Flask, Receiver]:
            receiver = Receiver()
            port = stack.enter_context(mail_server(receiver, enable_SMTPUTF8=utf8))
            return make_app(PORTAL_MAIL_URL=f"smtp://127.0.0.1:{port}"), receiver

        yield start


def ask(app: Flask, address: str) -> str:
    with app.app_context():
        return signup.request_sign_up(Actor.system(), address, "en")


def send(app: Flask) -> int:
    return jobs.run_once(app, create_transport(app.config["PORTAL"]))


@pytest.mark.parametrize("address", EVERYWHERE)
def test_private_and_plain_addresses_get_their_mail_from_any_server(
    served: Any, cast: Cast, address: str
) -> None:
    app, receiver = served(utf8=False)

    ask(app, address)

    assert send(app) == 1
    assert [clean_email(each) for each in receiver.recipients] == [clean_email(address)]
    assert str(receiver.messages[0]["To"]) == receiver.recipients[0]


@pytest.mark.parametrize("address", UTF8_ONLY)
def test_letters_of_other_scripts_go_where_the_server_takes_them(
    served: Any, cast: Cast, address: str
) -> None:
    app, receiver = served(utf8=True)

    ask(app, address)

    assert send(app) == 1
    [recipient] = receiver.recipients
    assert email_key(recipient) == email_key(address)
    assert f"To: {recipient}\r\n".encode() in receiver.raw[0]
    assert "/confirm/" in receiver.messages[0].get_body(("plain",)).get_content()


@pytest.mark.parametrize("address", UTF8_ONLY)
def test_and_are_refused_at_the_form_where_it_does_not(served: Any, cast: Cast, address: str) -> None:
    app, receiver = served(utf8=False)

    with pytest.raises(InvalidInput, match="emailUnreachable"):
        ask(app, address)

    assert send(app) == 0
    assert receiver.messages == []


@pytest.mark.parametrize("address", NOWHERE)
def test_what_no_mail_can_reach_is_no_address(app: Flask, cast: Cast, address: str) -> None:
    with pytest.raises(InvalidInput, match="emailInvalid"):
        ask(app, address)


DOORS: dict[str, Callable[[Cast, str], object]] = {
    "sign-up": lambda _, address: signup.request_sign_up(Actor.system(), address, "en"),
    "email": lambda cast, address: change_account(
        cast.alice.actor, email=address, current_password=cast.alice.password
    ),
    "reset": lambda _, address: recovery.request_reset(Actor.system(), address),
    "command line": lambda _, address: signup.create_account(
        SHELL, address, role=Role.USER, password=PASSWORD
    ),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("utf8", "accepted"), [(True, True), (False, False)])
def test_every_door_asks_the_same(served: Any, cast: Cast, door: str, utf8: bool, accepted: bool) -> None:
    app, _ = served(utf8=utf8)
    with app.app_context():
        if accepted:
            DOORS[door](cast, "josé@example.org")
            return
        with pytest.raises(InvalidInput, match="emailUnreachable"):
            DOORS[door](cast, "josé@example.org")


def test_a_server_that_can_not_be_asked_promises_nothing(make_app: MakeApp, cast: Cast) -> None:
    app = make_app(PORTAL_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")

    with pytest.raises(InvalidInput, match="emailUnreachable"):
        ask(app, "josé@example.org")
    ask(app, "jose@example.org")


def test_the_server_is_asked_once_in_a_while_and_for_such_letters_only(
    served: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, receiver = served(utf8=True)
    now = [1000.0]
    monkeypatch.setattr(fields, "monotonic", lambda: now[0])

    for number in range(5):
        ask(app, f"plain{number}@bücher.example")
    assert receiver.greetings == 0
    for number in range(5):
        ask(app, f"josé{number}@example.org")
    assert receiver.greetings == 1
    now[0] += fields.KNOWN_FOR + 1
    ask(app, "josé@example.org")
    assert receiver.greetings == 2


def test_files_take_every_letter(app: Flask, cast: Cast, mailbox: Any) -> None:
    ask(app, "josé@example.org")

    assert mailbox.last().link("/confirm/")
    assert "To: josé@example.org\n".encode() in next(mailbox.folder.glob("*.eml")).read_bytes()
