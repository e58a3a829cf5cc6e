"""The story: somebody signs up, makes a key, uses it; a block ends it (rows 3 and 43).

It is walked with and without JavaScript, on a phone and on a wide screen, in light and dark.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Error, Page, expect

from portal.permissions import Role
from tests.conftest import MakeApp
from tests.support.browser import Visit
from tests.support.cast import make_person
from tests.support.databases import Database, Databases
from tests.support.server import Server, make_server

PASSWORD = "a quiet violet harbour at dusk"
OpenWindow = Callable[..., Visit]


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Database]:
    """One database for all these tests: each has people of its own."""
    with databases.migrated(request.param) as created:
        yield created


@pytest.fixture(scope="module")
def server(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all these tests."""
    started = make_server(database, tmp_path_factory.mktemp("story"), {})
    try:
        yield started.start()
    finally:
        started.finish()


def ask(server: Server, key: str, secret: str) -> int:
    """What ``curl -u key:secret`` gets: the status."""
    pair = b64encode(f"{key}:{secret}".encode()).decode()
    request = urllib.request.Request(
        f"{server.url}/api/whoami/key", headers={"Authorization": f"Basic {pair}"}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def send(page: Page) -> None:
    page.locator("main form button[type=submit]").last.click()
    page.wait_for_load_state()


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/signin")
    page.get_by_label("Email or name").or_(page.locator("[name=username]")).first.fill(name)
    page.locator("[name=password]").fill(password)
    send(page)


SLIPPED_IN = """async () => {
  const nonce = document.querySelector("script").nonce || "none";
  const refused = [];
  document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
  const slip = (name, text) => {
    const tag = document.createElement(name);
    tag.nonce = nonce;
    tag.textContent = text;
    document.head.append(tag);
  };
  slip("script", "window.ran = 1");
  slip("style", "body { opacity: 0.5 }");
  const far = document.createElement("script");
  far.src = "data:text/javascript,window.ran=2";
  document.head.append(far);
  const html = "<i style='opacity:0.5'></i><img src='x' onerror='window.ran=3'>";
  document.body.insertAdjacentHTML("beforeend", html);
  await new Promise((done) => setTimeout(done, 500));
  return refused.sort();
}"""


@pytest.mark.parametrize(
    ("width", "scheme", "javascript"),
    [(1280, "light", True), (390, "dark", True), (390, "light", False), (1280, "dark", False)],
)
def test_from_sign_up_to_a_key_that_works_and_a_block_that_ends_it(
    server: Server, visit: OpenWindow, make_app: MakeApp, width: int, scheme: str, javascript: bool
) -> None:
    app = make_app()
    make_person(app, f"ada{width}{scheme}", Role.ADMIN)
    ola = visit(width=width, scheme=scheme, javascript=javascript)
    page, address = ola.page, f"ola.{width}.{scheme}@example.org"

    def look(name: str) -> None:
        ola.shoot(f"story-{name}")
        if javascript:
            ola.check()

    page.goto("/")
    look("home")
    page.get_by_role("link", name="Sign up").last.click()
    page.locator("[name=email]").fill(address)
    look("sign-up")
    send(page)
    look("sent")

    page.goto(server.mailbox.last(to=address).path("/confirm/"))
    page.locator("[name=password]").fill("too short")
    send(page)
    expect(page.locator("main")).to_contain_text("too short")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=consent][value='1']").check(force=True)
    look("confirm")
    send(page)

    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    look("overview-empty")
    page.goto("/account/keys/new")
    page.locator("[name=name]").fill("Nightly build")
    page.locator("[name=level][value='2']").check(force=True)
    look("new")
    send(page)

    key = (page.locator("#key").inner_text()).strip()
    secret = page.locator("#secret").input_value()
    assert re.fullmatch(r"chk_[0-9A-Za-z]{49}", secret)
    expect(page.locator("#secret")).to_be_focused()
    look("once")
    assert ask(server, key, secret) == 200

    if javascript:
        questions: list[str] = []
        page.once("dialog", lambda dialog: (questions.append(dialog.type), dialog.dismiss()))
        page.get_by_role("link", name="Done").click(no_wait_after=True)
        page.wait_for_timeout(300)
        assert questions == ["beforeunload"], "leaving unsaved asks first"
        assert page.locator("#secret").input_value() == secret
        with page.expect_download() as download:
            page.get_by_role("button", name="Download .env").click()
        text = download.value.path().read_text()
        assert f"CHATELAINE_KEY={key}" in text
        assert f"CHATELAINE_SECRET={secret}" in text
    page.get_by_role("link", name="Done").click()
    expect(page.locator("tbody").first).to_contain_text("Nightly build")
    assert secret not in page.content()
    if javascript:
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Nightly build")
    else:  # only a script can tell the browser where Back shall lead from an answer to a form
        with pytest.raises(Error, match="ERR_CACHE_MISS"):
            page.go_back()
    page.wait_for_timeout(300)
    expect(page.locator("body")).not_to_contain_text(secret)

    page.goto("/account/keys")
    look("keys")
    operator = make_person(app, f"sue{width}{scheme}", Role.SUPPORT)
    sue = visit(width=width, scheme=scheme, javascript=javascript)
    sign_in(sue.page, operator.email, operator.password)
    sue.page.goto(f"/admin/accounts?query={address}")
    sue.page.locator("tbody a").first.click()
    sue.page.get_by_role("link", name=re.compile("Block")).first.click()
    sue.page.locator("main [name=reason]").fill("a test of ours")
    if javascript:
        sue.check()
    sue.shoot("story-block")
    send(sue.page)

    assert ask(server, key, secret) == 401
    page.goto("/account/keys")
    expect(page).to_have_url(re.compile("/signin"))


