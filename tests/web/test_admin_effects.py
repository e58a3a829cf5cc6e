"""What operators and owners do acts by the next request, on sessions and JWTs that are open (row 16)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from portal.models import Action, ActorKind, TokenPurpose
from portal.permissions import Role
from portal.services.accounts import recovery, removal
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.mail import tokens
from portal.services.operators import actions
from tests.conftest import MakeKey
from tests.support.cast import Cast, Person
from tests.support.client import PageChecker

SHELL = Actor.command_line()
STRANGER = Actor(ActorKind.ANONYMOUS)
NEW = "lantern gravel otter sixty"


def reset(who: Person) -> None:
    with transaction() as session:
        link = tokens.mint(session, TokenPurpose.RESET, account_id=who.account_id, email=who.email)
    recovery.reset_password(STRANGER, link, NEW)


OWNERS: dict[str, Callable[[Person], object]] = {
    "lock": lambda who: recovery.lock(who.actor, who.password),
    "new password": lambda who: recovery.change_password(who.actor, NEW, current=who.password),
    "reset": reset,
    "removal": lambda who: removal.remove_account(who.actor, who.password),
}


@pytest.fixture
def alice(cast: Cast, new_client: Callable[[], PageChecker]) -> PageChecker:
    """A browser in which Alice has signed in."""
    client = new_client()
    cast.alice.sign_in(client)
    return client


def token(client: PageChecker, person: Person) -> dict[str, str]:
    answer = client.post("/api/signin", json={"username": person.email, "password": person.password})
    return {"Authorization": f"Bearer {answer.get_json()['token']}"}


def test_a_block_ends_session_and_jwt_and_unblocking_does_not_bring_them_back(
    app: Flask, cast: Cast, client: PageChecker, alice: PageChecker
) -> None:
    jwt = token(client, cast.alice)
    assert client.get("/api/whoami/jwt", headers=jwt).status_code == 200
    assert alice.get("/account/keys").status_code == 200
    with app.app_context():
        actions.block(SHELL, cast.alice.account_id, why="spam")
    assert client.get("/api/whoami/jwt", headers=jwt).status_code == 401
    assert alice.get("/account/keys").status_code == 302
    with app.app_context():
        actions.unblock(SHELL, cast.alice.account_id, why="a mistake")
    assert client.get("/api/whoami/jwt", headers=jwt).status_code == 401
    assert alice.get("/account/keys").status_code == 302


@pytest.mark.parametrize("way", ["page", "command line"])
def test_an_operator_ends_somebodys_sessions_and_nothing_else(
    app: Flask, cast: Cast, client: PageChecker, alice: PageChecker, make_key: MakeKey, way: str
) -> None:
    key, jwt = make_key(cast.alice), token(client, cast.alice)
    if way == "page":
        cast.sue.sign_in(client)
        path = f"/admin/accounts/{cast.alice.account_id}/end-sessions"
        assert client.submit(path, {"reason": " "}).status_code == 422
        assert client.submit(path, {"reason": "a stolen laptop"}).status_code == 303
    else:
        words = ["account", "end-sessions", cast.alice.email, "--reason", "a stolen laptop"]
        assert app.test_cli_runner().invoke(args=words).exit_code == 0

    assert alice.get("/account/keys").status_code == 302
    assert client.get("/api/whoami/jwt", headers=jwt).status_code == 401
    assert client.get("/api/whoami/key", auth=(key.id, key.secret)).status_code == 200
    with app.app_context():
        (event,) = audit.list_events(account_id=cast.alice.account_id, action=Action.SESSIONS_ENDED)
        assert event.reason == "a stolen laptop"
    cast.alice.sign_in(alice)
    assert "End sessions" not in alice.get("/account/activity").text


@pytest.mark.parametrize("who", ["alice", "bob", "sue"])
def test_only_who_stands_above_ends_the_sessions_of_others(
    cast: Cast, new_client: Callable[[], PageChecker], who: str
) -> None:
    browser = new_client()
    getattr(cast, who).sign_in(browser)

    assert browser.get(f"/admin/accounts/{cast.ada.account_id}/end-sessions").status_code in {403, 404}


def test_a_fall_acts_on_the_open_session_and_jwt(
    app: Flask, cast: Cast, client: PageChecker, new_client: Callable[[], PageChecker]
) -> None:
    browser = new_client()
    cast.sue.sign_in(browser)
    jwt = token(client, cast.sue)
    wanted = {"name": "too high", "level": 8, "expiresIn": 60}
    assert client.post("/api/apikeys/jwt", headers=jwt, json=wanted).status_code == 201
    with app.app_context():
        actions.set_role(SHELL, cast.sue.account_id, Role.USER)
    refused = client.post("/api/apikeys/jwt", headers=jwt, json=wanted)
    assert (refused.status_code, refused.get_json()["error"]) == (400, "keyLevelExceedsRoleLevel")
    assert client.get("/api/whoami/jwt", headers=jwt).get_json()["account"]["role"] == "user"
    assert browser.get("/admin/accounts").status_code == 404
    assert browser.get("/account/keys").status_code == 200


def test_a_rise_asks_for_a_new_sign_in(
    app: Flask, cast: Cast, client: PageChecker, alice: PageChecker
) -> None:
    jwt = token(client, cast.alice)
    with app.app_context():
        actions.set_role(SHELL, cast.alice.account_id, Role.SUPPORT)
    assert client.get("/api/whoami/jwt", headers=jwt).status_code == 401
    assert alice.get("/admin/accounts").status_code == 302
    cast.alice.sign_in(alice)
    assert alice.get("/admin/accounts").status_code == 200


@pytest.mark.parametrize("act", OWNERS)
def test_what_an_owner_does_ends_the_other_session_and_the_jwt(
    app: Flask, cast: Cast, client: PageChecker, alice: PageChecker, act: str
) -> None:
    jwt = token(client, cast.alice)
    assert client.get("/api/whoami/jwt", headers=jwt).status_code == 200
    assert alice.get("/account/keys").status_code == 200

    with app.app_context():
        OWNERS[act](cast.alice)

    assert client.get("/api/whoami/jwt", headers=jwt).status_code == 401
    assert alice.get("/account/keys").status_code == 302
