"""Every page of the demo, as each of its people sees it: nothing clipped, nothing sideways, a way on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, urlsplit

import pytest
from playwright.sync_api import Page

from portal import cli
from portal.app import create_app
from portal.services.auth.demo_data import DOMAIN
from tests.conftest import close_app
from tests.support.browser import Visit
from tests.support.databases import Databases
from tests.support.server import Server, make_server
from tests.support.settings import settings_for

pytestmark = pytest.mark.timeout(900)
OpenWindow = Callable[..., Visit]

WIDTHS = (320, 1280)
ID = re.compile(r"/(?:[0-9a-f]{8}-[0-9a-f-]{27}|\d+)(?=/|$)")
MOST_OF_A_KIND = 6
"""Pages that differ in their id alone, such as those of keys: so many of each for one person."""
NOT_PAGES = re.compile(
    r"^/(static|api|metrics|healthz|readyz|\.well-known|favicon|signout)|\.(md|txt|csv|jsonl?)$"
)

FAULTS = """() => {
  const UNSEEN = ".hide, [hidden], svg, details:not([open]) > :not(summary)";
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`${root.scrollWidth - innerWidth} px too wide`);
  if (!document.querySelector("main :is(a[href], button, input, select, summary)")) faults.push("no way on");
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  for (const each of document.querySelectorAll("main *, .rail *")) {
    const style = getComputedStyle(each);
    if (style.display === "inline" || each.closest(UNSEEN)) continue;
    const hidden = [style.overflowX, style.overflowY].some((it) => ["hidden", "clip"].includes(it));
    const cut = each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1;
    if (!hidden || !cut || !each.clientWidth || each.clientWidth <= 1 || !each.textContent.trim()) continue;
    if (style.textOverflow === "ellipsis" && (each.title || each.closest("[title]"))) continue;
    faults.push(`clipped: ${each.tagName}.${each.className} ${each.textContent.trim().slice(0, 40)}`);
  }
  return faults;
}"""


@pytest.fixture(scope="module")
def password() -> list[str]:
    return []


@pytest.fixture(scope="module")
def server(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, password: list[str]
) -> Iterator[Server]:
    """A server whose database ``flask demo`` has filled."""
    with databases.migrated("sqlite") as database:
        started = make_server(database, tmp_path_factory.mktemp("demo"), {})
        app = create_app(settings_for(database.url, started.instance))
        cli.init_app(app)
        filled = app.test_cli_runner().invoke(args=["demo"])
        assert filled.exit_code == 0, filled.output
        close_app(app)
        password.append(word_below(filled.output))
        try:
            yield started.start()
        finally:
            started.finish()


def word_below(output: str) -> str:
    """The password: alone on its line, indented."""
    found = re.search(r"^ {4}(\S+)$", output, re.MULTILINE)
    assert found, output
    return found[1]


@pytest.mark.parametrize("who", ["ada", "sue", "alice", "carla"])
def test_no_page_of_the_demo_is_clipped_or_a_dead_end(
    server: Server, password: list[str], visit: OpenWindow, who: str
) -> None:
    window = visit()
    sign_in(window, f"{who}@{DOMAIN}", password[0])

    assert walk(window) == {}


def test_no_page_for_strangers_is_clipped_or_a_dead_end(server: Server, visit: OpenWindow) -> None:
    window = visit()
    window.open("/")

    assert walk(window) == {}


def sign_in(window: Visit, email: str, password: str) -> None:
    page = window.open("/signin")
    page.locator("[name=username]").fill(email)
    page.locator("[name=password]").fill(password)
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_url("**/account**")


def walk(window: Visit) -> dict[str, list[str]]:
    """The faults of each page that can be reached by links, from the one that is open."""
    ahead, seen, faults = [path_of(window.page)], set[str](), dict[str, list[str]]()
    kinds: dict[str, int] = {}
    while ahead:
        path = ahead.pop(0)
        kind = ID.sub("/…", path.partition("?")[0]) + re.sub(r"=[^&]*", "=", path.partition("?")[2])
        if path in seen or kinds.get(kind, 0) >= MOST_OF_A_KIND:
            continue
        seen.add(path)
        kinds[kind] = kinds.get(kind, 0) + 1
        answer = window.page.goto(path)
        assert answer, path
        assert answer.status < 400, f"{path}: {answer.status}"
        if found := look(window):
            faults[path] = found
        ahead += links(window.page)
    assert len(seen) > 5, "there is more than that"
    return faults


def look(window: Visit) -> list[str]:
    found: list[str] = []
    for width in WIDTHS:
        window.become(width, "light")
        found += [f"{width}: {each}" for each in window.page.evaluate(FAULTS)]
    return found


def links(page: Page) -> list[str]:
    """The portal's other pages that this one leads to."""
    origin, here = page.evaluate("location.origin"), "all => all.map((each) => each.href)"
    found = [urlsplit(each) for each in page.eval_on_selector_all("a[href]", here) if each.startswith(origin)]
    return [whole(each) for each in found if not NOT_PAGES.search(each.path) and "format=" not in each.query]


def path_of(page: Page) -> str:
    return whole(urlsplit(page.url))


def whole(parts: SplitResult) -> str:
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
