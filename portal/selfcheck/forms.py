"""Reads the forms of a page, so that they can be sent as a browser sends them; signs in with one."""

from __future__ import annotations

from html.parser import HTMLParser

from flask.testing import FlaskClient

from portal.selfcheck.answers import hold
from portal.selfcheck.stage import Person, Stage


class Fields(HTMLParser):
    """What a browser would send of a page's forms if nobody typed anything."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a field with what stands in it; of options and buttons to choose, the chosen."""
        facts = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._select = facts.get("name", "")
        elif tag == "option" and self._select:
            if "selected" in facts or self._select not in self.found:
                self.found[self._select] = facts.get("value", "")
        elif tag in {"input", "textarea"} and "name" in facts and _is_sent(facts):
            self.found[facts["name"]] = facts.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave a list of options."""
        if tag == "select":
            self._select = ""


def _is_sent(facts: dict[str, str]) -> bool:
    return facts.get("type") not in {"radio", "checkbox"} or "checked" in facts


def fields_of(page: str) -> dict[str, str]:
    """The fields of a page's forms, by their names."""
    reader = Fields()
    reader.feed(page)
    return reader.found


def browser(stage: Stage, person: Person) -> FlaskClient:
    """A browser with somebody signed in."""
    client = stage.client()
    form = fields_of(stage.call("GET", "/signin", client=client).text)
    form |= {"username": person.email, "password": person.password}
    answer = stage.call("POST", "/signin", client=client, data=form, headers=own_site(stage))
    hold(answer.status_code in {302, 303}, f"signing in was answered with {answer.status_code}")
    return client


def own_site(stage: Stage) -> dict[str, str]:
    """What a browser says of the site that a form comes from."""
    return {"Origin": stage.base_url, "Referer": f"{stage.base_url}/"}