@pytest.mark.sqlite_only(reason="the keyboard does not know which database there is")
def test_the_keyboard_alone_makes_and_revokes_a_key(
    server: Server, visit: OpenWindow, make_app: MakeApp
) -> None:
    person = make_person(make_app(), "kim")
    page = visit().page
    sign_in(page, person.email, person.password)
    page.goto("/account/keys/new")

    def tab_to(selector: str) -> None:
        target = page.locator(selector).first
        for _ in range(40):
            if target.evaluate("element => element === document.activeElement"):
                outline = target.evaluate(
                    "e => getComputedStyle(e).outlineStyle + getComputedStyle(e.parentElement).outlineStyle"
                )
                assert outline != "nonenone", f"the focus of {selector} can't be seen"
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {selector}")

    tab_to("[name=name]")
    page.keyboard.type("by keyboard")
    tab_to("[name=level]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    expect(page.locator("#secret")).to_be_focused()
    tab_to("#stored")
    page.keyboard.press("Space")
    tab_to("main a:has-text('Done')")
    page.keyboard.press("Enter")
    tab_to("tbody th a")
    page.keyboard.press("Enter")
    tab_to("main a:has-text('Revoke')")
    page.keyboard.press("Enter")
    tab_to("main button.bad")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Nothing accepts it any more")


@pytest.mark.sqlite_only(reason="what a script does in a page does not depend on the database")
def test_nothing_that_people_type_runs_as_a_script(
    server: Server, visit: OpenWindow, make_app: MakeApp
) -> None:
    """Row 40: a dialog would tell; the policy would say so in the console, which fails the visit."""
    person = make_person(make_app(), "mallory")
    window = visit()
    dialogs: list[str] = []
    window.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.accept()))
    sign_in(window.page, person.email, person.password)
    payload = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'
    window.page.goto("/account/profile")
    window.page.locator("[name=bio]").fill(payload)
    window.page.locator("main form").filter(has=window.page.locator("[name=bio]")).locator(
        "button[type=submit]"
    ).click()
    window.page.goto("/account/keys/new")
    window.page.locator("[name=name]").fill(payload)
    window.page.locator("[name=level][value='1']").check(force=True)
    send(window.page)
    expect(window.page.get_by_role("heading", level=1)).to_contain_text(payload)
    window.page.locator("#stored").check()
    for path in ("/account/keys", "/account/activity", "/account/profile"):
        window.page.goto(path)
        expect(window.page.locator("body")).not_to_contain_text("{{49}}")
    assert dialogs == []


@pytest.mark.sqlite_only(reason="what a script does in a page does not depend on the database")
def test_a_script_or_style_that_slips_into_a_page_does_nothing(server: Server, visit: OpenWindow) -> None:
    """Row 39: the policy takes files of the portal's own, and knows no nonce that could be copied."""
    window = visit()
    window.open("/signin")

    refused = window.page.evaluate(SLIPPED_IN)

    assert set(refused) == {"script-src-attr", "script-src-elem", "style-src-attr", "style-src-elem"}
    assert window.page.evaluate("[window.ran, getComputedStyle(document.body).opacity]") == [None, "1"]
    assert window.problems, "the console tells it too"
    assert all("Content Security Policy" in each for each in window.problems)
    window.problems.clear()
