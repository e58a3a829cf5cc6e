"""Nothing is done for a form that is not this session's own and fresh (row 18)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, make_cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.crawl import Stop, stops
from tests.support.databases import Database

NewClient = Callable[[], PageChecker]
COUNTED = {"limit_counters"}
ACTS = "SELECT * FROM audit_events WHERE action NOT LIKE '%-by-operator'"
"""What was done; an operator who is asked for a form again looks at its page."""


def forms(app: Flask, cast: Cast, key_id: str) -> list[Stop]:
    filling = {"key_id": key_id, "account_id": cast.alice.account_id}
    found = [stop for stop in stops(app, filling) if "POST" in stop.methods and not stop.is_api]
    assert len(found) > 15
    return found


def token_of(client: PageChecker, path: str) -> str:
    field = client.page(path).select_one("input[name=csrf_token]")
    assert field
    return str(field["value"])


REFUSED = {400, 429}
AS_THE_PAGE = REFUSED | {303, 404, 410, 422}
"""What a token brings that we signed, but not for this session or moment: the form once more (422), or what
its page says to whoever opens it now."""


def refused(client: PageChecker, places: list[Stop], token: str | None, allowed: set[int]) -> list[str]:
    """Post to every form, and name those that did not refuse."""
    data = {} if token is None else {"csrf_token": token}
    answers = {stop.path: client.post(stop.path, data=data).status_code for stop in places}
    return [f"{path}: {status}" for path, status in answers.items() if status not in allowed]


@pytest.mark.sqlite_only(reason="the tokens of forms have nothing to do with the database")
@pytest.mark.parametrize("who", ["stranger", "alice", "ada"])
@pytest.mark.parametrize("kind", ["none", "foreign", "made up", "expired"])
def test_every_form_without_its_token_is_refused_and_does_nothing(
    app: Flask,
    database: Database,
    new_client: NewClient,
    cast: Cast,
    make_key: MakeKey,
    clock: Clock,
    who: str,
    kind: str,
) -> None:
    places = forms(app, cast, make_key(cast.alice).id)
    client, other = new_client(), new_client()
    page = "/signin"
    if who != "stranger":
        getattr(cast, who).sign_in(client)
        page = "/account/profile"
    cast.bob.sign_in(other)
    own = token_of(client, page)
    token = {"none": None, "foreign": token_of(other, "/account/profile"), "made up": "x", "expired": own}[
        kind
    ]
    if kind == "expired":
        clock.forward(hours=9)
        if who == "ada":
            cast.ada.sign_in(client)
    before, acts = database.rows(), database.execute(ACTS)

    is_ours = kind in ("foreign", "expired")
    assert refused(client, places, token, AS_THE_PAGE if is_ours else REFUSED) == []

    after = database.rows()
    assert database.execute(ACTS) == acts
    changed = {name for name in before if before[name] != after[name]} - COUNTED - {"audit_events"}
    assert changed <= ({"sessions", "accounts"} if kind == "expired" else set()), "but for the last sight"


SAID = {
    "nothing": {},
    "the site": {"Sec-Fetch-Site": "same-origin"},
    "the origin": {"Origin": "https://keys.example"},
    "the page": {"Referer": "https://keys.example/signin"},
}


@pytest.mark.sqlite_only(reason="what a browser says of a page has nothing to do with the database")
@pytest.mark.parametrize("told", SAID)
def test_a_browser_that_keeps_to_itself_where_it_comes_from_can_post_on_https(
    make_app: MakeApp, told: str
) -> None:
    """The token is the guard; what else a browser tells must be true, and it may tell nothing."""
    app = make_app(PORTAL_BASE_URL="https://keys.example")
    cast, client = make_cast(app), app.test_client()
    assert isinstance(client, PageChecker)
    client.environ_base |= {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in SAID[told].items()}

    assert cast.alice.sign_in(client).location == "/account"
    assert client.submit("/account/profile", {"bio": "Sews at night."}, form="/account/profile").location

    for foreign in ({"Referer": "https://evil.example/"}, {"Origin": "https://evil.example"}):
        refused = client.post(
            "/signout", data={"csrf_token": token_of(client, "/account/profile")}, headers=foreign
        )
        assert refused.status_code == 403
    assert client.post("/signout", data={}).status_code == 400, "without its token nothing is done"
