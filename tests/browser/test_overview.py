"""The overview with a mouse: what needs its owner is done in a few clicks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from portal.app import create_app
from portal.services.keys import creation
from tests.conftest import close_app
from tests.support.cast import Person, make_person
from tests.support.server import Server
from tests.support.settings import settings_for
from tests.support.wire import Wire, basic

pytestmark = pytest.mark.sqlite_only(reason="what a browser does is the same over both databases")


def ana(server: Server, *, days: float) -> tuple[Person, str]:
    """Somebody with a key that ends in so many days, and the key's id."""
    app = create_app(settings_for(server.database.url, server.instance))
    person = make_person(app, "ana")
    with app.app_context():
        key, _secret = creation.create_key(
            person.actor, name="Nightly build", level=2, life=timedelta(days=days)
        )
        key_id = str(key.id)
    close_app(app)
    return person, key_id


def sign_in(page: Page, person: Person) -> None:
    page.goto("/signin")
    page.locator("[name=username]").fill(person.email)
    page.locator("[name=password]").fill(person.password)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/account")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_key_about_to_expire_is_replaced_in_three_clicks(
    server: Server, visit: Any, javascript: bool
) -> None:
    person, old = ana(server, days=1.98)
    page = visit(javascript=javascript).page
    sign_in(page, person)
    expect(page.locator(".attention")).to_contain_text("Nightly build expires in")

    page.locator(".attention").get_by_role("link", name="Rotate").click()
    page.locator("main form button[type=submit]").last.click()
    key, secret = page.locator("#key").inner_text().strip(), page.locator("#secret").input_value()
    if javascript:
        page.locator("#stored").check()

    with Wire(server.port) as script:
        assert script.get("/api/whoami/key", **basic(key, secret)).status == 200
    page.goto("/account")
    expect(page.locator(f".attention a[href*='{old}']")).to_have_count(0)


def test_the_first_call_is_noticed_without_a_reload(server: Server, visit: Any) -> None:
    app = create_app(settings_for(server.database.url, server.instance))
    person = make_person(app, "ben")
    with app.app_context():
        key, secret = creation.create_key(person.actor, name="First", level=1, life=timedelta(days=30))
        key_id = str(key.id)
    close_app(app)
    page = visit().page
    sign_in(page, person)
    expect(page.locator(".steps")).to_contain_text("Waiting for the first call")

    with Wire(server.port) as script:
        assert script.get("/api/whoami/key", **basic(key_id, secret)).status == 200

    expect(page.locator(".steps .works")).to_be_visible(timeout=30_000)
    page.goto("/account")
    expect(page.locator(".tiles")).to_contain_text("Calls")
