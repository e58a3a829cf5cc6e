"""Whether an account exists is told to nobody: not by words, and not by time (row 7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from statistics import median
from time import perf_counter

import pytest
from werkzeug.test import TestResponse

from tests.conftest import MakeApp
from tests.support.cast import make_cast
from tests.support.client import PageChecker, find_form, form_values

PAIRS = 25
"""For each of the four ways, so 200 samples in all."""
ALIKE = 1.5
"""How many times longer one kind of answer may take; a hash left out would make it ten times."""
KNOWN, UNKNOWN = "alice@example.org", "nobody@example.org"
WRONG = "not the password at all"

Ask = Callable[[PageChecker, dict[str, str], str], TestResponse]


def by_form(path: str, name: str) -> Ask:
    def ask(client: PageChecker, token: dict[str, str], who: str) -> TestResponse:
        return client.post(path, data={**token, name: who, "password": WRONG, "language": "en"})

    return ask


WAYS: dict[str, Ask] = {
    "the page of sign-in": by_form("/signin", "username"),
    "the page of sign-up": by_form("/signup", "email"),
    "the page of the forgotten password": by_form("/password/forgot", "email"),
    "the API's sign-in": lambda client, _token, who: client.post(
        "/api/signin", json={"username": who, "password": WRONG}
    ),
}


def words(response: TestResponse, who: str) -> tuple[int, str, str]:
    text = re.sub(r"\b[0-9a-f]{16}\b", "", response.text.replace(who, ""))
    text = re.sub(r'(name="(?:csrf_token|once)"[^>]*value)="[^"]*"', "", text)
    return response.status_code, response.headers.get("Location", ""), text


@pytest.mark.sqlite_only(reason="what could differ is a hash, which takes as long on both")
@pytest.mark.usefixtures("every_hash_anew")
@pytest.mark.parametrize("way", WAYS)
def test_the_answer_and_its_time_are_the_same_for_known_and_unknown(make_app: MakeApp, way: str) -> None:
    app = make_app(PORTAL_LIMITS_ENABLED="false")
    make_cast(app)
    client = app.test_client()
    assert isinstance(client, PageChecker)
    client.checks_pages = False
    token = {"csrf_token": form_values(find_form(client.page("/signin")))["csrf_token"]}
    times: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    said: dict[str, set[tuple[int, str, str]]] = {KNOWN: set(), UNKNOWN: set()}
    for who in (KNOWN, UNKNOWN):
        WAYS[way](client, token, who)

    for _ in range(PAIRS):
        for who in (KNOWN, UNKNOWN):
            begun = perf_counter()
            answer = WAYS[way](client, token, who)
            times[who].append(perf_counter() - begun)
            said[who].add(words(answer, who))

    known, unknown = median(times[KNOWN]), median(times[UNKNOWN])
    assert said[KNOWN] == said[UNKNOWN]
    assert max(known, unknown) / min(known, unknown) < ALIKE
