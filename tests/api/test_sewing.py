"""What FreeSewing's own suites ask of an answer, of those that ours gives too, asked in our words (row 80).

One person's story in the order of those suites: somebody signs up, confirms, sets a password, signs
in under each name that they have, changes the account, and creates, reads and removes keys, by JWT
and by key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.mailbox import Mailbox

EMAIL = "Rosa@example.org"
PASSWORD = "lantern gravel otter sixty"
TOLD_OF_KEYS = ("key", "level", "expiresAt", "name", "userId")


@dataclass
class Rosa:
    """Somebody who has confirmed the address, and has no password yet."""

    client: PageChecker
    token: str
    account: dict[str, Any]

    def headers(self, door: str, key: dict[str, Any] | None = None) -> dict[str, str]:
        """What proves at a door that it is Rosa."""
        if door == "jwt" or key is None:
            return {"Authorization": f"Bearer {self.token}"}
        return CreatedKey(key["key"], key["secret"]).headers

    def ask(self, method: str, path: str, status: int, *, door: str = "jwt", **more: Any) -> dict[str, Any]:
        """Ask, and hold the answer's status, type and character set."""
        headers = self.headers(door, more.pop("key", None))
        return told(self.client.open(f"/api{path}", method=method, headers=headers, **more), status)

    def create(self, door: str, key: dict[str, Any] | None = None) -> dict[str, Any]:
        """Create a key at a door."""
        wish = {"name": f"made by {door}", "level": 4, "expiresIn": 60}
        created = self.ask("POST", f"/apikeys/{door}", 201, door=door, key=key, json=wish)
        assert created["result"] == "created"
        return dict(created["apikey"])


def told(answer: Any, status: int) -> dict[str, Any]:
    """The body of an answer, whose status, type and character set are as they have to be."""
    assert answer.status_code == status
    assert (answer.mimetype, answer.mimetype_params.get("charset")) == ("application/json", "utf-8")
    assert answer.json["result"] in ({"error"} if status >= 400 else {"success", "created"})
    return dict(answer.json)


@pytest.fixture
def rosa(client: PageChecker, cast: Cast, mailbox: Mailbox) -> Rosa:
    """Rosa, by the way that FreeSewing's clients go."""
    told(client.post("/api/signup", json={"email": EMAIL, "language": "nl"}), 201)
    link = mailbox.last(to=EMAIL).path("/confirm/").rsplit("/", 1)[1]
    entered = told(client.post(f"/api/confirm/signup/{link}", json={"consent": 1}), 200)
    return Rosa(client, entered["token"], entered["account"])


SIGN_UPS = {
    "no body at all": ({}, "postBodyMissing"),
    "no email": ({"json": {"language": "fr"}}, "emailMissing"),
    "no language": ({"json": {"email": EMAIL}}, "languageMissing"),
    "an empty object": ({"json": {}}, "postBodyMissing"),
    "an empty email": ({"json": {"email": "", "language": "fr"}}, "emailMissing"),
    "a language of elsewhere": ({"json": {"email": EMAIL, "language": "xx"}}, "unsupportedLanguage"),
}


@pytest.mark.parametrize("what", SIGN_UPS)
def test_a_sign_up_that_lacks_something_is_told_what(client: PageChecker, cast: Cast, what: str) -> None:
    asked, code = SIGN_UPS[what]

    assert told(client.post("/api/signup", **asked), 400)["error"] == code


def test_a_taken_address_is_told_as_a_free_one(rosa: Rosa) -> None:
    wish = {"email": EMAIL, "language": "fr"}

    assert told(rosa.client.post("/api/signup", json=wish), 201) == {"result": "success", "email": EMAIL}


