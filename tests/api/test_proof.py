"""Who changes the address or the password proves to be the owner, at page and API alike (rows 9 and 72)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from portal.services.ratelimits import questions
from tests.api.conftest import Bearer
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

FRESH = "lantern gravel otter sixty"
THIEF = "thief@example.org"
WRONG = "not the password at all"
SLOW = questions.PROVE_OWN.amount


@pytest.fixture
def alice(client: PageChecker, cast: Cast) -> PageChecker:
    """Alice's browser, which somebody else sits at."""
    cast.alice.sign_in(client)
    return client


Try = Callable[[str, dict[str, Any]], TestResponse]


@pytest.fixture
def doors(alice: PageChecker, cast: Cast, bearer: Bearer) -> dict[str, Try]:
    """Both doors: a password that is said to be the current one, and what shall change."""
    headers = bearer(cast.alice)

    def api(current: str, wanted: dict[str, Any]) -> TestResponse:
        return alice.patch("/api/account/jwt", json={**wanted, "currentPassword": current}, headers=headers)

    def page(current: str, wanted: dict[str, Any]) -> TestResponse:
        path = "/account/profile/email" if "email" in wanted else "/account/security"
        token = alice.page("/account/profile").select_one("main input[name=csrf_token]")
        assert token
        return alice.post(
            path, data={**wanted, "current_password": current, "csrf_token": str(token["value"])}
        )

    return {"api": api, "page": page}


CHANGES: list[dict[str, Any]] = [{"email": THIEF}, {"password": FRESH}]


@pytest.mark.parametrize("door", ["api", "page"])
@pytest.mark.parametrize("wanted", CHANGES, ids=["email", "password"])
@pytest.mark.parametrize("current", ["", WRONG])
def test_a_session_alone_changes_neither(
    doors: dict[str, Try],
    cast: Cast,
    database: Database,
    mailbox: Mailbox,
    door: str,
    wanted: dict[str, Any],
    current: str,
) -> None:
    before = database.execute("SELECT email, password_hash FROM accounts ORDER BY id")

    answer = doors[door](current, wanted)

    assert answer.status_code == (400 if door == "api" else 422)
    if door == "api":
        assert answer.json
        assert answer.json["error"] == "passwordWrong"
    assert mailbox.all() == []
    assert database.execute("SELECT email, password_hash FROM accounts ORDER BY id") == before


def test_a_body_without_the_current_password_changes_no_address(
    client: PageChecker, cast: Cast, bearer: Bearer, mailbox: Mailbox
) -> None:
    answer = client.patch("/api/account/jwt", json={"email": THIEF}, headers=bearer(cast.alice))

    assert (answer.status_code, answer.json and answer.json["error"]) == (400, "passwordWrong")
    assert mailbox.all() == []


@pytest.mark.parametrize("wanted", CHANGES, ids=["email", "password"])
def test_page_and_api_count_the_tries_together(doors: dict[str, Try], wanted: dict[str, Any]) -> None:
    codes = [doors[("api", "page")[number % 2]](WRONG, wanted).status_code for number in range(SLOW)]

    assert 429 not in codes
    for door in doors.values():
        slowed = door(WRONG, wanted)
        assert slowed.status_code == 429
        assert 0 < int(slowed.headers["Retry-After"]) <= questions.PROVE_OWN.seconds


@pytest.mark.parametrize("door", ["api", "page"])
def test_the_right_password_with_a_bad_new_one_is_no_try(
    doors: dict[str, Try], cast: Cast, door: str
) -> None:
    codes = {doors[door](cast.alice.password, {"password": "short"}).status_code for _ in range(SLOW + 2)}

    assert codes == {400 if door == "api" else 422}


def test_many_sources_guess_one_password_no_oftener_than_an_account_allows(
    app: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "PROVE_ACCOUNT", questions.Limit("few", 6, 900, spares=1))
    with app.app_context():
        answers = [bool(questions.may_prove(f"192.0.2.{n % 9}", cast.alice.account_id)) for n in range(40)]

    assert sum(answers) == 6 + 3  # one for each source that had not tried yet


def test_an_address_and_a_password_change_with_one_proof(
    doors: dict[str, Try], cast: Cast, mailbox: Mailbox, client: PageChecker
) -> None:
    answer = doors["api"](cast.alice.password, {"email": "new@example.org", "password": FRESH})

    assert answer.status_code == 200
    assert client.submit(mailbox.last(to="new@example.org").path("/confirm-email/")).status_code == 303


@pytest.fixture
def newcomer(client: PageChecker, cast: Cast, mailbox: Mailbox) -> dict[str, str]:
    """Carol, who signed up through the API, and has no password yet; the headers of her JWT."""
    client.post("/api/signup", json={"email": "carol@example.org", "language": "en"})
    path = mailbox.last(to="carol@example.org").path("/confirm/").replace("/confirm/", "/api/confirm/signup/")
    answer = client.post(path, json={"consent": 1})
    assert answer.json
    return {"Authorization": f"Bearer {answer.json['token']}"}


@pytest.mark.parametrize("wanted", [{"email": "carol.new@example.org"}, {"password": FRESH}])
def test_without_a_password_the_mailed_link_is_the_proof_for_an_hour(
    client: PageChecker, newcomer: dict[str, str], clock: Clock, wanted: dict[str, str]
) -> None:
    clock.forward(minutes=58)
    assert client.patch("/api/account/jwt", json=wanted, headers=newcomer).status_code == 200


@pytest.mark.parametrize("wanted", [{"email": "carol.new@example.org"}, {"password": FRESH}])
def test_after_that_hour_the_first_password_comes_by_mail(
    client: PageChecker, newcomer: dict[str, str], clock: Clock, mailbox: Mailbox, wanted: dict[str, str]
) -> None:
    clock.forward(minutes=61)
    refused = client.patch("/api/account/jwt", json=wanted, headers=newcomer)
    assert (refused.status_code, refused.json and refused.json["error"]) == (400, "passwordWrong")

    client.submit("/password/forgot", {"email": "carol@example.org"})
    path = mailbox.last(to="carol@example.org").path("/password/reset/")
    assert client.submit(path, {"password": FRESH}).status_code == 303
    fields = {"username": "carol@example.org", "password": FRESH}
    assert client.post("/api/signin", json=fields).status_code == 200


def test_no_key_changes_either(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    headers = make_key(cast.alice).headers
    for wanted in CHANGES:
        body = {**wanted, "currentPassword": cast.alice.password}
        assert client.patch("/api/account/key", json=body, headers=headers).status_code == 403
