"""A test client that looks at everything it gets."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import pages


class PageChecker(FlaskClient):
    """Gives each request an application context of its own, and checks each answer.

    In one context for the whole test, Flask-Login would keep Alice in ``g`` while Bob asks.
    ``expecting_secret`` opts in to the one page that shows a secret; ``checks_pages`` set to
    False leaves the checks out.
    """

    checks_pages = True
    _may_show_secret = False

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request, check the answer, and return it."""
        kwargs.setdefault("buffered", True)
        settings = self.application.config["PORTAL"]
        if settings.is_public and args and isinstance(args[0], str):
            kwargs.setdefault("base_url", settings.base_url)
        response = contextvars.Context().run(super().open, *args, **kwargs)
        for each in (*response.history, response) if self.checks_pages else ():
            found = pages.faults(each, may_show_secret=self._may_show_secret)
            where = f"{each.request.method} {each.request.path} ({each.status_code})"
            assert not found, f"{where}: " + "; ".join(found)
        return response

    @contextmanager
    def expecting_secret(self) -> Iterator[None]:
        """Let the pages inside the block show a secret."""
        self._may_show_secret = True
        try:
            yield
        finally:
            self._may_show_secret = False

    def page(self, path: str, *, status: int = 200, **kwargs: Any) -> BeautifulSoup:
        """Get a page and return it parsed; the status has to be the one named."""
        response = self.get(path, **kwargs)
        assert response.status_code == status, f"GET {path} gave {response.status_code}"
        return pages.parse(response)

    def submit(
        self,
        path: str,
        fields: dict[str, Any] | None = None,
        *,
        form: str | None = None,
        follow: bool = False,
    ) -> TestResponse:
        """Fill in the form that stands on the page at ``path``, and send it.

        The form is the one whose action is ``form``, or else the only one of the page's main
        part. Fields that are not named keep what the page has in them, the CSRF token
        included. A field that the form does not have is an error of the test.
        """
        found = find_form(self.page(path), form)
        values = form_values(found)
        names = {str(tag["name"]) for tag in found.select("[name]")}
        unknown = set(fields or {}) - names
        assert not unknown, f"the form at {path} has no field {', '.join(sorted(unknown))}; it has {names}"
        data = {**values, **(fields or {})}
        return self.post(str(found["action"]), data=data, follow_redirects=follow)


def find_form(page: BeautifulSoup, action: str | None = None) -> Tag:
    """The form with this action, or else the only one that posts from the page's main part."""
    if action is not None:
        found = list(page.select(f"form[action='{action}']"))
    else:
        found = [
            form
            for form in (page.find("main") or page).find_all("form")
            if str(form.get("method", "get")).lower() == "post"
        ]
    assert len(found) == 1, f"there are {len(found)} such forms on the page"
    return found[0]


def form_values(form: Tag) -> dict[str, Any]:
    """What a browser would send, had nobody touched the form."""
    values: dict[str, Any] = {}
    for tag in form.select("input[name], select[name], textarea[name]"):
        name = str(tag["name"])
        if tag.name == "textarea":
            values[name] = tag.get_text().replace("\r\n", "\n").removeprefix("\n")
        elif tag.name == "select":
            chosen = tag.select_one("option[selected]") or tag.find("option")
            values[name] = chosen.get("value", chosen.get_text()) if isinstance(chosen, Tag) else ""
        elif tag.get("type") in {"checkbox", "radio"}:
            if tag.has_attr("checked"):
                values[name] = tag.get("value", "on")
        elif tag.get("type") not in {"submit", "button", "file", "image", "reset"}:
            values[name] = tag.get("value", "")
    return values
