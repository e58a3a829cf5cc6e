"""The form of a new key: a link fills it in, and one's own address is added, without anything created."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bs4 import BeautifulSoup, Tag

from tests.support import pages
from tests.support.cast import Cast
from tests.support.client import PageChecker, find_form, form_values
from tests.support.clock import Clock
from tests.support.databases import Database

NEW = "/account/keys/new"
pytestmark = pytest.mark.sqlite_only(reason="what a form shows has nothing to do with the database")


@pytest.fixture
def alice(client: PageChecker, cast: Cast, clock: Clock) -> PageChecker:
    """Alice, signed in, on a day in November."""
    clock.to(datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC))
    cast.alice.sign_in(client)
    return client


def text_of(page: BeautifulSoup | Tag) -> str:
    return " ".join(page.get_text(" ", strip=True).split())


@pytest.mark.parametrize(
    ("query", "filled"),
    [
        ("name=Deploy+bot&level=3&expires=90", {"name": "Deploy bot", "level": "3", "expires": "90"}),
        ("expires=14", {"expires": "date", "expires_on": "2026-12-11"}),
        ("expires=2026-12-31", {"expires": "date", "expires_on": "2026-12-31"}),
        ("expires=365", {"expires": "365"}),
        ("level=0", {"level": "0"}),
        ("", {"name": "", "expires": "30"}),
    ],
)
def test_a_link_fills_in_the_form(
    alice: PageChecker, database: Database, query: str, filled: dict[str, str]
) -> None:
    page = alice.page(f"{NEW}?{query}")

    values = form_values(find_form(page))
    assert filled.items() <= values.items()
    assert not page.select("main .alert")
    assert database.execute("SELECT count(*) FROM api_keys") == [(0,)], "a link creates nothing"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("level=9", "You can't grant the level"),
        ("level=-1", "You can't grant the level"),
        ("level=%D9%A3", "You can't grant the level"),
        ("expires=0", "can't end when the link says"),
        ("expires=366", "can't end when the link says"),
        ("expires=99999999999999999999", "can't end when the link says"),
        ("expires=2026-11-27", "can't end when the link says"),
        ("expires=2027-11-28", "can't end when the link says"),
        ("expires=soon", "can't end when the link says"),
        ("expires=date", "can't end when the link says"),
        ("name=" + "x" * 101, "name is too long"),
        ("name=a%E2%80%AEb", "characters that can't be kept"),
    ],
)
def test_what_a_link_can_not_ask_for_is_left_out_and_told(alice: PageChecker, query: str, told: str) -> None:
    page = alice.page(f"{NEW}?{query}")

    values = form_values(find_form(page))
    [alert] = page.select("main .alert")
    assert told in text_of(alert)
    assert (values["name"], values["expires"], values["expires_on"]) == ("", "30", "")
    assert "level" not in values


def test_a_link_of_somebody_else_leads_through_the_sign_in(client: PageChecker) -> None:
    answer = client.get(f"{NEW}?name=CI&level=2")

    assert answer.headers["Location"].endswith("/signin?next=/account/keys/new?name%3DCI%26level%3D2")


def test_ones_own_address_is_added_without_scripts_and_nothing_is_lost(
    alice: PageChecker, database: Database
) -> None:
    form = find_form(alice.page(NEW))
    assert form.select("button[type=submit]")[0].get_text(strip=True) == "Create key", "for the Enter key"
    data = {**form_values(form), "name": "Deploy bot", "level": "3", "networks": "192.0.2.0/24", "mine": "1"}

    answer = alice.post(NEW, data=data)

    page = pages.parse(answer)
    values = form_values(find_form(page))
    assert answer.status_code == 200
    assert values["networks"] == "192.0.2.0/24 127.0.0.1"
    assert (values["name"], values["level"]) == ("Deploy bot", "3")
    assert not page.select("main .alert, .error")
    assert database.execute("SELECT count(*) FROM api_keys") == [(0,)]

    with alice.expecting_secret():
        assert alice.post(NEW, data=values).status_code == 200
    assert database.execute("SELECT networks FROM api_keys") == [("192.0.2.0/24 127.0.0.1/32",)]


def test_the_cap_is_told_on_the_form(alice: PageChecker) -> None:
    assert "0 of 100 live keys" in text_of(alice.page(NEW))
