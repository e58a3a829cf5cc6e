"""Sign up, confirm and sign in through the API: one outcome for each status."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from portal.services.accounts import recovery
from portal.services.operators import actions
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.mailbox import Mailbox

pytestmark = pytest.mark.usefixtures("cast")  # an admin is there, so people can sign up

NEW = {"email": "carol@example.org", "language": "en"}


def test_signing_up_answers_with_the_address(client: PageChecker) -> None:
    response = client.post("/api/signup", json=NEW)

    assert response.status_code == 201
    assert response.json == {"result": "success", "email": "carol@example.org"}


def test_a_taken_address_gets_the_same_answer(client: PageChecker, cast: Cast) -> None:
    response = client.post("/api/signup", json={"email": cast.alice.email, "language": "en"})

    assert response.status_code == 201
    assert response.json == {"result": "success", "email": cast.alice.email}


@pytest.mark.sqlite_only(reason="what is wrong with a body has nothing to do with the database")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "postBodyMissing"),
        ({}, "postBodyMissing"),
        ({"language": "en"}, "emailMissing"),
        ({"email": "", "language": "en"}, "emailMissing"),
        ({"email": None, "language": "en"}, "emailMissing"),
        ({"email": 5, "language": "en"}, "fieldInvalid"),
        ({"email": "carol", "language": "en"}, "emailInvalid"),
        ({"email": "carol@example.org"}, "languageMissing"),
        ({"email": "carol@example.org", "language": "tlh"}, "unsupportedLanguage"),
    ],
)
def test_what_a_sign_up_lacks_is_told(client: PageChecker, body: Any, code: str) -> None:
    response = client.post("/api/signup", json=body) if body is not None else client.post("/api/signup")

    assert response.status_code == 400
    assert response.json
    assert response.json["error"] == code


def test_a_newcomer_signs_up_confirms_and_makes_a_key(client: PageChecker, mailbox: Mailbox) -> None:
    client.post("/api/signup", json=NEW)
    token = _token(mailbox)
    confirmed = client.post(f"/api/confirm/signup/{token}", json={"consent": 1})

    assert confirmed.status_code == 200
    assert confirmed.json
    assert confirmed.json["account"]["email"] == "carol@example.org"
    assert confirmed.json["account"]["status"] == 1
    bearer = {"Authorization": f"Bearer {confirmed.json['token']}"}
    wanted = {"name": "first", "level": 4, "expiresIn": 3600}
    created = client.post("/api/apikeys/jwt", json=wanted, headers=bearer)
    assert created.status_code == 201

    password = {"password": "a calm harbour in november"}
    assert client.patch("/api/account/jwt", json=password, headers=bearer).status_code == 200
    signed_in = client.post("/api/signin", json={"username": "CAROL@example.org", **password})
    assert signed_in.status_code == 200


def test_confirming_asks_for_consent_and_keeps_the_link(client: PageChecker, mailbox: Mailbox) -> None:
    client.post("/api/signup", json=NEW)
    path = f"/api/confirm/signup/{_token(mailbox)}"

    for body in ({"consent": 0}, {"consent": True}, {"consent": "1"}, {"consent": 3}, {"other": 1}):
        refused = client.post(path, json=body)
        assert refused.status_code == 400
        assert refused.json
        assert refused.json["error"] == "consentRequired"
    assert client.post(path, json={"consent": 2}).status_code == 200
    again = client.post(path, json={"consent": 2})
    assert again.status_code == 404
    assert again.json
    assert again.json["error"] == "tokenInvalid"


def test_signing_in_by_name_address_or_number_in_any_case(client: PageChecker, cast: Cast) -> None:
    alice = cast.alice
    for username in ("ALICE", "Alice@Example.org", alice.account_id, str(alice.account_id)):
        response = client.post("/api/signin", json={"username": username, "password": alice.password})

        assert response.status_code == 200
        assert response.json
        assert response.json["result"] == "success"
        assert response.json["account"]["id"] == alice.account_id
        headers = {"Authorization": f"Bearer {response.json['token']}"}
        assert client.get("/api/whoami/jwt", headers=headers).status_code == 200


@pytest.mark.sqlite_only(reason="what is wrong with a body has nothing to do with the database")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "postBodyMissing"),
        ({"password": "x"}, "usernameMissing"),
        ({"username": " ", "password": "x"}, "usernameMissing"),
        ({"username": "alice"}, "passwordMissing"),
        ({"username": "alice", "password": ""}, "passwordMissing"),
        ({"username": ["alice"], "password": "x"}, "fieldInvalid"),
    ],
)
def test_what_a_sign_in_lacks_is_told(client: PageChecker, body: Any, code: str) -> None:
    response = client.post("/api/signin", json=body)

    assert response.status_code == 400
    assert response.json
    assert response.json["error"] == code


def test_an_unknown_name_and_a_wrong_password_look_alike(client: PageChecker, cast: Cast) -> None:
    answers = [
        client.post("/api/signin", json={"username": username, "password": "wrong-harbour-17-x"})
        for username in ("alice", "nobody-there")
    ]

    assert [answer.status_code for answer in answers] == [401, 401]
    first, second = (
        {name: value for name, value in (answer.json or {}).items() if name != "requestId"}
        for answer in answers
    )
    assert first == second
    assert first["error"] == "signInFailed"


def test_somebody_blocked_is_told_so_with_the_right_password_only(
    app: Flask, client: PageChecker, cast: Cast
) -> None:
    with app.app_context():
        actions.block(cast.ada.actor, cast.alice.account_id, why="spam")

    right = client.post("/api/signin", json={"username": "alice", "password": cast.alice.password})
    wrong = client.post("/api/signin", json={"username": "alice", "password": "wrong-harbour-17-x"})

    assert (right.status_code, right.json and right.json["error"]) == (403, "accountBlocked")
    assert (wrong.status_code, wrong.json and wrong.json["error"]) == (401, "signInFailed")


def test_somebody_who_locked_the_account_gets_the_way_back_by_mail(
    app: Flask, client: PageChecker, cast: Cast, mailbox: Mailbox
) -> None:
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    mailbox.last(to=cast.alice.email)

    response = client.post("/api/signin", json={"username": "alice", "password": cast.alice.password})

    assert response.status_code == 403
    assert response.json
    assert response.json["error"] == "accountLocked"
    assert "/unlock/" in mailbox.last(to=cast.alice.email).text


def test_a_source_that_guesses_is_slowed_and_told_for_how_long(client: PageChecker, cast: Cast) -> None:
    guess = {"username": "alice", "password": "wrong-harbour-17-x"}
    statuses = [client.post("/api/signin", json=guess).status_code for _ in range(10)]
    slowed = client.post("/api/signin", json=guess)

    assert set(statuses) == {401}
    assert slowed.status_code == 429
    assert slowed.json
    assert slowed.json["error"] == "tooManyRequests"
    assert 0 < int(slowed.headers["Retry-After"]) <= 15 * 60


def _token(mailbox: Mailbox) -> str:
    found = re.search(r"/confirm/([\w-]+)", mailbox.last(to="carol@example.org").text)
    assert found
    return found.group(1)
