"""How often an account can be changed through the API by whoever holds a token of it."""

from __future__ import annotations

from tests.api.conftest import Bearer
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
