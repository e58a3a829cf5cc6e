"""The states of keys on the pages: no page says of a key what is not true of it (row 82)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal.services.keys import creation
from portal.services.keys.conditions import Conditions
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock

pytestmark = pytest.mark.sqlite_only(reason="tests/models/test_key_states.py holds both databases")


def make(app: Flask, cast: Cast, **bound: object) -> UUID:
    with app.app_context():
        return creation.create_key(
            cast.alice.actor,
            name="ci",
            level=1,
            life=timedelta(days=300),
            conditions=Conditions(**bound),  # type: ignore[arg-type]
        )[0].id


def words_of(client: PageChecker, path: str) -> str:
    main = client.page(path).main
    assert main
    return " ".join(main.get_text(" ", strip=True).split())


def test_a_key_that_is_not_yet_valid_says_so_everywhere(
    app: Flask, client: PageChecker, cast: Cast, clock: Clock
) -> None:
    key = make(app, cast, not_before=clock.now() + timedelta(days=10))
    cast.alice.sign_in(client)

    for path in ("/account/keys?status=pending", f"/account/keys/{key}"):
        page = client.page(path)
        assert "Not yet valid" in words_of(client, path)
        assert [word.get_text(strip=True) for word in page.select(".state-word")] == ["Not yet valid"]
    assert "calls with it are refused until" in words_of(client, f"/account/keys/{key}")
    assert "No key matches" in words_of(client, "/account/keys?status=live")


def test_a_key_that_ended_unused_says_so_everywhere_and_no_page_says_when_it_expires(
    app: Flask, client: PageChecker, cast: Cast, clock: Clock
) -> None:
    key = make(app, cast, max_idle=30 * 86_400)
    clock.forward(days=40)
    cast.alice.sign_in(client)

    for path in ("/account/keys", f"/account/keys/{key}"):
        told = words_of(client, path)
        assert "unused for 30 days" in told
        assert "months" not in told, path
    assert "because it was unused for 30 days" in told
    assert "Was to expire" in told


def test_a_key_that_expired_says_so_and_not_that_it_expires(
    app: Flask, client: PageChecker, cast: Cast, clock: Clock
) -> None:
    key = make(app, cast)
    clock.forward(days=300 + 150)
    cast.alice.sign_in(client)

    assert "expired 5 months ago" in words_of(client, "/account/keys?status=expired")
    assert "Expired 5 months ago" in words_of(client, f"/account/keys/{key}")
    assert "Expires 5 months ago" not in words_of(client, f"/account/keys/{key}")
