"""What people typed keeps its own direction, and a page says which side its lines begin at."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import NavigableString
from flask_babel import force_locale

from portal.services.keys import creation
from portal.services.keys.conditions import Conditions
from tests.support.cast import make_cast
from tests.support.pages import parse

pytestmark = pytest.mark.sqlite_only(reason="nothing of this asks the database for more than a key")

NAME = "מפתח (1)"
NOTE = "הערה (2)"
SHOWN_PLAIN = {"title", "option", "textarea", "script", "code", "pre"}
"""There an element can't stand, or the whole of it is one text."""


def named(app, owner):
    with app.app_context():
        key, _secret = creation.create_key(
            owner.actor, name=NAME, level=4, life=timedelta(days=30), conditions=Conditions(note=NOTE)
        )
        return str(key.id)


def not_isolated(page):
    for text in page.find_all(string=lambda each: NAME in each or NOTE in each):
        above = {parent.name for parent in text.parents}
        if isinstance(text, NavigableString) and "bdi" not in above and not above & SHOWN_PLAIN:
            yield f"{text.parent.name}: {text.strip()}"


@pytest.mark.parametrize("path", ["", "/{key}", "/{key}/rotate", "/{key}/revoke"])
def test_the_name_and_the_note_of_a_key_are_isolated_for_its_owner(client, app, cast, path):
    key = named(app, cast.alice)
    cast.alice.sign_in(client)
    page = client.page("/account/keys" + path.format(key=key))

    assert NAME in page.text
    assert list(not_isolated(page)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/account",
        "/account/usage-limits",
        "/account/activity",
        "/admin/accounts/{alice}",
        "/admin/keys/{key}",
        "/admin/keys?q={name}",
        "/admin/accounts/{alice}/keys/{key}/revoke",
    ],
)
def test_and_wherever_else_it_stands(client, app, path):
    cast = make_cast(app)
    key = named(app, cast.ada if path.startswith("/account") else cast.alice)
    cast.ada.sign_in(client)
    page = client.page(path.format(alice=cast.alice.account_id, key=key, name=NAME))

    assert list(not_isolated(page)) == []


@pytest.mark.parametrize(
    ("locale", "direction"), [("en_GB", "ltr"), ("de", "ltr"), ("ar", "rtl"), ("he", "rtl")]
)
def test_a_page_says_where_its_lines_begin(app, locale, direction):
    with app.test_request_context(), force_locale(locale):
        told = [processor() for processor in app.template_context_processors[None]]

    assert [each["dir"] for each in told if "dir" in each] == [direction]


def test_every_page_names_its_direction(client):
    assert parse(client.get("/signin")).html["dir"] == "ltr"
