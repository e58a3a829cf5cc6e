"""The account through the API: read and changed, by a JWT and by a key."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from portal.services.accounts.update import change_account
from tests.api.conftest import Bearer
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

FACTS = {
    "id", "username", "lusername", "email", "bio", "role", "status", "consent", "language",
    "mfaEnabled", "createdAt", "updatedAt", "lastSeen",
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_jwt_and_a_key_read_the_same_account(
    client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer
) -> None:
    headers = bearer(cast.alice)
    answers = [
        client.get("/api/whoami/jwt", headers=headers).json,
        client.get("/api/account/jwt", headers=headers).json,
        client.get("/api/account/key", headers=make_key(cast.alice, level=2).headers).json,
    ]

    assert answers[0] == answers[1] == answers[2]
    assert answers[0]
    account = answers[0]["account"]
    assert set(account) == FACTS
    assert (account["id"], account["role"], account["status"]) == (cast.alice.account_id, "user", 1)
    assert (account["username"], account["mfaEnabled"]) == ("alice", False)
    assert all(TIME.fullmatch(account[name]) for name in ("createdAt", "updatedAt", "lastSeen"))


def test_a_level_that_is_too_low_is_refused(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    reader, nobody = make_key(cast.alice, level=3), make_key(cast.alice, level=1)

    for response in (
        client.get("/api/account/key", headers=nobody.headers),
        client.patch("/api/account/key", json={"bio": "x"}, headers=reader.headers),
    ):
        assert response.status_code == 403
        assert response.json
        assert response.json["error"] == "insufficientAccessLevel"


@pytest.mark.parametrize("door", ["jwt", "key"])
def test_what_is_given_changes_and_nothing_else(
    client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer, door: str
) -> None:
    headers = bearer(cast.alice) if door == "jwt" else make_key(cast.alice).headers
    before = client.get(f"/api/account/{door}", headers=headers).json
    wanted = {"username": "Alicia", "bio": "Makes things.", "language": "de", "consent": 2}
    mass = {"role": "admin", "status": 0, "id": 99, "mfaEnabled": True, "imperial": True}
    response = client.patch(f"/api/account/{door}", json=wanted | mass, headers=headers)

    assert response.status_code == 200
    assert before
    assert response.json
    account = response.json["account"]
    assert account | {"updatedAt": ""} == before["account"] | wanted | {
        "lusername": "alicia",
        "updatedAt": "",
    }
    assert client.get(f"/api/account/{door}", headers=headers).json == response.json


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "b"}, "usernameInvalid"),
        ({"username": "BOBBY"}, "usernameTaken"),
        ({"username": 7}, "fieldInvalid"),
        ({"username": "Supp0rt"}, "usernameReserved"),
        ({"bio": "x" * 2001}, "bioTooLong"),
        ({"bio": "a\u202eb"}, "bioNotPrintable"),
        ({"language": "tlh"}, "unsupportedLanguage"),
        ({"consent": 3}, "consentRequired"),
        ({"consent": True}, "consentRequired"),
        ({"email": "nonsense"}, "emailInvalid"),
        ({"currentPassword": None}, "passwordWrong"),
        ({"currentPassword": ""}, "passwordWrong"),
        ({"password": "violet-harbour-fresh-9", "currentPassword": None}, "passwordWrong"),
        ({"password": "violet-harbour-fresh-9", "currentPassword": "nope"}, "passwordWrong"),
    ],
)
def test_one_wrong_field_keeps_all_of_them_from_changing(
    client: PageChecker, cast: Cast, bearer: Bearer, database: Database, change: dict[str, Any], code: str
) -> None:
    headers = bearer(cast.alice)
    before = _acts(database)
    fine = {
        "username": "alicia",
        "bio": "new",
        "consent": 2,
        "email": "alicia@example.org",
        "currentPassword": cast.alice.password,
    }
    response = client.patch("/api/account/jwt", json=fine | change, headers=headers)

    assert response.status_code == 400
    assert response.json
    assert response.json["error"] == code
    assert _acts(database) == before


def test_the_address_changes_when_its_mail_is_answered(
    client: PageChecker, cast: Cast, bearer: Bearer, mailbox: Mailbox
) -> None:
    wanted = {"email": "alicia@example.org", "currentPassword": cast.alice.password}
    response = client.patch("/api/account/jwt", json=wanted, headers=bearer(cast.alice))

    assert response.status_code == 200
    assert response.json
    assert response.json["account"]["email"] == cast.alice.email
    assert "confirm" in mailbox.last(to="alicia@example.org").text


def test_the_password_changes_with_the_current_one_and_other_sessions_end(
    client: PageChecker, cast: Cast, bearer: Bearer
) -> None:
    mine, other = bearer(cast.alice), bearer(cast.alice)
    wanted = {"password": "violet-harbour-fresh-9", "currentPassword": cast.alice.password}

    assert client.patch("/api/account/jwt", json=wanted, headers=mine).status_code == 200
    assert client.get("/api/whoami/jwt", headers=mine).status_code == 200
    assert client.get("/api/whoami/jwt", headers=other).status_code == 401
    fresh = {"username": "alice", "password": "violet-harbour-fresh-9"}
    assert client.post("/api/signin", json=fresh).status_code == 200


@pytest.mark.parametrize("wanted", [{"password": "violet-harbour-fresh-9"}, {"email": "alicia@example.org"}])
def test_no_key_sets_password_or_address(
    client: PageChecker, cast: Cast, make_key: MakeKey, database: Database, wanted: dict[str, str]
) -> None:
    for level in (3, 4):
        key = make_key(cast.alice, level=level)
        before = _acts(database)
        response = client.patch("/api/account/key", json={"bio": "x", **wanted}, headers=key.headers)

        assert response.status_code == 403
        assert response.json
        assert response.json["error"] == "insufficientAccessLevel"
        assert _acts(database) == before


def test_without_consent_a_jwt_reads_whoami_and_gives_consent_only(
    app: Flask, client: PageChecker, cast: Cast, bearer: Bearer
) -> None:
    headers = bearer(cast.alice)
    with app.app_context():
        change_account(cast.alice.actor, consent=0)

    for response in (
        client.get("/api/account/jwt", headers=headers),
        client.get("/api/apikeys/jwt", headers=headers),
        client.post("/api/apikeys/jwt", json={"name": "x", "level": 0, "expiresIn": 9}, headers=headers),
        client.patch("/api/account/jwt", json={"bio": "x"}, headers=headers),
        client.delete("/api/apikeys/x/jwt", headers=headers),
    ):
        assert response.status_code == 451
        assert response.json
        assert response.json["error"] == "consentLacking"
    assert client.get("/api/whoami/jwt", headers=headers).status_code == 200
    given = client.patch("/api/account/jwt", json={"consent": 1}, headers=headers)
    assert given.status_code == 200
    assert given.json
    assert given.json["account"]["consent"] == 1
    assert client.get("/api/account/jwt", headers=headers).status_code == 200


@pytest.mark.parametrize("door", ["jwt", "key"])
def test_withdrawn_consent_revokes_every_key_for_good(
    client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer, door: str
) -> None:
    key, headers = make_key(cast.alice), bearer(cast.alice)
    path = f"/api/account/{door}"
    withdrawn = client.patch(path, json={"consent": 0}, headers=headers if door == "jwt" else key.headers)

    assert withdrawn.status_code == 200
    for consent in (0, 1):
        client.patch("/api/account/jwt", json={"consent": consent}, headers=headers)
        refused = client.get("/api/whoami/key", headers=key.headers)
        assert (refused.status_code, refused.json and refused.json["error"]) == (401, "apikeyRevoked")


def _acts(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """What matters of the database: the accounts, the acts and the mails."""
    rows = database.rows()
    return {name: rows[name] for name in ("accounts", "audit_events", "outbox", "api_keys")}
