"""What a first visit takes over the wire: at most 60 kB, whatever page it begins with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.app import create_app
from tests.conftest import close_app
from tests.support.browser import Visit
from tests.support.cast import make_person
from tests.support.server import Server
from tests.support.settings import settings_for

MOST_BYTES = 60_000
TRANSFERRED = """() => ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
  .map((each) => [new URL(each.name).pathname, each.transferSize])"""


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    return shared_server


@pytest.mark.parametrize("path", ["/", "/signin", "/docs", "/docs/errors", "/promises"])
def test_a_first_visit_is_light(visit: Callable[..., Visit], path: str) -> None:
    assert weight(visit(), path) <= MOST_BYTES


@pytest.mark.parametrize("path", ["/account", "/account/keys", "/account/keys/new"])
def test_the_first_page_of_an_owner_is_light(server: Server, visit: Callable[..., Visit], path: str) -> None:
    app = create_app(settings_for(server.database.url, server.instance))
    owner = make_person(app, f"ola{path.count('/')}{len(path)}")
    close_app(app)
    window = visit()
    window.open("/signin")
    window.page.locator("[name=username]").fill(owner.email)
    window.page.locator("[name=password]").fill(owner.password)
    window.page.locator("main form button[type=submit]").last.click()
    window.page.wait_for_url("**/account**")
    session = window.context.new_cdp_session(window.page)
    session.send("Network.clearBrowserCache")

    assert weight(window, path) <= MOST_BYTES


def weight(window: Visit, path: str) -> int:
    """The bytes of a page and of all that it loads, as they were sent."""
    window.open(path)
    window.page.wait_for_load_state("networkidle")
    sizes = dict(window.page.evaluate(TRANSFERRED))
    assert sizes[path] > 0
    print(path, sum(sizes.values()), sizes)  # shown when it fails
    return int(sum(sizes.values()))
