"""Is a name free? In FreeSewing's words: 404 when it is, 200 when somebody has it."""

from __future__ import annotations

import pytest

from portal.services.ratelimits import questions
from portal.services.ratelimits.counters import Limit
from tests.api.conftest import Bearer
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker

AVAILABLE = "/api/available/username"

NAMES = {
    "one that nobody has": ("rosalind", 404, "usernameFree"),
    "one that somebody has": ("bobby", 200, None),
    "the same in other letters": ("BobbY", 200, None),
    "the same with space around it": ("  bobby ", 200, None),
    "one's own": ("alice", 200, None),
    "an office": ("Supp0rt", 200, None),
    "none": ("", 400, "usernameMissing"),
    "space": ("   ", 400, "usernameMissing"),
    "an address": ("a@example.org", 400, "usernameInvalid"),
    "a number": ("17", 400, "usernameInvalid"),
    "no text": (17, 400, "fieldInvalid"),
    "null": (None, 400, "usernameMissing"),
}


@pytest.mark.parametrize("door", ["jwt", "key"])
def test_whoever_may_change_a_name_asks_whether_one_is_free(
    client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer, door: str
) -> None:
    headers = bearer(cast.alice) if door == "jwt" else make_key(cast.alice, level=4).headers
    told = {}
    for what, (name, *_told) in NAMES.items():
        answer = client.post(f"{AVAILABLE}/{door}", json={"username": name}, headers=headers)
        told[what] = (name, answer.status_code, (answer.json or {}).get("error"))
        if answer.status_code == 200:
            assert answer.json == {"result": "success", "available": False, "username": str(name).strip()}

    assert told == NAMES


def test_a_name_that_was_said_to_be_free_can_be_taken_and_no_other(
    client: PageChecker, cast: Cast, bearer: Bearer
) -> None:
    headers = bearer(cast.alice)
    for name in ("rosalind", "bobby", "Supp0rt"):
        is_free = client.post(f"{AVAILABLE}/jwt", json={"username": name}, headers=headers).status_code == 404
        taken = client.patch("/api/account/jwt", json={"username": name}, headers=headers)
        assert (taken.status_code == 200) is is_free, name


def test_nobody_else_learns_of_names(
    client: PageChecker, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "NAME_OWN", Limit("name by account and session", 2, 3600))
    body = {"username": "bobby"}

    assert client.post(f"{AVAILABLE}/jwt", json=body).status_code == 401
    assert client.post(f"{AVAILABLE}/key", json=body).status_code == 401
    low = make_key(cast.alice, level=3)
    assert client.post(f"{AVAILABLE}/key", json=body, headers=low.headers).status_code == 403
    good = make_key(cast.alice, level=4)
    told = [client.post(f"{AVAILABLE}/key", json=body, headers=good.headers) for _ in range(3)]
    assert [answer.status_code for answer in told] == [200, 200, 429]
    assert "Retry-After" in told[-1].headers
