"""Consent is given, changed and withdrawn by its owner alone."""

from __future__ import annotations

import pytest

PAGE = "/account/consent"


@pytest.fixture
def alice(client, cast):
    cast.alice.sign_in(client)
    return client


def checked(page):
    return [option["value"] for option in page.select("input[name=consent][checked]")]


def test_consent_is_changed(alice):
    assert checked(alice.page(PAGE)) == ["1"]
    answer = alice.submit(PAGE, {"consent": "2"})
    assert (answer.status_code, answer.location) == (303, PAGE)
    page = alice.page(PAGE)
    assert checked(page) == ["2"]
    assert "version 2026-11" in page.text


def test_withdrawing_revokes_every_key_for_good(alice, cast, make_key, database, mailbox):
    make_key(cast.alice)
    make_key(cast.alice, name="nightly")
    page = alice.page(f"{PAGE}/withdraw")
    assert "2 live keys are revoked, immediately and permanently" in page.text
    answer = alice.submit(f"{PAGE}/withdraw")
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert database.execute("SELECT DISTINCT revoked_reason FROM api_keys") == [("consent-withdrawn",)]
    assert mailbox.last(to=cast.alice.email).subject == "You withdrew your consent"


def test_without_consent_nothing_else_is_open_until_it_is_given_again(alice, cast, make_key):
    key = make_key(cast.alice)
    alice.submit(f"{PAGE}/withdraw")
    for path in ("/account/keys", "/account/keys/new", "/account/profile", "/account/activity"):
        assert alice.get(path).location == PAGE, path
    page = alice.page(PAGE)
    assert checked(page) == []
    assert page.select_one("main .button.bad-edge") is None
    answer = alice.submit(PAGE, {"consent": "1"})
    assert answer.location == "/account"
    assert "Revoked" in alice.page(f"/account/keys/{key.id}").select_one("main .state-word").text


def test_no_choice_is_told(alice):
    alice.submit(f"{PAGE}/withdraw")
    answer = alice.submit(PAGE)
    assert answer.status_code == 422
    assert "Choose one of the two" in answer.text


def test_a_choice_that_is_not_there_is_refused_and_withdraws_nothing(alice, database, cast):
    token = alice.page(PAGE).select_one("main input[name=csrf_token]")["value"]
    for value in ("0", "3", "-1", "x", ""):
        assert alice.post(PAGE, data={"consent": value, "csrf_token": token}).status_code == 422
    assert database.execute("SELECT consent FROM accounts WHERE id = :id", id=cast.alice.account_id) == [(1,)]


def test_looking_at_the_page_of_withdrawal_withdraws_nothing(alice, make_key, cast, database):
    make_key(cast.alice)
    alice.page(f"{PAGE}/withdraw")
    alice.head(f"{PAGE}/withdraw")
    assert database.execute("SELECT revoked_at FROM api_keys") == [(None,)]


def test_there_is_nothing_to_withdraw_twice(alice):
    alice.submit(f"{PAGE}/withdraw")
    assert alice.get(f"{PAGE}/withdraw").location == PAGE
