"""A double click of a real mouse over a slow line: nothing is lost, nothing is done twice (row 86)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from portal.app import create_app
from portal.models import TokenPurpose
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.accounts import recovery
from portal.services.core.transaction import transaction
from portal.services.keys import creation
from portal.services.mail import tokens
from tests.conftest import close_app
from tests.support.browser import Visit, visit
from tests.support.cast import Person, make_person
from tests.support.mailbox import Mailbox
from tests.support.server import Server
from tests.support.settings import settings_for
from tests.support.slow_line import slow_line

pytestmark = pytest.mark.timeout(300)
LATENCY = 0.15
GAPS = (0, 50, 150, 300)
"""Milliseconds between the two clicks."""
ONE_GAP = GAPS[2:3]
NEW_PASSWORD = "lantern-orchard-quiet-58"


@dataclass
class Scene:
    """A window over a slow line, a person of its own, and the portal's own code beside them."""

    app: Flask
    window: Visit
    person: Person
    operator: Person
    mailbox: Mailbox

    @property
    def page(self) -> Page:
        """The page that is open."""
        return self.window.page

    def sign_in(self, person: Person | None = None) -> None:
        """Sign in without any hurry."""
        person = person or self.person
        self.window.open("/signin")
        self.fill(username=person.email, password=person.password)
        self.page.locator("main form button[type=submit]").click()
        self.page.wait_for_url("**/account")

    def fill(self, **fields: str) -> None:
        """Type into fields."""
        for name, value in fields.items():
            self.page.locator(f"main [name={name}]").first.fill(value)

    def choose(self, name: str, value: str) -> None:
        """Choose one of several."""
        self.page.locator(f"main [name={name}][value='{value}']").check(force=True)

    def key(self) -> str:
        """A key of the person."""
        with self.app.app_context():
            key, _ = creation.create_key(self.person.actor, name="Importer", level=2, life=timedelta(days=30))
            return str(key.id)

    def link(self, purpose: TokenPurpose, address: str | None = None) -> str:
        """The token of a mailed link."""
        with self.app.app_context(), transaction() as session:
            address = address or self.person.email
            return tokens.mint(session, purpose, account_id=self.person.account_id, email=address)


def create(scene: Scene) -> None:
    scene.sign_in()
    scene.window.open("/account/keys/new")
    scene.fill(name="Nightly build")
    scene.choose("level", "2")


def rotate(scene: Scene) -> None:
    scene.sign_in()
    scene.window.open(f"/account/keys/{scene.key()}/rotate")


def rotate_later(scene: Scene) -> None:
    rotate(scene)
    scene.choose("overlap", "3600")


def confirm(scene: Scene) -> None:
    address = f"new-{scene.person.name}@example.org"
    scene.window.open("/signup")
    scene.fill(email=address)
    scene.page.locator("main form button[type=submit]").click()
    scene.page.wait_for_url("**/signup/sent")
    scene.window.open(scene.mailbox.last(to=address).path("/confirm/"))
    scene.fill(password=NEW_PASSWORD)
    scene.choose("consent", "1")


def reset(scene: Scene) -> None:
    scene.window.open(f"/password/reset/{scene.link(TokenPurpose.RESET)}")
    scene.fill(password=NEW_PASSWORD)


def change_password(scene: Scene) -> None:
    scene.sign_in()
    scene.window.open("/account/security")
    scene.fill(current_password=scene.person.password, password=NEW_PASSWORD)


def lock(scene: Scene) -> None:
    scene.sign_in()
    scene.window.open("/account/security/lock")
    scene.fill(current_password=scene.person.password)


def remove(scene: Scene) -> None:
    scene.sign_in()
    scene.window.open("/account/security/remove")
    scene.fill(current_password=scene.person.password)


def sign_in(scene: Scene) -> None:
    scene.window.open("/signin")
    scene.fill(username=scene.person.email, password=scene.person.password)


def confirm_email(scene: Scene) -> None:
    scene.window.open(f"/confirm-email/{scene.link(TokenPurpose.EMAIL, f'two-{scene.person.email}')}")


def unlock(scene: Scene) -> None:
    with scene.app.app_context():
        recovery.lock(scene.person.actor, scene.person.password)
    scene.window.open(f"/unlock/{scene.link(TokenPurpose.UNLOCK)}")


def revoke(scene: Scene) -> None:
    scene.sign_in()
    scene.window.open(f"/account/keys/{scene.key()}/revoke")


