"""The front page, and what stands around every page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.web import filters


def test_the_front_page_says_what_this_is_and_how_to_begin(client):
    page = client.page("/")
    assert "keys" in page.h1.text
    targets = {link["href"] for link in page.select("main a.button")}
    assert {"/signup", "/signin"} <= targets


def test_whoever_is_signed_in_is_led_to_the_overview(client, cast):
    cast.alice.sign_in(client)
    answer = client.get("/")
    assert (answer.status_code, answer.location) == (302, "/account")


def test_password_managers_find_the_page_for_a_change(client, cast):
    assert client.get("/.well-known/change-password").location == "/account/security"
    cast.alice.sign_in(client)
    answer = client.get("/.well-known/change-password", follow_redirects=True)
    assert answer.status_code == 200


def test_an_unknown_well_known_page_is_not_there(client):
    path = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert client.get(path).status_code == 404


def test_a_slash_at_the_end_leads_on_to_the_overview(client, cast):
    cast.alice.sign_in(client)
    answer = client.get("/account/")
    assert (answer.status_code, answer.location) == (308, "/account")
    assert client.page("/account").h1.text.strip() == "Overview"


CLOSED = [
    "/account",
    "/account/profile",
    "/account/profile/email",
    "/account/security",
    "/account/security/lock",
    "/account/security/remove",
    "/account/consent",
    "/account/consent/withdraw",
    "/account/activity",
]


def test_the_pages_of_an_account_ask_strangers_to_sign_in(client):
    for path in CLOSED:
        answer = client.get(path)
        assert (answer.status_code, answer.location) == (302, f"/signin?next={path}")


def test_pages_are_read_without_being_changed(client, cast, database, clock):
    clock.stop()
    cast.alice.sign_in(client)
    before = database.rows()
    for path in CLOSED:
        client.page(path)
    assert database.rows() == before


def test_a_page_says_the_language_that_it_is_written_in(client):
    page = client.page("/", headers={"Accept-Language": "de"})
    assert page.html["lang"] == "en-GB"
    assert "Sign in" in page.text


NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


WORDS = [
    (timedelta(seconds=-5), "just now"),
    (timedelta(seconds=5), "in a moment"),
    (timedelta(minutes=-3), "3 minutes ago"),
    (timedelta(minutes=-90), "90 minutes ago"),
    (timedelta(hours=-30), "30 hours ago"),
    (timedelta(days=12), "in 12 days"),
    (timedelta(days=365), "in 12 months"),
]


@pytest.mark.sqlite_only(reason="no database is asked")
def test_times_are_told_in_words(app, clock):
    clock.to(NOON)
    with app.test_request_context():
        for delta, words in WORDS:
            assert filters.ago(NOON + delta) == words


@pytest.mark.sqlite_only(reason="no database is asked")
def test_times_are_told_exactly_in_utc(app):
    with app.test_request_context():
        assert filters.exact(NOON) == "23 Nov 2026, 12:00:00 UTC"
        assert filters.day(NOON) == "23 Nov 2026"
        assert filters.day(date(2026, 11, 23)) == "23 Nov 2026"
        nepal = NOON.astimezone(ZoneInfo("Asia/Kathmandu"))
        assert filters.exact(nepal) == "23 Nov 2026, 12:00:00 UTC"
