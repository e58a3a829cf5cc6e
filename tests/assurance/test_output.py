"""What people type is shown as they typed it, and is never markup, code or a template (row 40)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from portal.services.accounts.update import change_account
from portal.services.core import free_text
from portal.services.keys import creation, rotation
from portal.services.operators import actions
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.crawl import stops
from tests.support.mailbox import Mailbox

PAYLOADS = [
    "<script>alert('canary')</script>",
    "\"><img src=x onerror=alert('canary')>",
    "' onmouseover='alert(`canary`)' x='",
    "</title></textarea></script><svg/onload=alert('canary')>",
    "{{7*7}} {% for x in y %} ${7*7} #{7*7} canary",
    "javascript:alert('canary')",
    "&lt;b&gt;canary&amp;",
    "\u202ecanary\u2066 é 漢字 🗝",
]
MAKERS = {"script", "img", "svg", "iframe", "object", "embed"}


def markup(page: BeautifulSoup) -> list[str]:
    """What a payload would have to become to be more than text."""
    found = [f"<{tag.name}>" for tag in page.find_all(MAKERS) if "canary" in str(tag)]
    found += [
        f"<{tag.name} {name}>"
        for tag in page.find_all(name=True)
        for name, value in tag.attrs.items()
        if name.startswith("on") or (name in {"href", "src", "action"} and leads_away(str(value)))
    ]
    return found


def leads_away(address: str) -> bool:
    """Whether an address with the payload in it is anything but a path of ours."""
    return "canary" in address and not re.match(r"/[a-z]", address)


def printable(payload: str) -> str:
    """What of a payload the name of a key may have in it."""
    return "".join(each for each in payload if each.isprintable())


def fill(app: Flask, cast: Cast) -> str:
    """Write the payloads into everything that a person can name; return the number of a key."""
    agent = " ".join(PAYLOADS)
    with app.app_context():
        browser = replace(cast.alice.actor, ip_address="192.0.2.9", user_agent=agent)
        change_account(browser, bio=printable(agent))
        for payload in PAYLOADS:
            created, _secret = creation.create_key(
                browser, name=printable(payload), level=1, life=timedelta(days=1)
            )
            gone, _secret = rotation.rotate_key(browser, created.id)
            actions.revoke_one(cast.sue.actor, gone.id, why=printable(payload))
        created, _secret = creation.create_key(
            browser, name=printable(agent)[:100], level=1, life=timedelta(days=1)
        )
        return str(created.id)


def test_pages_show_it_as_text(app: Flask, new_client: Callable[[], PageChecker], cast: Cast) -> None:
    filling = {"key_id": fill(app, cast), "account_id": cast.alice.account_id}
    shown_on: set[tuple[str, str]] = set()

    for person in (cast.alice, cast.ada):
        client = new_client()
        client.environ_base["HTTP_USER_AGENT"] = " ".join(PAYLOADS).encode().decode("latin-1")
        person.sign_in(client)
        for stop in stops(app, filling):
            if "GET" not in stop.methods or stop.is_api:
                continue
            page = client.get(stop.path, query_string={"query": "canary"})
            if page.mimetype != "text/html" or page.status_code != 200:
                continue
            parsed = BeautifulSoup(page.text, "html.parser")
            assert markup(parsed) == [], stop.path
            assert "49 {" not in parsed.get_text(), stop.path
            shown = printable(parsed.get_text())
            shown_on |= {(stop.endpoint, each) for each in PAYLOADS if printable(each) in shown}
    for payload in PAYLOADS:
        for endpoint in ("keys.index", "activity.index", "profile.index", "admin.account"):
            assert (endpoint, payload) in shown_on


def test_mails_show_it_as_text(app: Flask, cast: Cast, mailbox: Mailbox) -> None:
    fill(app, cast)
    mails = mailbox.all(to=cast.alice.email)

    for payload in map(printable, PAYLOADS):
        about = [mail for mail in mails if payload in mail.text]
        assert len(about) >= 2
        for mail in about:
            parsed = BeautifulSoup(mail.html, "html.parser")
            assert markup(parsed) == []
            assert payload in parsed.get_text()
            assert len(mail.message.items()) == len(set(mail.message.keys())), "no header was made of it"


@pytest.mark.usefixtures("cast")
@pytest.mark.sqlite_only(reason="what was typed comes back without a look at the database")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_forms_give_it_back_as_text(client: PageChecker, payload: str) -> None:
    for path, field in (("/signin", "username"), ("/signup", "email"), ("/password/forgot", "email")):
        answer = client.submit(path, {field: payload})
        parsed = BeautifulSoup(answer.text, "html.parser")
        kept = parsed.select_one(f"input[name={field}]")

        assert answer.status_code == 422
        assert markup(parsed) == []
        assert kept
        assert kept["value"] == free_text.escaped(payload)


@pytest.mark.sqlite_only(reason="addresses of pages come back without a look at the database")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_addresses_are_never_shown_as_markup(client: PageChecker, payload: str) -> None:
    for path in (f"/{payload}", "/signin", "/api/" + payload):
        answer = client.get(path, query_string={"next": payload, "query": payload})

        assert answer.mimetype == ("application/json" if path.startswith("/api") else "text/html")
        if answer.mimetype == "text/html":
            assert markup(BeautifulSoup(answer.text, "html.parser")) == []
