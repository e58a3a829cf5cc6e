"""Two tabs of one browser, as people leave them open."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from portal.app import create_app
from tests.conftest import close_app
from tests.support.cast import make_person
from tests.support.server import Server
from tests.support.settings import settings_for

pytestmark = pytest.mark.sqlite_only(reason="tabs have nothing to do with the database")


@pytest.mark.parametrize("javascript", [True, False])
def test_signing_in_in_a_second_tab_leads_on(server: Server, visit: Any, javascript: bool) -> None:
    app = create_app(settings_for(server.database.url, server.instance))
    person = make_person(app, "kim")
    close_app(app)
    window = visit(javascript=javascript)
    first, second = window.open("/signin"), window.context.new_page()
    second.goto("/signin?next=/account/profile")
    for page in (first, second):
        page.locator("[name=username]").fill(person.email)
        page.locator("[name=password]").fill(person.password)

    first.locator("main button[type=submit]").click()
    first.wait_for_url("**/account")
    second.locator("main button[type=submit]").click()

    second.wait_for_url("**/account/profile")
    expect(second.locator("body")).to_contain_text(f"already signed in as {person.email}")


def test_a_form_from_before_the_sign_in_is_shown_again_as_it_was(server: Server, visit: Any) -> None:
    app = create_app(settings_for(server.database.url, server.instance))
    person = make_person(app, "kim")
    close_app(app)
    window = visit(width=390)
    first, second = window.open("/signin"), window.context.new_page()
    second.goto("/password/forgot")
    second.locator("[name=email]").fill("somebody@example.org")
    first.locator("[name=username]").fill(person.email)
    first.locator("[name=password]").fill(person.password)
    first.locator("main button[type=submit]").click()
    first.wait_for_url("**/account")

    second.locator("main button[type=submit]").click()

    expect(second.locator("body")).to_contain_text("We kept what you typed")
    expect(second.locator("[name=email]")).to_have_value("somebody@example.org")
    window.page = second
    window.check()
    second.locator("main button[type=submit]").click()
    second.wait_for_url("**/password/sent")
