"""Back shows nothing of a session that has ended, although browsers bring pages back out of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from portal.app import create_app
from portal.services.auth import sessions
from tests.conftest import close_app
from tests.support.browser import launch_with_memory, visit
from tests.support.cast import Person, make_person
from tests.support.server import Server
from tests.support.settings import settings_for

pytestmark = pytest.mark.sqlite_only(reason="what a browser keeps has nothing to do with the database")


@dataclass
class Reader:
    """Somebody who is signed in and looks at the page of the own profile."""

    app: Flask
    person: Person
    page: Page


@pytest.fixture
def reader(chromium: Browser, server: Server) -> Iterator[Reader]:
    """Kim, with a browser that brings pages back, as those of people do."""
    app = create_app(settings_for(server.database.url, server.instance))
    person, browser = make_person(app, "kim"), launch_with_memory(chromium)
    try:
        with visit(browser, server.url, width=1280, scheme="light", javascript=True) as window:
            page = window.open("/signin")
            page.locator("[name=username]").fill(person.email)
            page.locator("[name=password]").fill(person.password)
            page.locator("main button[type=submit]").click()
            page.wait_for_url("**/account")
            page.goto("/account/profile")
            expect(page.locator("body")).to_contain_text(person.email)
            yield Reader(app, person, page)
    finally:
        browser.close()
        close_app(app)


@pytest.mark.parametrize("end", ["signed out", "ended elsewhere"])
def test_back_shows_no_page_of_a_session_that_has_ended(reader: Reader, end: str) -> None:
    page = reader.page
    page.evaluate("window.isTheSame = true")
    if end == "signed out":
        page.locator("form[action='/signout'] button").first.click()
        page.wait_for_url("**/")
    else:
        page.goto("/docs")
        with reader.app.app_context():
            sessions.end_other_sessions(reader.person.actor)

    page.evaluate("history.back()")

    page.wait_for_url("**/signin?next=/account/profile")
    expect(page.locator("body")).not_to_contain_text(reader.person.email)
    assert page.evaluate("window.isTheSame") is None


def test_back_shows_the_page_of_a_session_that_goes_on(reader: Reader) -> None:
    page = reader.page
    page.goto("/docs")

    page.evaluate("history.back()")

    page.wait_for_url("**/account/profile")
    expect(page.locator("main")).to_be_visible()
    expect(page.locator("body")).to_contain_text(reader.person.email)
