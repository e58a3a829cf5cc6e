"""The first admin, by the link that the server prints."""

from __future__ import annotations

import pytest

from portal.permissions import Role
from portal.services.accounts import signup
from tests.support.cast import make_person
from tests.support.pages import parse

FIELDS = {"email": "ada@example.org", "password": "lantern gravel otter sixty", "consent": "1"}


@pytest.fixture
def path(app):
    with app.app_context():
        link = signup.first_admin_link()
    assert link
    return "/" + link.split("/", 3)[3]


def test_no_account_is_there_before_the_first_one(client, database):
    assert database.execute("SELECT count(*) FROM accounts") == [(0,)]
    assert client.submit("/signin", {"username": "admin", "password": "admin"}).status_code == 422


def test_the_first_admin_is_made_and_signed_in(client, path, database):
    answer = client.submit(path, FIELDS)
    assert (answer.status_code, answer.location) == (303, "/account")
    assert "the first admin" in client.page("/account/keys").text
    assert database.execute("SELECT email, role, status, consent FROM accounts") == [
        ("ada@example.org", "admin", 1, 1)
    ]


def test_the_link_works_once(client, new_client, path):
    client.submit(path, FIELDS)
    new_client().page(path, status=410)


def test_the_link_works_for_a_day(client, path, clock):
    clock.forward(hours=25)
    client.page(path, status=410)


def test_the_link_stays_good_whoever_else_has_an_account(app, client, path, database):
    make_person(app, "bobby")
    make_person(app, "sue", Role.SUPPORT)
    assert client.submit(path, FIELDS).status_code == 303
    assert database.execute("SELECT email FROM accounts WHERE role = 'admin'") == [("ada@example.org",)]


def test_the_link_is_void_once_there_is_an_admin(app, client, path):
    page = client.page(path)
    token = page.select_one("main input[name=csrf_token]")["value"]
    make_person(app, "ada", Role.ADMIN)
    answer = client.post(path, data={**FIELDS, "email": "eve@example.org", "csrf_token": token})
    assert answer.status_code == 410
    client.page(path, status=410)


def test_each_start_has_a_link_until_there_is_an_admin(app, client, path):
    make_person(app, "bobby")
    with app.app_context():
        again = signup.first_admin_link()
    assert again
    assert client.submit("/" + again.split("/", 3)[3], FIELDS).status_code == 303
    client.page(path, status=410)
    with app.app_context():
        assert signup.first_admin_link() is None


def test_an_address_that_somebody_has_is_told_and_the_link_stays_good(app, client, path):
    make_person(app, "bobby")
    answer = client.submit(path, {**FIELDS, "email": "Bobby@example.org"})
    assert answer.status_code == 422
    assert "This email belongs to an account already" in parse(answer).select_one("#email-error").text
    assert client.submit(path, FIELDS).status_code == 303


def test_until_there_is_an_admin_nobody_can_sign_up(app, client, path, mailbox, database):
    person = make_person(app, "bobby")
    page = client.page("/signup", status=503)
    assert "This portal is being set up" in page.h1.text
    assert not page.select("main form")
    token = client.page("/signin").select_one("main input[name=csrf_token]")["value"]
    fields = {"email": "eve@example.org", "language": "en"}
    assert client.post("/signup", data={**fields, "csrf_token": token}).status_code == 503
    answer = client.post("/api/signup", json=fields)
    assert (answer.status_code, answer.json["error"]) == (503, "beingSetUp")
    assert mailbox.all() == []
    assert database.execute("SELECT count(*) FROM outbox") == [(0,)]
    person.sign_in(client)  # whom operators made works already
    client.post("/signout", data={"csrf_token": token})

    assert client.submit(path, FIELDS).status_code == 303
    assert client.post("/api/signup", json=fields).status_code == 201
    assert mailbox.last(to="eve@example.org").path("/confirm/")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"email": "ada"}, "This email isn't valid"),
        ({"email": ""}, "Enter your email"),
        ({"password": "ada@example.org!"}, "too close to your name"),
        ({"consent": "0"}, "Choose one of the two"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(client, path, change, sentence):
    answer = client.submit(path, {**FIELDS, **change})
    assert answer.status_code == 422
    assert sentence in parse(answer).get_text()
    assert FIELDS["password"] not in answer.text
    assert client.submit(path, FIELDS).status_code == 303


def test_opening_the_link_changes_nothing(client, path, database):
    before = database.rows()
    client.page(path)
    assert database.rows() == before


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_page(client, path):
    page = parse(client.submit(path, {"email": "ada", "password": "short"}))
    targets = [link["href"] for link in page.select("#errors a")]
    assert targets == ["#email", "#password", "#consent-0"]
