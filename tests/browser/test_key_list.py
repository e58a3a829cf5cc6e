"""The list of keys in a browser: many on a screen, several revoked, all of it without scripts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from portal.app import create_app
from portal.runtime import runtime_of
from portal.services.keys import creation, rotation
from tests.conftest import close_app
from tests.support.cast import Person, make_person
from tests.support.server import Server
from tests.support.settings import settings_for

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.sqlite_only(reason="a page looks the same whatever database it was read from"),
]


@pytest.fixture
def owner(server: Server) -> Person:
    """Somebody with sixteen keys, one of them rotated and one refused."""
    app = create_app(settings_for(server.database.url, server.instance))
    person = make_person(app, "kim")
    with app.app_context():
        for number in range(15):
            life = timedelta(days=20 + number)
            key, _ = creation.create_key(person.actor, name=f"Key {number:02}", level=1, life=life)
        rotation.rotate_key(person.actor, key.id, overlap=timedelta(days=1))
        now = int(key.created_at.timestamp() * 1000)
        runtime_of(app).usage.note_refusal(str(UUID(str(key.id))), now, "ipAddressNotAllowed")
        runtime_of(app).usage.flush()
    close_app(app)
    return person


def sign_in(page: Page, person: Person) -> None:
    page.locator("[name=username]").fill(person.email)
    page.locator("[name=password]").fill(person.password)
    page.locator("main button[type=submit]").last.click()
    page.wait_for_url("**/account")


def test_three_are_selected_and_revoked_without_scripts(server: Server, visit: Any, owner: Person) -> None:
    window = visit(javascript=False, width=1280)
    page = window.open("/signin")
    sign_in(page, owner)
    window.open("/account/keys")
    assert not page.locator(".selection").is_visible()

    for number in range(3):
        page.locator("[name=key]").nth(number).check()

    expect(page.locator(".selection")).to_be_visible()
    counted = "getComputedStyle(document.querySelector('.selection .number'), '::before').content"
    assert "selected" in page.evaluate(counted)
    page.locator(".selection [type=submit]").click()
    expect(page.locator("h1")).to_have_text("Revoke 3 keys?")
    page.locator("main button.bad").click()
    expect(page.locator("body")).to_contain_text("3 keys revoked")
    window.open("/account/keys?status=revoked")
    assert sorted(page.locator("tbody .named").all_inner_texts()) == ["Key 00", "Key 01", "Key 02"]


def test_twelve_stand_on_a_screen_and_the_keyboard_sorts_them(
    server: Server, visit: Any, owner: Person
) -> None:
    window = visit(width=1280)
    page = window.open("/signin")
    sign_in(page, owner)
    page.set_viewport_size({"width": 1280, "height": 800})
    window.open("/account/keys")

    boxes = [row.bounding_box() for row in page.locator("tbody tr").all()]
    assert sum(box["y"] + box["height"] <= 800 for box in boxes if box) >= 12
    window.check()
    page.locator("thead th a", has_text="Name").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=name**")
    expect(page.locator("[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    page.locator("thead th a", has_text="Name").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**order=desc**")
    assert page.locator("tbody .named").first.inner_text() == "Key 14"


def test_a_phone_has_two_lines_a_row_and_the_menu_of_each(server: Server, visit: Any, owner: Person) -> None:
    window = visit(width=390)
    page = window.open("/signin")
    sign_in(page, owner)
    window.open("/account/keys")

    box = page.locator("tbody tr").first.bounding_box()
    assert box
    assert 64 <= box["height"] <= 80
    menu = page.locator("details.menu[name=row]").nth(1)
    menu.locator("summary").click()
    expect(menu.get_by_text("Copy id")).to_be_visible()
    expect(menu.get_by_text("Revoke…")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_text("Copy id")).to_be_hidden()
    window.check()
