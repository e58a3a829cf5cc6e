"""The pages of the documentation: their names, titles and order."""

from __future__ import annotations

from dataclasses import dataclass

from portal.permissions import N_


@dataclass(frozen=True, slots=True)
class Page:
    """One page; its text is the template of its name in ``templates/docs/text``."""

    name: str
    title: str
    summary: str

    @property
    def template(self) -> str:
        """Where its text is: Markdown, filled in by Jinja."""
        return f"docs/text/{self.name}.md"


START = Page(
    "start",
    N_("First call"),
    N_("A key and its secret let a script act in your name. Your first call takes a minute."),
)
"""The page at ``/docs`` itself."""

CHAPTERS: tuple[tuple[str, tuple[Page, ...]], ...] = (
    (
        N_("Start"),
        (
            START,
            Page(
                "authentication",
                N_("Call with a key"),
                N_("How a key is sent, and what comes back when it is refused."),
            ),
            Page(
                "levels",
                N_("Levels and roles"),
                N_("What a key may do, and up to which level an account can go."),
            ),
            Page("limits", N_("Rate limits"), N_("How often a key may call, and how to see what is left.")),
            Page("errors", N_("Errors"), N_("Every error code, its status, and what to do about it.")),
        ),
    ),
    (
        N_("Guides"),
        (
            Page(
                "keys",
                N_("Create and revoke keys"),
                N_("What a key is, how a script creates one, and how a key ends."),
            ),
            Page(
                "restrictions",
                N_("Restrictions"),
                N_("Tie a key to addresses, services, a time and its own rate limits."),
            ),
            Page(
                "rotation",
                N_("Rotate without a gap"),
                N_("Replace a secret while the old one keeps working for a while."),
            ),
            Page(
                "introspection",
                N_("Check keys in your service"),
                N_("Let keys of this portal open an API that you run, through a gateway or by asking."),
            ),
            Page(
                "leaks",
                N_("Report a leak"),
                N_("Find secrets where they don't belong, and report them; their keys are revoked at once."),
            ),
        ),
    ),
    (
        N_("Reference"),
        (
            Page(
                "api-accounts",
                N_("Accounts"),
                N_("Sign up, sign in, read and change an account."),
            ),
            Page("api-keys", N_("Keys"), N_("Create, list, read, rotate and revoke keys.")),
            Page(
                "api-checks",
                N_("Checks and reports"),
                N_("Check keys, and take reports."),
            ),
        ),
    ),
)
"""By chapter, in reading order."""

PAGES: dict[str, Page] = {page.name: page for _title, pages in CHAPTERS for page in pages}

MOVED = {
    "key": ("keys", "key"),
    "use": ("start", "use"),
    "protect": ("introspection", ""),
    "levels": ("levels", ""),
    "conditions": ("restrictions", ""),
    "authentication": ("authentication", ""),
    "routes": ("api-keys", ""),
    "errors": ("errors", ""),
    "limits": ("limits", "tries"),
    "calls": ("limits", "calls"),
    "left": ("limits", "left"),
    "secret": ("keys", "secret"),
    "leaks": ("leaks", ""),
}
"""Anchors of ``/docs`` when it was one page, which other pages still link to, and where each leads now."""


def neighbours(page: Page) -> tuple[Page | None, Page | None]:
    """The page before this one and the page after it."""
    order = list(PAGES.values())
    at = order.index(page)
    return (order[at - 1] if at else None, order[at + 1] if at + 1 < len(order) else None)
