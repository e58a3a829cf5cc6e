"""What is sent beyond the form changes nothing, and what is shown is what may be shown (row 22)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker, find_form, form_values
from tests.support.databases import Database

ACCOUNT_FIELDS = {
    "id",
    "username",
    "lusername",
    "email",
    "bio",
    "role",
    "status",
    "consent",
    "language",
    "mfaEnabled",
    "createdAt",
    "updatedAt",
    "lastSeen",
}
KEY_FIELDS = {"key", "name", "level", "createdAt", "expiresAt", "userId"}
MORE_KEY_FIELDS = {
    "kind", "environment", "networks", "audiences", "notBefore", "maxIdle", "callsPerMinute", "callsPerDay",
    "note", "replaces", "retiresAt",
}  # fmt: skip
"""What an answer may have beyond the contract's own names."""
OWN_COLUMNS = "id, email, role, status, consent_version, password_hash, mfa_enabled, created_at, removed_at"
CANARY_HASH = "$argon2id$canary-of-the-hash"

TOO_MUCH: dict[str, Any] = {
    "id": 1,
    "account_id": 1,
    "accountId": 1,
    "userId": 1,
    "role": "admin",
    "level_of_role": 9,
    "status": 0,
    "email_confirmed": "x",
    "consent_version": "forged",
    "password_hash": CANARY_HASH,
    "passwordHash": CANARY_HASH,
    "mfa_enabled": True,
    "mfaEnabled": True,
    "created_at": 0,
    "createdAt": "2001-01-01T00:00:00Z",
    "removed_at": 0,
    "is_admin": True,
    "__class__": "Account",
}
KEY_TOO_MUCH: dict[str, Any] = {
    **TOO_MUCH,
    "id": "01980000-0000-7000-8000-000000000000",
    "key": "01980000-0000-7000-8000-000000000000",
    "secret": "chk_" + "A" * 49,
    "digest": "A" * 32,
    "pepper_id": "p9",
    "expires_at": 0,
    "expiresAt": "2999-01-01T00:00:00Z",
    "revoked_at": 0,
    "made_by_key_id": "01980000-0000-7000-8000-000000000000",
    "replaces_id": "01980000-0000-7000-8000-000000000000",
    "calls": 1000,
}


def own_columns(database: Database) -> list[tuple[Any, ...]]:
    return database.execute(f"SELECT {OWN_COLUMNS} FROM accounts ORDER BY id")


def jwt(client: PageChecker, cast: Cast) -> dict[str, str]:
    credentials = {"username": cast.alice.email, "password": cast.alice.password}
    return {"Authorization": f"Bearer {client.post('/api/signin', json=credentials).get_json()['token']}"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/account/profile", {"bio": "new"}),
        ("/account/consent", {"consent": "2"}),
        ("/account/profile/email", {"email": "other@example.org", "current_password": "wrong"}),
    ],
)
def test_forms_take_only_their_own_fields(
    database: Database, client: PageChecker, cast: Cast, path: str, fields: dict[str, str]
) -> None:
    cast.alice.sign_in(client)
    before = own_columns(database)
    form = find_form(client.page(path), path)

    answer = client.post(path, data={**TOO_MUCH, **form_values(form), **fields})

    assert answer.status_code in {303, 422}
    assert own_columns(database)[0][:4] == before[0][:4]
    assert [row[5:] for row in own_columns(database)] == [row[5:] for row in before]


def test_the_form_of_a_key_takes_only_its_own_fields(
    database: Database, client: PageChecker, cast: Cast
) -> None:
    cast.alice.sign_in(client)
    path = "/account/keys/new"
    wanted = {"name": "mine", "level": "1", "expires": "7"}
    form = form_values(find_form(client.page(path), path))

    with client.expecting_secret():
        answer = client.post(path, data={**KEY_TOO_MUCH, **form, **wanted})

    assert answer.status_code == 200
    [(owner, name, level, life, maker, revoked)] = database.execute(
        "SELECT account_id, name, level, expires_at - created_at, made_by_key_id, revoked_at FROM api_keys"
    )
    assert (owner, name, level, maker, revoked) == (cast.alice.account_id, "mine", 1, None, None)
    assert 6 * 86_400_000 < life <= 8 * 86_400_000


def test_the_api_takes_only_its_own_fields(
    database: Database, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice)
    before = own_columns(database)

    for headers in (key.headers, jwt(client, cast)):
        door = "jwt" if headers["Authorization"].startswith("Bearer") else "key"
        answer = client.patch(f"/api/account/{door}", json={**TOO_MUCH, "bio": door}, headers=headers)
        assert (answer.status_code, answer.get_json()["account"]["bio"]) == (200, door)
        wanted = {**KEY_TOO_MUCH, "name": "mine", "level": 1, "expiresIn": 60}
        created = client.post(f"/api/apikeys/{door}", json=wanted, headers=headers).get_json()["apikey"]
        assert created["userId"] == cast.alice.account_id
        assert created["key"] != KEY_TOO_MUCH["key"]
        assert created["secret"] != KEY_TOO_MUCH["secret"]
    answer = client.post(
        "/api/signup", json={**TOO_MUCH, "email": "new@example.org", "language": "en"}, headers={}
    )
    assert answer.status_code == 201

    assert own_columns(database) == before


def test_answers_have_the_fields_of_the_contract_and_no_others(
    app: Flask, database: Database, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice)
    bearer = jwt(client, cast)
    hashes = [str(row[0]) for row in database.execute("SELECT password_hash FROM accounts")]
    digests = [bytes(row[0]) for row in database.execute("SELECT digest FROM api_keys")]
    wanted = {"name": "mine", "level": 1, "expiresIn": 60}
    created = client.post("/api/apikeys/key", json=wanted, headers=key.headers)
    answers = [
        client.get("/api/account/key", headers=key.headers),
        client.get("/api/account/jwt", headers=bearer),
        client.get("/api/whoami/jwt", headers=bearer),
        client.get("/api/whoami/key", headers=key.headers),
        client.get("/api/apikeys/key", headers=key.headers),
        client.get(f"/api/apikeys/{key.id}/key", headers=key.headers),
        created,
    ]

    assert set(created.get_json()["apikey"]) == KEY_FIELDS | MORE_KEY_FIELDS | {"secret"}
    assert set(answers[3].get_json()["apikey"]) == KEY_FIELDS
    for answer in answers:
        assert answer.status_code in {200, 201}
        body = answer.get_json()
        if "account" in body:
            assert set(body["account"]) == ACCOUNT_FIELDS
        for each in [*body.get("apikeys", []), *([body["apikey"]] if "apikey" in body else [])]:
            assert KEY_FIELDS <= set(each) | {"secret"} <= KEY_FIELDS | MORE_KEY_FIELDS | {"secret"}
            assert ("secret" in each) is (answer is created)
        assert not any(each in answer.text for each in hashes)
        assert not any(each.hex() in answer.text for each in digests)
