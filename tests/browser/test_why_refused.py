""" "Why is it refused?": answered with address and time, in one click from the list."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.conftest import MakeApp
from tests.support.browser import Visit
from tests.support.cast import make_person
from tests.support.databases import Database
from tests.support.rows import forge
from tests.support.server import Server, wait_until

pytestmark = pytest.mark.sqlite_only(reason="what is read from the database is proved beside the service")


@pytest.mark.parametrize(("width", "javascript"), [(1280, True), (390, False)])
def test_one_click_from_the_list_tells_why_a_key_is_refused(
    server: Server,
    visit: Callable[..., Visit],
    make_app: MakeApp,
    database: Database,
    width: int,
    javascript: bool,
) -> None:
    app = make_app()
    ola = make_person(app, "ola")
    forge(app, ola, name="Nightly build")
    key = forge(app, ola, name="Print queue", networks="192.0.2.0/24")
    request = urllib.request.Request(f"{server.url}/api/whoami/key", headers=key.headers)
    for _ in range(3):
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(request)
        refused.value.close()
    kept = "SELECT count(*) FROM key_recent_refusals"
    wait_until(lambda: database.execute(kept) == [(1,)], 15, "the refusals were not written")
    window = visit(width=width, javascript=javascript)
    page = window.open("/signin")
    page.locator("[name=username]").fill(ola.email)
    page.locator("[name=password]").fill(ola.password)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/account")
    page.goto("/account/keys")
    began = time.monotonic()

    page.get_by_role("link", name="Print queue").first.click()

    expect(page.locator(".callout.bad")).to_contain_text(
        "Refused 3 times today from 127.0.0.1: address not allowed. This key works only from 192.0.2.0/24."
    )
    row = page.locator("#refusals tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("127.0.0.1")
    expect(row.locator("time")).to_be_visible()
    expect(row).to_contain_text("3 times since")
    assert time.monotonic() - began < 10
    assert page.locator(".callout.bad").bounding_box()["y"] < 500, "it is seen without scrolling"
    page.locator(".callout a").click()
    page.wait_for_url("**/account/keys/new?name=Print+queue&level=4")
    page.go_back()
    if javascript:
        window.check()
    window.shoot("key-refused")
