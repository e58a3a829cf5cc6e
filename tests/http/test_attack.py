"""Under attack: guesses are slowed, the owner works on (rows 10 to 12 through the real pages)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from werkzeug.test import TestResponse

from portal.services.ratelimits import counters, questions
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock

NewClient = Callable[[], PageChecker]


def at(client: PageChecker, address: str) -> PageChecker:
    client.environ_base["REMOTE_ADDR"] = address
    return client


def guess(client: PageChecker, username: str) -> TestResponse:
    return client.submit("/signin", {"username": username, "password": "not the password at all"})


@pytest.mark.parametrize(
    ("path", "fields", "limit"),
    [
        ("/signup", {"email": "new@example.org"}, questions.SIGN_UP_OWN),
        ("/password/forgot", {"email": "alice@example.org"}, questions.RESET_OWN),
        ("/confirm/no-such-token", {"consent": "1"}, questions.CONFIRM_SOURCE),
        ("/password/reset/no-such-token", {"password": "x"}, questions.CONFIRM_SOURCE),
    ],
)
def test_posts_without_a_csrf_token_count_too(
    client: PageChecker, path: str, fields: dict[str, str], limit: counters.Limit
) -> None:
    statuses = {client.post(path, data=fields).status_code for _ in range(limit.amount)}

    refused = client.post(path, data=fields)

    assert statuses == {400}
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= limit.seconds
    assert "Too many tries" in BeautifulSoup(refused.text, "html.parser").get_text()


def test_a_guesser_is_slowed_and_the_owner_is_not(new_client: NewClient, cast: Cast) -> None:
    alice, attacker = at(new_client(), "192.0.2.1"), at(new_client(), "192.0.2.2")
    cast.alice.sign_in(alice)

    statuses = [guess(attacker, "alice").status_code for _ in range(questions.SIGN_IN_OWN.amount + 1)]

    assert statuses[-1] == 429
    assert 429 not in statuses[:-1]
    assert alice.get("/account/keys").status_code == 200, "a session that exists goes on"
    cast.alice.sign_in(at(new_client(), "192.0.2.3"))


def test_waiting_as_long_as_told_is_enough(new_client: NewClient, cast: Cast, clock: Clock) -> None:
    clock.stop()
    client = new_client()
    for _ in range(questions.SIGN_IN_OWN.amount):
        guess(client, cast.alice.email)
    wait = int(guess(client, cast.alice.email).headers["Retry-After"])

    clock.forward(seconds=wait - 1)
    assert guess(client, cast.alice.email).status_code == 429
    clock.forward(seconds=1)
    cast.alice.sign_in(client)


def test_an_owner_may_sign_in_as_often_as_they_like(new_client: NewClient, cast: Cast) -> None:
    for _ in range(questions.SIGN_IN_OWN.amount + 2):
        cast.alice.sign_in(new_client())
