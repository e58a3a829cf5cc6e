"""Each limit at each of its doors: what page and API slow is one thing, counted in one place (row 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.services.ratelimits import questions
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker

WRONG = "not the password at all"
FRESH = "violet-harbour-fresh-9"
TOO_SHORT = "short"
AMOUNT = 3
KEYS = AMOUNT + 3
SECURITY = "/account/security"


@dataclass
class Scene:
    """Alice, signed in at the pages and at the API, with keys to use up; ``number`` is that of the try."""

    app: Flask
    cast: Cast
    keys: list[CreatedKey]
    page: PageChecker
    jwt: dict[str, str]
    number: int = 0

    @property
    def stranger(self) -> PageChecker:
        """A browser that nobody is signed in with."""
        client = self.app.test_client()
        assert isinstance(client, PageChecker)
        return client

    def patch(self, **changes: Any) -> TestResponse:
        """Ask the API for a change of the account."""
        return self.stranger.patch("/api/account/jwt", json=changes, headers=self.jwt)


Door = Callable[[Scene], TestResponse]


def page_form(path: str, *, key: bool = False, **fields: str) -> Door:
    """A try at a page; ``{n}`` in what is given is another number each time."""

    def knock(it: Scene) -> TestResponse:
        at = path.format(key=it.keys.pop().id if key else "")
        given = {k: v.format(n=it.number, right=it.cast.alice.password) for k, v in fields.items()}
        with it.page.expecting_secret():
            return it.page.submit(at, given, form=at if at == SECURITY else None)

    return knock


def stranger_form(path: str, **fields: str) -> Door:
    def knock(it: Scene) -> TestResponse:
        return it.stranger.submit(path, fields)

    return knock


def link(path: str, **fields: str) -> Door:
    """Somebody who guesses a mailed link: there is no page to load, so the post comes by itself."""
    return lambda it: it.stranger.post(path, data=fields)


def json(path: str, **body: Any) -> Door:
    return lambda it: it.stranger.post(path, json=body)


def new_key(door: str) -> Door:
    def knock(it: Scene) -> TestResponse:
        headers = it.jwt
        if door == "key":
            headers = {"Authorization": f"Bearer {it.keys.pop().secret}"}
        wanted = {"name": "ci", "level": 1, "expiresIn": 60}
        return it.stranger.post(f"/api/apikeys/{door}", json=wanted, headers=headers)

    return knock


def rotate(it: Scene) -> TestResponse:
    return it.stranger.post(f"/api/apikeys/{it.keys.pop().id}/rotate/jwt", headers=it.jwt)


def new_email(it: Scene) -> TestResponse:
    return it.patch(email=f"new-{it.number}@example.org", currentPassword=it.cast.alice.password)


LIMITS: dict[str, tuple[str, dict[str, Door]]] = {
    "sign in": (
        "SIGN_IN_OWN",
        {
            "page": stranger_form("/signin", username="alice", password=WRONG),
            "api": json("/api/signin", username="alice", password=WRONG),
        },
    ),
    "prove who you are": (
        "PROVE_OWN",
        {
            "page: password": page_form(SECURITY, current_password=WRONG, password=FRESH),
            "page: lock": page_form(f"{SECURITY}/lock", current_password=WRONG),
            "page: remove": page_form(f"{SECURITY}/remove", current_password=WRONG),
            "page: email": page_form(
                "/account/profile/email", email="new@example.org", current_password=WRONG
            ),
            "api: password": lambda it: it.patch(password=FRESH, currentPassword=WRONG),
            "api: email": lambda it: it.patch(email="new@example.org", currentPassword=WRONG),
        },
    ),
    "another email": (
        "NEW_EMAIL_ACCOUNT",
        {
            "page": page_form(
                "/account/profile/email", email="new-{n}@example.org", current_password="{right}"
            ),
            "api": new_email,
        },
    ),
    "issue a key": (
        "ISSUE_ACCOUNT",
        {
            "page: create": page_form("/account/keys/new", name="ci", level="1"),
            "page: rotate": page_form("/account/keys/{key}/rotate", key=True),
            "api: create with a JWT": new_key("jwt"),
            "api: create with a key": new_key("key"),
            "api: rotate": rotate,
        },
    ),
    "sign up": (
        "SIGN_UP_OWN",
        {
            "page": stranger_form("/signup", email="new@example.org"),
            "api": json("/api/signup", email="new@example.org", language="en"),
        },
    ),
    "forget the password": (
        "RESET_OWN",
        {"page": stranger_form("/password/forgot", email="alice@example.org")},
    ),
    "use a mailed link": (
        "CONFIRM_SOURCE",
        {
            "page: confirm": link("/confirm/guess", consent="1"),
            "page: reset": link("/password/reset/guess", password=FRESH),
            "api": json("/api/confirm/signup/guess", consent=1),
        },
    ),
    "report a leak": (
        "LEAK_SOURCE",
        {
            "page": stranger_form("/leaks", text="nothing of ours"),
            "api": json("/api/leaks", secrets=["nothing of ours"]),
        },
    ),
}
DOORS = [(limit, door) for limit, (_name, doors) in LIMITS.items() for door in doors]


@pytest.fixture
def scene(app: Flask, cast: Cast, client: PageChecker, make_key: MakeKey) -> Scene:
    cast.alice.sign_in(client)
    wanted = {"username": "alice", "password": cast.alice.password}
    token = app.test_client().post("/api/signin", json=wanted).get_json()["token"]
    keys = [make_key(cast.alice) for _ in range(KEYS)]
    return Scene(app, cast, keys, client, {"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(("limit", "door"), DOORS, ids=[f"{limit}, {door}" for limit, door in DOORS])
def test_what_one_door_has_used_up_is_used_up_at_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, limit: str, door: str
) -> None:
    """As often as is allowed at one door, and not once more at any: the honest wait is told at each."""
    name, doors = LIMITS[limit]
    monkeypatch.setattr(questions, name, replace(getattr(questions, name), amount=AMOUNT))
    for scene.number in range(AMOUNT):
        assert doors[door](scene).status_code != 429, scene.number

    refused = {each: doors[each](scene) for each in doors}

    assert {each: answer.status_code for each, answer in refused.items()} == dict.fromkeys(doors, 429)
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused.values())


@pytest.mark.parametrize("door", ["page", "api"])
def test_a_right_password_slows_nobody_whatever_else_was_wrong(scene: Scene, door: str) -> None:
    """The current password is right, the new one too short: no guess was made, at either door."""
    statuses = set()
    for _ in range(questions.PROVE_OWN.amount + 2):
        if door == "page":
            given = {"current_password": scene.cast.alice.password, "password": TOO_SHORT}
            statuses.add(scene.page.submit(SECURITY, given, form=SECURITY).status_code)
        else:
            answer = scene.patch(password=TOO_SHORT, currentPassword=scene.cast.alice.password)
            statuses.add(answer.status_code)

    assert statuses == {422 if door == "page" else 400}


@pytest.mark.parametrize(
    "path",
    ["/account/keys/new", SECURITY, f"{SECURITY}/lock", f"{SECURITY}/remove", "/account/profile/email"],
)
def test_whoever_is_not_signed_in_uses_up_nothing_of_anybody(scene: Scene, path: str) -> None:
    for _ in range(questions.ISSUE_ACCOUNT.amount + 1):
        answer = scene.stranger.post(path, data={"current_password": WRONG})
        assert answer.status_code in {302, 303, 400}, answer.status_code
