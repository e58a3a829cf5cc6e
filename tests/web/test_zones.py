"""Times in the reader's own zone: a key that is to end on 31 December says so everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from portal.web import filters, zones
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database

NOON = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
ENDS = {
    "UTC": "2026-12-31T23:59:59",
    "Europe/Berlin": "2026-12-31T22:59:59",
    "America/Los_Angeles": "2027-01-01T07:59:59",
    "Pacific/Kiritimati": "2026-12-31T09:59:59",
    "Asia/Kathmandu": "2026-12-31T18:14:59",
}
no_database = pytest.mark.sqlite_only(reason="no database is asked")


@pytest.fixture
def alice(client: PageChecker, cast: Cast, clock: Clock) -> PageChecker:
    """Alice, signed in, on a day in November."""
    clock.to(NOON)
    cast.alice.sign_in(client)
    return client


def text_of(page: BeautifulSoup) -> str:
    return " ".join(page.get_text(" ", strip=True).split())


def create_until(client: PageChecker, day: str) -> int:
    """Create a key that ends on this day; return the status of the answer."""
    with client.expecting_secret():
        fields = {"name": "Deploy bot", "level": "1", "expires": "date", "expires_on": day}
        return client.submit("/account/keys/new", fields).status_code


@pytest.mark.parametrize("zone", ENDS)
def test_a_key_works_through_the_day_that_its_owner_chose(
    alice: PageChecker, database: Database, zone: str
) -> None:
    alice.set_cookie(zones.COOKIE, zone)

    assert create_until(alice, "2026-12-31") == 200

    [(expires_at, key_id)] = database.execute("SELECT expires_at, id FROM api_keys")
    assert datetime.fromtimestamp(expires_at / 1000, UTC) == datetime.fromisoformat(f"{ENDS[zone]}Z")
    listed = str(alice.page("/account/keys"))
    assert "31 Dec 2026, 23:59:59" in listed
    assert "1 Jan" not in text_of(alice.page("/account/keys"))
    detail = str(alice.page(f"/account/keys/{UUID(str(key_id))}"))
    assert "31 Dec 2026, 23:59:59" in detail
    assert f"{ENDS[zone][-8:]} UTC" in detail


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati"])
def test_the_days_that_can_be_chosen_are_those_of_the_owner(alice: PageChecker, zone: str) -> None:
    alice.set_cookie(zones.COOKIE, zone)
    today = NOON.astimezone(ZoneInfo(zone)).date()

    assert create_until(alice, today.isoformat()) == 422
    assert create_until(alice, today.replace(year=today.year + 1).isoformat()) == 200
    last = today.replace(year=today.year + 1, day=today.day + 1)
    assert create_until(alice, last.isoformat()) == 422


def test_a_last_day_never_makes_a_key_live_longer_than_a_year(alice: PageChecker, database: Database) -> None:
    alice.set_cookie(zones.COOKIE, "Pacific/Kiritimati")

    assert create_until(alice, "2027-11-28") == 200

    [(life,)] = database.execute("SELECT expires_at - created_at FROM api_keys")
    assert life <= 365 * 86_400_000


def test_the_foot_names_the_zone(client: PageChecker) -> None:
    assert "All times in UTC" in text_of(client.page("/signin"))
    client.set_cookie(zones.COOKIE, "America/New_York")
    assert "All times in America/New York" in text_of(client.page("/signin"))


@no_database
@pytest.mark.parametrize(
    "name",
    ["", "Europe", "Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "localtime", "posix/Europe/Berlin",
     "right/Europe/Berlin", "Europe/../Europe/Berlin", "Europe/Berlin\n", "<b>", "A" * 65, "Ünïcode/Zone",
     "US", "posixrules", "tzdata.zi", "Factory"],
)  # fmt: skip
def test_what_is_no_zone_is_as_good_as_none(app: Flask, name: str) -> None:
    assert zones.find_zone(name) in (None, UTC)
    with app.test_request_context(headers={"Cookie": f"zone={name.strip()}".encode("latin-1", "replace")}):
        assert filters.exact(NOON) == "27 Nov 2026, 12:00:00 UTC"
        assert zones.zone_name() == "UTC"


@no_database
def test_utc_stands_beside_the_readers_own_time(app: Flask) -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    with app.test_request_context(headers={"Cookie": "zone=Europe/Berlin"}):
        assert filters.exact(NOON) == "27 Nov 2026, 13:00:00 (12:00:00 UTC)"
        assert filters.exact(late) == "1 Jan 2027, 00:30:00 (31 Dec 2026, 23:30:00 UTC)"
        assert filters.day(late) == "1 Jan 2027"
        assert filters.at(late) == "1 Jan 2027, 00:30"
        assert filters.day(date(2026, 12, 31)) == "31 Dec 2026", "a day has no zone"
    with app.app_context():
        assert filters.exact(late) == "31 Dec 2026, 23:30:00 UTC", "jobs and mails have no reader"


@no_database
@pytest.mark.parametrize(
    ("zone", "day", "begins", "ends"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00", "2026-03-29T21:59:59"),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00", "2026-10-25T22:59:59"),
        ("America/Los_Angeles", "2026-11-01", "2026-11-01T07:00:00", "2026-11-02T07:59:59"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00", "2026-04-24T20:59:59"),
        ("Africa/Cairo", "2026-04-23", "2026-04-22T22:00:00", "2026-04-23T21:59:59"),
        ("Africa/Cairo", "2026-10-29", "2026-10-28T21:00:00", "2026-10-29T21:59:59"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00:00", "2026-11-02T04:59:59"),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30:00", "2026-10-04T12:59:59"),
    ],
)
def test_a_day_is_as_long_as_clocks_make_it(zone: str, day: str, begins: str, ends: str) -> None:
    place, chosen = ZoneInfo(zone), date.fromisoformat(day)

    assert zones.first_moment(chosen, place) == datetime.fromisoformat(f"{begins}Z")
    assert zones.last_second(chosen, place) == datetime.fromisoformat(f"{ends}Z")
