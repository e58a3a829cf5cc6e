"""How many clicks people need for what they came for; typing is not counted, the mail's link is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page

from portal.permissions import Role
from tests.conftest import MakeApp
from tests.support.browser import Visit
from tests.support.cast import make_person
from tests.support.server import Server
from tests.support.wire import basic

pytestmark = pytest.mark.sqlite_only(reason="a click is a click, whatever the database")
PASSWORD = "a quiet violet harbour at dusk"


@dataclass
class Counted:
    """A page on which each click counts."""

    page: Page
    clicks: int = 0

    def click(self, target: Locator) -> None:
        self.clicks += 1
        target.click()
        self.page.wait_for_load_state()

    def follow(self, path: str) -> None:
        """Click the link of a mail."""
        self.clicks += 1
        self.page.goto(path)


@pytest.mark.parametrize("javascript", [True, False])
def test_from_the_front_page_to_a_working_secret_in_eight(
    server: Server, visit: Callable[..., Visit], make_app: MakeApp, javascript: bool
) -> None:
    make_person(make_app(), "ada", Role.ADMIN)
    page = visit(javascript=javascript).page
    hand = Counted(page)

    page.goto("/")
    hand.click(page.get_by_role("link", name="Sign up").first)
    page.locator("[name=email]").fill("ola@example.org")
    hand.click(page.locator("main form button[type=submit]"))
    hand.follow(server.mailbox.last(to="ola@example.org").path("/confirm/"))
    page.locator("[name=password]").fill(PASSWORD)
    hand.click(page.locator("label").filter(has=page.locator("[name=consent][value='1']")))
    hand.click(page.locator("main form button[type=submit]"))
    hand.click(page.locator("main").get_by_role("link", name="Create key").first)
    page.locator("[name=name]").fill("Nightly build")
    hand.click(page.locator("label").filter(has=page.locator("[name=level][value='1']")))
    hand.click(page.get_by_role("button", name="Create key"))

    key, secret = page.locator("#key").inner_text().strip(), page.locator("#secret").input_value()
    answer = page.request.get("/api/whoami/key", headers=basic(key, secret))
    assert answer.status == 200
    assert hand.clicks <= 8


@pytest.mark.parametrize("javascript", [True, False])
def test_an_operator_blocks_in_four(
    server: Server, visit: Callable[..., Visit], make_app: MakeApp, javascript: bool
) -> None:
    app = make_app()
    make_person(app, "ada", Role.ADMIN)
    sue, mallory = make_person(app, "sue", Role.SUPPORT), make_person(app, "mallory")
    page = visit(javascript=javascript).page
    page.goto("/signin")
    page.locator("[name=username]").fill(sue.email)
    page.locator("[name=password]").fill(sue.password)
    page.locator("main form button[type=submit]").click()
    page.wait_for_load_state()
    hand = Counted(page)

    page.goto("/admin")
    page.locator("main [name=wanted]").fill(mallory.email)
    hand.click(page.get_by_role("button", name="Find"))
    hand.click(page.get_by_role("link", name="mallory"))
    hand.click(page.get_by_role("link", name="Block…"))
    page.locator("[name=reason]").fill("Copies the whole catalogue every hour.")
    hand.click(page.locator("main form button[type=submit]"))

    assert "Blocked by sue@example.org" in page.locator("main").inner_text()
    assert hand.clicks <= 4
