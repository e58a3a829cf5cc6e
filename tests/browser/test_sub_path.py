"""From sign-up to a revoked key below a path of the host, in a real Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from portal.app import create_app
from portal.permissions import Role
from tests.conftest import StartServer, close_app
from tests.support.browser import visit
from tests.support.cast import make_person
from tests.support.settings import settings_for
from tests.support.wire import Wire, basic

pytestmark = pytest.mark.sqlite_only(reason="where a page stands has nothing to do with the database")
PASSWORD = "violet-harbour-ola-71"


def send(page: Page) -> None:
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_load_state()


@pytest.mark.parametrize("javascript", [True, False])
def test_from_sign_up_to_a_revoked_key_below_a_path(
    chromium: Browser, start_server: StartServer, javascript: bool
) -> None:
    server = start_server(PORTAL_BASE_URL="http://127.0.0.1/keys")
    app = create_app(settings_for(server.database.url, server.instance))
    make_person(app, "ada", Role.ADMIN)
    close_app(app)
    with (
        visit(chromium, server.url, width=1280, scheme="light", javascript=javascript) as window,
        Wire(server.port) as script,
    ):
        page = window.open("/keys/")
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url.removeprefix(server.url)))
        page.get_by_role("link", name="Sign up").last.click()
        page.locator("[name=email]").fill("ola@example.org")
        send(page)
        page.goto(server.mailbox.last(to="ola@example.org").path("/confirm/"))
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[name=consent][value='1']").check(force=True)
        send(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        page.goto("/keys/account/keys/new")
        page.locator("[name=name]").fill("Nightly build")
        page.locator("[name=level][value='2']").check(force=True)
        send(page)
        key, secret = page.locator("#key").inner_text().strip(), page.locator("#secret").input_value()
        asked = basic(key, secret)
        assert script.get("/keys/api/whoami/key", **asked).status == 200
        page.get_by_role("link", name="Done").click()
        expect(page.locator("tbody").first).to_contain_text("Nightly build")
        page.goto(f"/keys/account/keys/{key}")
        page.get_by_role("link", name=re.compile("Revoke")).first.click()
        send(page)
        expect(page.locator("body")).to_contain_text("revoked")
        assert script.get("/keys/api/whoami/key", **asked).status == 401
        cookies = page.context.cookies(f"{server.url}/keys/")
        assert {cookie["path"] for cookie in cookies} == {"/keys"}
        assert "session" in {cookie["name"] for cookie in cookies}
        assert page.context.cookies(server.url) == []
        page.locator("form[action='/keys/signout'] button").first.click()
        page.wait_for_url("**/keys/")
        page.goto("/keys/account/profile?x=1")
        page.locator("[name=username]").fill("ola@example.org")
        page.locator("[name=password]").fill(PASSWORD)
        send(page)
        expect(page).to_have_url(re.compile(r"/keys/account/profile\?x=1$"))
        assert [path for path in seen if not path.startswith("/keys/")] == []
