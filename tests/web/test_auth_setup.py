"""The first admin, by the link that the server prints."""

from __future__ import annotations

import pytest

from portal.services import signup
from tests.support.cast import make_person
from tests.support.pages import parse

FIELDS = {"email": "ada@example.org", "password": "lantern gravel otter sixty", "consent": "1"}


@pytest.fixture
def path(app):
    with app.app_context():
        link = signup.first_admin_link()
    assert link
    return "/" + link.split("/", 3)[3]


def test_the_first_admin_is_made_and_signed_in(client, path, database):
    answer = client.submit(path, FIELDS)
    assert (answer.status_code, answer.location) == (303, "/account/keys")
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


def test_the_link_is_void_once_there_is_an_account(app, client, path):
    page = client.page(path)
    token = page.select_one("main input[name=csrf_token]")["value"]
    make_person(app, "ada")
    answer = client.post(path, data={**FIELDS, "email": "eve@example.org", "csrf_token": token})
    assert answer.status_code == 410


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"email": "ada"}, "No mail can be sent"),
        ({"email": ""}, "The mail address is missing"),
        ({"password": "ada@example.org!"}, "mostly your name"),
        ({"consent": "0"}, "Choose one of the two"),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(client, path, change, sentence):
    answer = client.submit(path, {**FIELDS, **change})
    assert answer.status_code == 422
    assert sentence in answer.text
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
