"""Libraries of OAuth, in their own words: discovery, introspection, revocation and what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from portal.services.keys import secrets
from tests.clients.others.conftest import Drive, Portal
from tests.support.cast import CreatedKey

INACTIVE = {"active": False}
DEAD = ("revoked", "expired", "unknown", "nonsense")
BASIC, POST = "client_secret_basic", "client_secret_post"


def shown(key: CreatedKey) -> dict[str, str]:
    return {"id": key.id, "secret": key.secret}


def tokens_of(portal: Portal) -> tuple[CreatedKey, dict[str, str]]:
    """A good key of level 2, and a token of each kind."""
    alice = portal.cast.alice
    good = portal.make_key(alice, level=2)
    return good, {
        "good": good.secret,
        "good, with its id": f"{good.id}:{good.secret}",
        "revoked": portal.make_revoked(alice).secret,
        "expired": portal.make_expired(alice).secret,
        "unknown": secrets.create_secret("chk"),
        "nonsense": "nonsense",
    }


def told_to(portal: Portal, tokens: dict[str, str], way: str) -> dict[str, Any]:
    """What each driver is told: whom to ask as, and about what."""
    service, alice = portal.make_service_key(), portal.cast.alice
    return {
        "url": portal.url,
        "way": way,
        "tokens": tokens,
        "service": shown(service),
        "owner": shown(portal.make_key(alice)),
        "victim": portal.make_key(alice).secret,
        "wrong": {"id": service.id, "secret": secrets.create_secret("chk")},
        "low": shown(portal.make_key(alice, level=1)),
    }


NODE = ("openid_client.mjs", "oauth4webapi.mjs")
CHALLENGED = {"code": "OAUTH_WWW_AUTHENTICATE_CHALLENGE", "status": 401, "challenges": ["basic"]}
TOO_LOW = {"code": "OAUTH_RESPONSE_BODY_ERROR", "status": 403, "error": "insufficient_scope"}


def assert_told(portal: Portal, good: CreatedKey, found: dict[str, Any]) -> None:
    """What every library has to have learned of the tokens."""
    answers = found["answers"]
    alive = {name: answers.pop(name) for name in ("good", "good, with its id")}
    for told in alive.values():
        assert told["active"] is True
        assert (told["sub"], told["username"]) == (str(portal.cast.alice.account_id), "alice")
        assert (told["client_id"], told["iss"]) == (good.id, portal.url)
        assert told["scope"].split() == ["level:0", "level:1", "level:2"]
        assert told["iat"] <= time.time() < told["exp"]
    assert answers == dict.fromkeys(DEAD, INACTIVE)
    assert (found["issuer"], found["after"]) == (portal.url, INACTIVE)


@pytest.mark.parametrize("way", [BASIC, POST])
@pytest.mark.parametrize("driver", NODE)
def test_clients_of_openid_find_the_doors_ask_and_revoke(
    portal: Portal, drive: Drive, driver: str, way: str
) -> None:
    good, tokens = tokens_of(portal)

    found = drive(driver, **told_to(portal, tokens, way))

    assert_told(portal, good, found)
    assert (found["wrong"], found["wrongRevocation"]) == (CHALLENGED, CHALLENGED)
    assert found["low"] == TOO_LOW


@pytest.mark.parametrize("way", [BASIC, POST])
def test_authlib_asks_revokes_and_guards_a_service(portal: Portal, drive: Drive, way: str) -> None:
    good, tokens = tokens_of(portal)

    found = drive("authlib_client.py", **told_to(portal, tokens, way))

    assert_told(portal, good, found)
    assert found["revoked"] == 200
    wrong = {"status": 401, "error": "invalid_client", "described": True}
    assert (found["wrong"], found["wrongRevocation"]) == (wrong, wrong)
    assert found["low"] == {"status": 403, "error": "insufficient_scope", "described": True}
    guarded = found["guarded"]
    assert {tuple(guarded.pop(name)) for name in DEAD} == {("invalid_token", "invalid_token")}
    assert {tuple(each) for each in guarded.values()} == {("let in", "insufficient_scope")}


@pytest.mark.parametrize("way", [BASIC, POST])
def test_a_server_of_fastmcp_lets_in_whom_the_portal_knows(portal: Portal, drive: Drive, way: str) -> None:
    good, tokens = tokens_of(portal)
    tokens["too low"] = portal.make_key(portal.cast.alice, level=0).secret
    del tokens["good, with its id"]  # no token of Bearer

    found = drive("fastmcp_server.py", **told_to(portal, tokens, way))

    alive = found["answers"].pop("good")
    who = f"{portal.cast.alice.account_id} {good.id} level:0 level:1 level:2"
    assert alive == {"status": 200, "said": who}
    refused = {"status": 401, "said": "invalid_token"}
    assert found["answers"] == dict.fromkeys((*DEAD, "too low"), refused)
    assert (found["wrong"], found["low"]) == (refused, refused), "a service that may not ask lets nobody in"


AUDIENCES = {"orders": "orders", "orders and billing": "orders billing", "billing": "billing", "none": ""}


@pytest.mark.parametrize(
    ("asked", "let_in"),
    [("orders", {"orders", "orders and billing", "none"}), ("", {"orders", "orders and billing"})],
)
def test_a_server_of_fastmcp_takes_only_keys_for_its_audience(
    portal: Portal, drive: Drive, asked: str, let_in: set[str]
) -> None:
    """With a service key in its name the portal looks too; with one in nobody's, fastmcp alone does."""
    tokens = {
        name: portal.make_key(portal.cast.alice, audiences=bound).secret for name, bound in AUDIENCES.items()
    }
    told = told_to(portal, {"good": tokens["orders"], **tokens}, BASIC)
    told["service"] = shown(portal.make_service_key(asked))

    found = drive("fastmcp_server.py", **told, audience="orders")

    assert {name for name in tokens if found["answers"][name]["status"] == 200} == let_in
