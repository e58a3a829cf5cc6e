"""How often something can be asked for through the API."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.services.ratelimits import questions
from tests.api.conftest import Bearer
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import Database

PATH = "/api/account/jwt"
TRIES = 30


def test_guessing_the_current_password_is_slowed(
    client: PageChecker, cast: Cast, bearer: Bearer, database: Database
) -> None:
    headers = bearer(cast.alice)
    wrong = {"password": "violet-harbour-fresh-9", "currentPassword": "a guess"}
    answers = [client.patch(PATH, json=wrong, headers=headers) for _ in range(TRIES)]

    assert {answer.status_code for answer in answers[:10]} == {400}
    assert {answer.status_code for answer in answers[10:]} == {429}
    assert int(answers[-1].headers["Retry-After"]) > 0
    right = wrong | {"currentPassword": cast.alice.password}
    assert client.patch(PATH, json=right, headers=headers).status_code == 429, "a guess may be right"
    assert client.get("/api/whoami/jwt", headers=headers).status_code == 200, "the owner works on"


def test_right_passwords_do_not_add_up(client: PageChecker, cast: Cast, bearer: Bearer) -> None:
    headers, password = bearer(cast.alice), cast.alice.password
    for number in range(12):
        wanted = {"password": f"violet-harbour-fresh-{number}", "currentPassword": password}
        assert client.patch(PATH, json=wanted, headers=headers).status_code == 200, number
        password = wanted["password"]


def test_changes_of_address_are_slowed_and_mail_few_strangers(
    client: PageChecker, cast: Cast, bearer: Bearer, database: Database
) -> None:
    headers = bearer(cast.alice)
    for number in range(TRIES):
        wanted = {"email": f"stranger-{number}@example.org", "currentPassword": cast.alice.password}
        answer = client.patch(PATH, json=wanted, headers=headers)
        assert answer.status_code in {200, 429}, answer.text

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    [(mails,)] = database.execute("SELECT count(*) FROM outbox WHERE address LIKE 'stranger-%'")
    assert mails <= 20


def test_sign_ups_are_slowed(client: PageChecker, cast: Cast) -> None:
    wanted = {"email": "new@example.org", "language": "en"}
    answers = [client.post("/api/signup", json=wanted) for _ in range(questions.SIGN_UP_OWN.amount + 1)]

    assert [answer.status_code for answer in answers] == [201] * questions.SIGN_UP_OWN.amount + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_guessing_links_is_slowed(client: PageChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "CONFIRM_SOURCE", replace(questions.CONFIRM_SOURCE, amount=3))
    answers = [client.post("/api/confirm/signup/guess", json={"consent": 1}) for _ in range(4)]

    assert answers[-1].status_code == 429
    assert {answer.status_code for answer in answers[:3]}.isdisjoint({200, 429})


@pytest.mark.parametrize("act", ["create", "rotate"])
def test_keys_are_made_so_often_and_no_oftener(
    client: PageChecker,
    cast: Cast,
    bearer: Bearer,
    make_key: MakeKey,
    monkeypatch: pytest.MonkeyPatch,
    act: str,
) -> None:
    keys = [make_key(cast.alice) for _ in range(3)]
    monkeypatch.setattr(questions, "ISSUE_ACCOUNT", replace(questions.ISSUE_ACCOUNT, amount=2))
    headers, statuses = bearer(cast.alice), []
    for key in keys:
        if act == "create":
            wanted = {"name": "ci", "level": 1, "expiresIn": 60}
            answer = client.post("/api/apikeys/jwt", json=wanted, headers=headers)
        else:
            answer = client.post(f"/api/apikeys/{key.id}/rotate/jwt", headers=headers)
        statuses.append(answer.status_code)

    assert statuses == [201, 201, 429]