def test_rosa_signs_in_under_each_of_her_names(rosa: Rosa) -> None:
    mine, client = rosa.account, rosa.client
    rosa.ask("PATCH", "/account/jwt", 200, json={"password": PASSWORD})
    wrong = {"username": mine["username"], "password": mine["username"]}
    assert told(client.post("/api/signin", json=wrong), 401)["error"] == "signInFailed"

    for name in (
        mine["username"],
        mine["username"].upper(),
        EMAIL,
        EMAIL.upper(),
        mine["id"],
        str(mine["id"]),
    ):
        entered = told(client.post("/api/signin", json={"username": name, "password": PASSWORD}), 200)

        assert isinstance(entered["token"], str)
        rosa.token = entered["token"]
        for found in (entered, *(rosa.ask("GET", path, 200) for path in ("/account/jwt", "/whoami/jwt"))):
            account = found["account"]
            assert account["email"] == EMAIL
            assert account["username"] == mine["username"]
            assert account["lusername"] == mine["username"].lower()
            assert type(account["id"]) is int


def test_rosa_asks_whether_a_name_is_free(rosa: Rosa) -> None:
    taken = rosa.account["username"]

    rosa.ask("POST", "/available/username/jwt", 404, json={"username": "haochi"})
    found = rosa.ask("POST", "/available/username/jwt", 200, json={"username": taken})

    assert found == {"result": "success", "available": False, "username": taken}


@pytest.mark.parametrize("door", ["jwt", "key"])
@pytest.mark.parametrize(
    ("field", "value"),
    [("bio", "It's a long way, 100 % & more"), ("consent", 2), ("language", "es"), ("username", "ROSALIND")],
)
def test_rosa_changes_one_thing_at_a_time(rosa: Rosa, door: str, field: str, value: object) -> None:
    key = rosa.create("jwt")

    changed = rosa.ask("PATCH", f"/account/{door}", 200, door=door, key=key, json={field: value})["account"]

    assert (changed[field], type(changed[field])) == (value, type(value))
    assert changed["lusername"] == changed["username"].lower()
    assert rosa.ask("GET", f"/account/{door}", 200, door=door, key=key)["account"][field] == value


@pytest.mark.parametrize("door", ["jwt", "key"])
def test_fields_of_theirs_that_we_do_not_keep_are_no_error(rosa: Rosa, door: str) -> None:
    theirs = {"control": 4, "github": "rosa", "imperial": True, "newsletter": True, "bio": "I sew."}

    changed = rosa.ask("PATCH", f"/account/{door}", 200, door=door, key=rosa.create("jwt"), json=theirs)

    assert changed["account"]["bio"] == "I sew."
    assert not {"control", "github", "imperial", "newsletter"} & set(changed["account"])


def test_rosa_creates_reads_and_removes_keys_by_jwt_and_by_key(rosa: Rosa) -> None:
    first = rosa.create("jwt")
    second = rosa.create("key", first)
    for created in (first, second):
        assert all(isinstance(created[name], str) for name in ("key", "secret", "expiresAt"))
        assert (created["level"], created["userId"]) == (4, rosa.account["id"])

    reads = [
        (first, "/whoami/key", "key", first),
        (first, f"/apikeys/{first['key']}/key", "key", second),
        (second, f"/apikeys/{second['key']}/jwt", "jwt", None),
        (first, f"/apikeys/{first['key']}/jwt", "jwt", None),
    ]
    for created, path, door, key in reads:
        read = rosa.ask("GET", path, 200, door=door, key=key)["apikey"]
        assert {name: read[name] for name in TOLD_OF_KEYS} == {name: created[name] for name in TOLD_OF_KEYS}
        assert "secret" not in read

    for path, door, key in (
        (f"/apikeys/{second['key']}/key", "key", second),
        (f"/apikeys/{first['key']}/jwt", "jwt", None),
    ):
        answer = rosa.client.delete(f"/api{path}", headers=rosa.headers(door, key))
        assert (answer.status_code, answer.data) == (204, b"")
    for created in (first, second):
        gone = rosa.client.get("/api/whoami/key", headers=rosa.headers("key", created))
        assert told(gone, 401)["error"] == "apikeyRevoked"