def withdraw(scene: Scene) -> None:
    scene.sign_in()
    scene.window.open("/account/consent/withdraw")


def block(scene: Scene) -> None:
    scene.sign_in(scene.operator)
    scene.window.open(f"/admin/accounts/{scene.person.account_id}/block")
    scene.fill(reason="a test of ours")


@dataclass(frozen=True)
class Twice:
    """What is clicked twice, what the page says then, and which act stands in the audit log once."""

    prepare: Callable[[Scene], None]
    says: str
    action: str
    gaps: tuple[int, ...] = GAPS

    def __str__(self) -> str:
        return self.prepare.__name__


SECRET = "Shown once, here and now"
TABLE = [
    Twice(create, SECRET, "key:created"),
    Twice(rotate, SECRET, "key:rotated"),
    Twice(rotate_later, SECRET, "key:rotated"),
    Twice(confirm, "Welcome. Your account is ready", "account:confirmed"),
    Twice(reset, "is set, and every device is signed out", "password:reset"),
    Twice(change_password, "Password changed", "password:changed"),
    Twice(lock, "Your account is locked", "account:locked"),
    Twice(remove, "Your account is removed", "account:removed", ONE_GAP),
    Twice(sign_in, "Overview", "session:started", ONE_GAP),
    Twice(confirm_email, "The email of the account", "account:email-changed", ONE_GAP),
    Twice(unlock, "is unlocked", "account:unlocked", ONE_GAP),
    Twice(revoke, "The key is revoked", "key:revoked", ONE_GAP),
    Twice(withdraw, "Your consent is withdrawn", "consent:withdrawn", ONE_GAP),
    Twice(block, "The account is blocked", "account:blocked", ONE_GAP),
]


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    """One server for all: each click has a person of its own."""
    return shared_server


@pytest.fixture(scope="module")
def portal(server: Server) -> Iterator[Flask]:
    """The portal's own code, on the server's database."""
    app = create_app(settings_for(server.database.url, server.instance))
    yield app
    close_app(app)


@pytest.fixture(scope="module")
def operator(portal: Flask) -> Person:
    """Somebody of support; and an admin, so that nobody is the last."""
    make_person(portal, "ada", Role.ADMIN)
    return make_person(portal, "sue", Role.SUPPORT)


def double_click(page: Page, gap: int) -> None:
    """Click the button of the page's main form twice, with a mouse, so many milliseconds apart."""
    button = page.locator("main form button[type=submit]:not(.hide):visible").first
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for wait in (gap, 0):
        page.mouse.down()
        page.mouse.up()
        if wait:
            page.wait_for_timeout(wait)


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("twice", TABLE, ids=str)
def test_a_double_click_is_answered_as_one(
    chromium: Browser, server: Server, portal: Flask, operator: Person, twice: Twice, javascript: bool
) -> None:
    wrong = []
    with slow_line(server.port, LATENCY) as address:
        for gap in twice.gaps:
            name = f"{twice.prepare.__name__.replace('_', '')}{gap}{'js' if javascript else 'no'}"
            person = make_person(portal, name)
            with visit(chromium, address, width=1280, scheme="light", javascript=javascript) as window:
                scene = Scene(portal, window, person, operator, server.mailbox)
                twice.prepare(scene)
                before = len(acts(server, twice.action))
                double_click(window.page, gap)
                window.page.wait_for_timeout(1000)
                said = what_is_said(window.page, twice.says)
                is_good = twice.says != SECRET or works(portal, window.page)
            done = len(acts(server, twice.action)) - before
            if twice.says not in said or done != 1 or not is_good:
                wrong.append(f"{gap} ms: done {done} times; {said[:160]!r}")
    assert wrong == []


def what_is_said(page: Page, awaited: str) -> str:
    """What the page says in the end, whatever that is."""
    with suppress(AssertionError):
        expect(page.locator("main")).to_contain_text(awaited, timeout=5000)
    return " ".join(page.locator("main").inner_text().split())


def works(app: Flask, page: Page) -> bool:
    """Whether the key and the secret that the page shows are good."""
    if not page.locator("#secret").count():
        return False
    key, secret = page.locator("#key").inner_text().strip(), page.locator("#secret").input_value()
    return bool(runtime_of(app).verifier.decide(key, secret).outcome == "good")


def acts(server: Server, action: str) -> list[Any]:
    return server.database.execute("SELECT id FROM audit_events WHERE action = :action", action=action)
