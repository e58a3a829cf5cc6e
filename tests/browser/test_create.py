"""A key is created, stored and called in a browser: in its owner's time zone, and Back is safe."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from portal.app import create_app
from tests.conftest import close_app
from tests.support.browser import Visit, visit
from tests.support.cast import Person, make_person
from tests.support.server import Server
from tests.support.settings import settings_for

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.sqlite_only(reason="what a page does in a browser does not depend on the database"),
]


@pytest.fixture
def person(server: Server) -> Iterator[Person]:
    """Kim, who has an account."""
    app = create_app(settings_for(server.database.url, server.instance))
    yield make_person(app, "kim")
    close_app(app)


def sign_in(window: Visit, person: Person) -> Page:
    page = window.open("/signin")
    page.locator("[name=username]").fill(person.email)
    page.locator("[name=password]").fill(person.password)
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_url("**/account**")
    return page


def call(server: Server, page: Page) -> int:
    """Use the key of the page, as curl would."""
    pair = f"{page.locator('#key').inner_text()}:{page.locator('#secret').input_value()}"
    basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    with urllib.request.urlopen(
        urllib.request.Request(f"{server.url}/api/whoami/key", headers=basic)
    ) as answer:
        return int(answer.status)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_link_a_click_and_a_call(
    chromium: Browser, server: Server, person: Person, javascript: bool
) -> None:
    with visit(chromium, server.url, width=1280, scheme="light", javascript=javascript) as window:
        page = sign_in(window, person)
        page.goto("/account/keys/new?name=Deploy+bot&level=3&expires=90")
        page.locator(".restrictions summary").first.click()
        page.locator("[name=mine]").click()
        expect(page.locator("[name=networks]")).to_have_value("127.0.0.1")
        if javascript:
            expect(page.locator("#told")).to_contain_text("A key named Deploy bot")
            expect(page.locator("#told")).to_contain_text("only from 127.0.0.1")
        page.locator(".create-side button").click()
        expect(page.locator("h1")).to_have_text("Store the secret of Deploy bot")
        assert call(server, page) == 200
        if javascript:
            expect(page.locator(".first-call .works")).to_contain_text("It works", timeout=20_000)
            page.locator("#stored").check()
        else:
            with window.context.expect_page() as opened:
                page.get_by_role("link", name="Check now").click()
            expect(opened.value.locator("h1")).to_contain_text("Deploy bot")
            expect(page.locator("#secret")).to_have_value(page.locator("#secret").input_value())


def test_back_after_the_secret_leads_to_the_key_and_shows_no_secret(
    chromium: Browser, server: Server, person: Person
) -> None:
    with visit(chromium, server.url, width=1280, scheme="light", javascript=True) as window:
        page = sign_in(window, person)
        page.goto("/account/keys/new?name=Deploy+bot&level=1")
        page.locator(".create-side button").click()
        secret = page.locator("#secret").input_value()
        page.locator("#stored").check()
        page.get_by_role("link", name="Done").click()
        page.wait_for_url("**/account/keys")

        page.go_back()

        expect(page.locator("h1")).to_contain_text("Deploy bot")
        assert secret not in page.content()
        page.reload()
        assert secret not in page.content()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_day_that_is_chosen_is_the_day_of_whoever_chose_it(
    chromium: Browser, server: Server, person: Person, zone: str
) -> None:
    day = (datetime.now(ZoneInfo(zone)) + timedelta(days=40)).date()
    end = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    context = chromium.new_context(base_url=server.url, timezone_id=zone, locale="en-GB")
    page = context.new_page()
    sign_in(Visit(context, page, 1280, "light", True), person)
    page.goto("/account/keys/new?name=Deploy+bot&level=1")
    expect(page.locator(".foot")).to_contain_text(f"All times in {zone.replace('_', ' ')}")
    page.locator("[name=expires][value=date]").check(force=True)
    page.locator("[name=expires_on]").fill(day.isoformat())
    expect(page.locator("#told")).to_contain_text(f"{day:%-d %b %Y}")
    page.locator(".create-side button").click()

    until = page.locator(".facts time").first
    expect(until).to_have_text(f"{day:%-d %b %Y}, 23:59")
    expect(until).to_have_attribute("datetime", f"{end:%Y-%m-%dT%H:%M:%SZ}")
    context.close()
