"""Keys through the API: made, listed, read, removed, with a JWT and with a key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from portal.runtime import runtime_of
from portal.services.keys.secrets import is_well_formed
from tests.api.conftest import Bearer, Headers
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database

A_YEAR = 365 * 24 * 60 * 60
WANTED = {"name": "ci", "level": 3, "expiresIn": 3600}
CONTRACT = {"key", "level", "name", "createdAt", "expiresAt", "userId"}
UNBOUND = {
    "kind": "account", "environment": None, "networks": [], "audiences": [],
    "notBefore": None, "maxIdle": None,
    "callsPerMinute": None, "callsPerDay": None, "note": "", "replaces": None, "retiresAt": None,
}  # fmt: skip
FACTS = CONTRACT | set(UNBOUND)
only_once = pytest.mark.sqlite_only(reason="what is wrong with a body has nothing to do with the database")


@pytest.fixture(params=["jwt", "key"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def alices(door: str, cast: Cast, make_key: MakeKey, bearer: Bearer) -> Headers:
    """Alice at this door, with all that she may."""
    return bearer(cast.alice) if door == "jwt" else make_key(cast.alice, level=4, days=100).headers


def test_a_key_is_made_and_works_at_once(client: PageChecker, cast: Cast, door: str, alices: Headers) -> None:
    response = client.post(f"/api/apikeys/{door}", json=WANTED, headers=alices)

    assert response.status_code == 201
    assert response.json
    assert response.json["result"] == "created"
    created = response.json["apikey"]
    assert set(created) == FACTS | {"secret"}
    assert (created["name"], created["level"], created["userId"]) == ("ci", 3, cast.alice.account_id)
    assert is_well_formed(created["secret"], "chk")
    assert response.headers["Cache-Control"] == "no-store"
    who = client.get("/api/whoami/key", auth=(created["key"], created["secret"]))
    assert who.json
    assert list(created)[:6] == list(who.json["apikey"])
    assert created == who.json["apikey"] | UNBOUND | {"secret": created["secret"]}


@pytest.mark.parametrize("level", range(5))
def test_every_level_up_to_the_role_can_be_given(
    client: PageChecker, alices: Headers, door: str, level: int
) -> None:
    response = client.post(f"/api/apikeys/{door}", json=WANTED | {"level": level}, headers=alices)

    assert response.status_code == 201
    assert response.json
    assert response.json["apikey"]["level"] == level


@only_once
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "postBodyMissing"),
        ({}, "postBodyMissing"),
        ({"level": "x"}, "nameMissing"),
        ({"name": "  "}, "nameMissing"),
        ({"name": 5}, "fieldInvalid"),
        ({"name": "ci"}, "levelMissing"),
        ({"name": "ci", "level": None}, "levelMissing"),
        ({"name": "ci", "level": "3"}, "levelNotNumeric"),
        ({"name": "ci", "level": True}, "levelNotNumeric"),
        ({"name": "ci", "level": [3]}, "levelNotNumeric"),
        ({"name": "ci", "level": 10}, "invalidLevel"),
        ({"name": "ci", "level": -1}, "invalidLevel"),
        ({"name": "ci", "level": 3.5}, "invalidLevel"),
        ({"name": "ci", "level": 9}, "expiresInMissing"),
        ({"name": "ci", "level": 9, "expiresIn": "60"}, "expiresInNotNumeric"),
        ({"name": "ci", "level": 9, "expiresIn": True}, "expiresInNotNumeric"),
        ({"name": "ci", "level": 9, "expiresIn": 0}, "expiresInNotNumeric"),
        ({"name": "ci", "level": 9, "expiresIn": -60}, "expiresInNotNumeric"),
        ({"name": "ci", "level": 9, "expiresIn": 1.5}, "expiresInNotNumeric"),
        ({"name": "ci", "level": 9, "expiresIn": A_YEAR + 1}, "expiresInHigherThanMaximum"),
        ({"name": "ci", "level": 9, "expiresIn": 1e300}, "expiresInHigherThanMaximum"),
        ({"name": "ci", "level": 5, "expiresIn": 60}, "keyLevelExceedsRoleLevel"),
        ({"name": "x" * 101, "level": 4, "expiresIn": 60}, "nameTooLong"),
        ({"name": "a\nb", "level": 4, "expiresIn": 60}, "nameNotPrintable"),
    ],
)
def test_what_is_wrong_with_a_wish_is_told_in_the_contracts_order(
    client: PageChecker, door: str, alices: Headers, body: Any, code: str
) -> None:
    sent = {} if body is None else {"json": body}
    response = client.post(f"/api/apikeys/{door}", headers=alices, **sent)

    assert response.status_code == 400
    assert response.json
    assert response.json["error"] == code
    assert set(response.json) == {"result", "error", "message", "requestId"}


def test_a_year_is_the_longest_life(client: PageChecker, cast: Cast, bearer: Bearer) -> None:
    response = client.post(
        "/api/apikeys/jwt", json=WANTED | {"expiresIn": A_YEAR}, headers=bearer(cast.alice)
    )

    assert response.status_code == 201


def test_a_key_makes_none_above_itself(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    key = make_key(cast.ada, level=4)
    response = client.post("/api/apikeys/key", json=WANTED | {"level": 5}, headers=key.headers)

    assert response.status_code == 400
    assert response.json
    assert response.json["error"] == "keyLevelExceedsRoleLevel"


def test_a_key_makes_none_that_outlives_it_and_the_answer_tells(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice, days=1)
    parent = client.get("/api/whoami/key", headers=key.headers).json
    child = client.post("/api/apikeys/key", json=WANTED | {"expiresIn": A_YEAR}, headers=key.headers).json

    assert parent
    assert child
    assert child["apikey"]["expiresAt"] == parent["apikey"]["expiresAt"]


def test_keys_are_listed_page_by_page(
    client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer
) -> None:
    created = [make_key(cast.alice, name=f"key {number}").id for number in range(5)]
    make_key(cast.bob)
    headers, found, cursor = bearer(cast.alice), [], None
    for _page in range(3):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = client.get("/api/apikeys/jwt", query_string=query, headers=headers).json
        assert answer
        assert answer["result"] == "success"
        assert all(set(key) == FACTS for key in answer["apikeys"])
        found += [key["key"] for key in answer["apikeys"]]
        cursor = answer["next"]

    assert found == created
    assert cursor is None


def test_the_list_is_narrowed_by_state(
    client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer, clock: Clock
) -> None:
    short, revoked, live = (make_key(cast.alice, days=days).id for days in (0.01, 30, 30))
    client.delete(f"/api/apikeys/{revoked}/jwt", headers=bearer(cast.alice))
    clock.forward(hours=1)
    headers = bearer(cast.alice)

    def listed(**query: str) -> list[str]:
        answer = client.get("/api/apikeys/jwt", query_string=query, headers=headers).json
        assert answer
        return [key["key"] for key in answer["apikeys"]]

    assert listed() == [short, live]
    assert listed(status="live") == [live]
    assert listed(status="expired") == [short]
    assert listed(status="revoked") == [revoked]
    assert listed(status="all") == [short, revoked, live]


@only_once
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1e9",
        "cursor=x",
        "cursor=",
        "status=dead",
    ],
)
def test_a_list_that_can_not_be_is_refused(
    client: PageChecker, cast: Cast, bearer: Bearer, query: str
) -> None:
    response = client.get(f"/api/apikeys/jwt?{query}", headers=bearer(cast.alice))

    assert response.status_code == 400
    assert response.json
    assert response.json["error"] == "fieldInvalid"
    assert query.partition("=")[0] in response.json["message"]


def test_a_key_is_read_without_its_secret(
    client: PageChecker, cast: Cast, make_key: MakeKey, alices: Headers, door: str
) -> None:
    key = make_key(cast.alice)
    response = client.get(f"/api/apikeys/{key.id}/{door}", headers=alices)

    assert response.status_code == 200
    assert response.json
    assert set(response.json["apikey"]) == FACTS
    assert key.secret not in response.text


def test_what_is_not_ones_own_is_not_there(
    client: PageChecker, cast: Cast, make_key: MakeKey, alices: Headers, door: str
) -> None:
    revoked = make_key(cast.alice).id
    client.delete(f"/api/apikeys/{revoked}/{door}", headers=alices)
    strangers = make_key(cast.bob).id
    answers = [
        client.open(f"/api/apikeys/{key}/{door}", method=method, headers=alices)
        for key in (strangers, revoked, str(uuid4()), "1", "x" * 36, "%7B" + strangers + "%7D")
        for method in ("GET", "DELETE")
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json and answer.json["error"] for answer in answers} == {"notFound"}
    assert client.get(f"/api/apikeys/{strangers}/jwt").status_code == 401


def test_a_removed_key_is_refused_on_the_next_request(
    client: PageChecker, cast: Cast, make_key: MakeKey, alices: Headers, door: str
) -> None:
    key = make_key(cast.alice)
    assert client.get("/api/whoami/key", headers=key.headers).status_code == 200
    removed = client.delete(f"/api/apikeys/{key.id}/{door}", headers=alices)

    assert removed.status_code == 204
    assert removed.data == b""
    refused = client.get("/api/whoami/key", headers=key.headers)
    assert refused.status_code == 401
    assert refused.json
    assert refused.json["error"] == "apikeyRevoked"
    assert client.delete(f"/api/apikeys/{key.id}/{door}", headers=alices).status_code == 404


def test_a_key_of_any_level_may_remove_itself_and_no_other(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    key, other = make_key(cast.alice, level=0), make_key(cast.alice, level=0)

    assert client.delete(f"/api/apikeys/{other.id}/key", headers=key.headers).status_code == 403
    refused = client.delete(f"/api/apikeys/{uuid4()}/key", headers=key.headers)
    assert refused.status_code == 403, "nor does it learn which keys there are"
    assert client.delete(f"/api/apikeys/{key.id.upper()}/key", headers=key.headers).status_code == 204
    assert client.get("/api/whoami/key", headers=other.headers).status_code == 200


def test_what_is_made_and_refused_is_counted(
    client: PageChecker, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    key = make_key(cast.alice, level=0)
    client.get("/api/whoami/key", headers=key.headers)
    client.get("/api/account/key", headers=key.headers)
    runtime_of(client.application).usage.flush()

    rows = database.execute("SELECT calls, refused, last_used_address FROM key_usage")
    assert rows == [(1, 1, "127.0.0.1")]


@pytest.mark.parametrize(
    ("sent", "hours"),
    [({}, 0), ({"json": {}}, 0), ({"json": {"overlap": 3600}}, 1), ({"json": {"overlap": 604800}}, 168)],
)
def test_a_key_is_rotated_and_the_answer_tells_all(
    client: PageChecker,
    cast: Cast,
    make_key: MakeKey,
    alices: Headers,
    door: str,
    sent: dict[str, Any],
    hours: int,
) -> None:
    old = make_key(cast.alice, level=2, name="Importer")
    response = client.post(f"/api/apikeys/{old.id}/rotate/{door}", headers=alices, **sent)

    assert response.status_code == 201
    assert response.json
    assert set(response.json) == {"result", "apikey", "replaces", "retiresAt"}
    created = response.json["apikey"]
    assert (response.json["replaces"], created["name"], created["level"]) == (old.id, "Importer", 2)
    ends, began = (
        datetime.fromisoformat(text) for text in (response.json["retiresAt"], created["createdAt"])
    )
    assert ends - began == timedelta(hours=hours)
    assert client.get("/api/whoami/key", auth=(created["key"], created["secret"])).status_code == 200
    assert client.get("/api/whoami/key", headers=old.headers).status_code == (200 if hours else 401)
    again = client.post(f"/api/apikeys/{old.id}/rotate/{door}", headers=alices, **sent)
    assert (again.status_code, again.json and again.json["error"]) == (409, "alreadyRotated")


@only_once
@pytest.mark.parametrize("overlap", [60, "3600", 3600.5, True, [], -1])
def test_another_overlap_is_refused(
    client: PageChecker, cast: Cast, make_key: MakeKey, alices: Headers, door: str, overlap: Any
) -> None:
    key = make_key(cast.alice)
    response = client.post(f"/api/apikeys/{key.id}/rotate/{door}", headers=alices, json={"overlap": overlap})

    assert (response.status_code, response.json and response.json["error"]) == (400, "overlapInvalid")


@only_once
def test_what_is_not_ones_own_or_revoked_is_not_rotated(
    client: PageChecker, cast: Cast, make_key: MakeKey, alices: Headers, door: str
) -> None:
    revoked = make_key(cast.alice).id
    client.delete(f"/api/apikeys/{revoked}/{door}", headers=alices)
    for key in (make_key(cast.bob).id, revoked, str(uuid4()), "1"):
        assert client.post(f"/api/apikeys/{key}/rotate/{door}", headers=alices).status_code == 404


@only_once
def test_a_key_of_level_4_rotates_itself_and_ends_when_the_old_one_would_have(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    own, weak = make_key(cast.alice, level=4), make_key(cast.alice, level=3)
    before = client.get("/api/whoami/key", headers=own.headers).json
    rotated = client.post(f"/api/apikeys/{own.id}/rotate/key", headers=own.headers).json

    assert before
    assert rotated
    assert rotated["apikey"]["expiresAt"] == before["apikey"]["expiresAt"]
    assert client.post(f"/api/apikeys/{weak.id}/rotate/key", headers=weak.headers).status_code == 403


CONDITIONS: dict[str, Any] = {
    "networks": ["192.0.2.0/24", "!192.0.2.7", "2001:DB8::1"],
    "audiences": ["orders", " billing", "orders"],
    "notBefore": "2026-01-01T01:00:00+01:00",
    "maxIdle": 3600,
    "environment": "test",
    "callsPerMinute": 5,
    "callsPerDay": 50,
    "note": " For me ",
}
KEPT = CONDITIONS | {
    "networks": ["192.0.2.0/24", "!192.0.2.7/32", "2001:db8::1/128"],
    "audiences": ["orders", "billing"],
    "notBefore": "2026-01-01T00:00:00.000Z",
    "note": "For me",
}


def test_what_a_key_is_bound_to_is_asked_for_and_told_to_its_owner_only(
    client: PageChecker, cast: Cast, make_key: MakeKey, alices: Headers, door: str
) -> None:
    response = client.post(f"/api/apikeys/{door}", json=WANTED | CONDITIONS, headers=alices)

    assert response.status_code == 201
    assert response.json
    created = response.json["apikey"]
    assert {name: created[name] for name in KEPT} == KEPT
    read = client.get(f"/api/apikeys/{created['key']}/{door}", headers=alices).json
    listed = client.get(f"/api/apikeys/{door}", headers=alices).json
    assert read
    assert listed
    assert read["apikey"] in listed["apikeys"]
    assert {name: read["apikey"][name] for name in KEPT} == KEPT
    place = {"REMOTE_ADDR": "192.0.2.1"}
    who = client.get("/api/whoami/key", auth=(created["key"], created["secret"]), environ_overrides=place)
    assert set((who.json or {})["apikey"]) == CONTRACT


@only_once
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"level": 5, "networks": ["x"]}, "keyLevelExceedsRoleLevel"),
        ({"kind": "robot", "networks": ["x"]}, "kindInvalid"),
        ({"networks": "192.0.2.0/24"}, "fieldInvalid"),
        ({"networks": [1]}, "fieldInvalid"),
        ({"audiences": "orders"}, "fieldInvalid"),
        ({"audiences": [["orders"]]}, "fieldInvalid"),
        ({"audiences": ["Orders"]}, "audiencesInvalid"),
        ({"audiences": [f"orders-of-the-year-{number}" for number in range(40)]}, "audiencesTooLong"),
        ({"networks": ["192.0.2.0/33"], "maxIdle": 0}, "networksInvalid"),
        ({"networks": ["fe80::1%eth0"]}, "networksInvalid"),
        ({"networks": ["2001:db8::%a b/64"]}, "networksInvalid"),
        ({"networks": [f"2001:db8::{number:x}" for number in range(200)]}, "networksTooLong"),
        ({"notBefore": "tomorrow", "maxIdle": 0}, "notBeforeInvalid"),
        ({"notBefore": "2026-01-01T00:00:00"}, "notBeforeInvalid"),
        ({"notBefore": "0001-01-01T00:00:00+14:00"}, "notBeforeInvalid"),
        ({"notBefore": "9999-12-31T23:59:59-14:00"}, "notBeforeInvalid"),
        ({"maxIdle": "3600", "environment": "x"}, "maxIdleInvalid"),
        ({"maxIdle": 0, "note": "x" * 501}, "maxIdleInvalid"),
        ({"environment": "staging", "note": "x" * 501}, "environmentInvalid"),
        ({"note": "x" * 501, "callsPerMinute": 0}, "noteTooLong"),
        ({"callsPerMinute": 0, "callsPerDay": 0}, "callsPerMinuteInvalid"),
        ({"callsPerMinute": True}, "callsPerMinuteInvalid"),
        ({"callsPerDay": 1.5}, "callsPerDayInvalid"),
    ],
)
def test_what_is_wrong_with_a_condition_is_told_after_the_contracts_codes(
    client: PageChecker, door: str, alices: Headers, asked: Any, code: str
) -> None:
    response = client.post(f"/api/apikeys/{door}", headers=alices, json=WANTED | asked)

    assert (response.status_code, response.json and response.json["error"]) == (400, code)


SERVICE = {"name": "gateway", "kind": "service", "expiresIn": 3600}


def test_an_admin_makes_a_service_key_that_introspects_and_opens_nothing_else(
    client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer
) -> None:
    answer = client.post("/api/apikeys/jwt", json=SERVICE, headers=bearer(cast.ada))

    assert answer.status_code == 201
    created = (answer.json or {})["apikey"]
    assert (created["kind"], created["level"]) == ("service", 0)
    service = (created["key"], created["secret"])
    token = {"token": make_key(cast.alice).secret}
    assert (client.post("/api/introspect", data=token, auth=service).json or {})["active"] is True
    for path in ("/api/whoami/key", "/api/apikeys/key", "/api/account/key"):
        assert client.get(path, auth=service).status_code == 403
    rotated = client.post(f"/api/apikeys/{created['key']}/rotate/jwt", headers=bearer(cast.ada)).json
    assert (rotated or {})["apikey"]["kind"] == "service"


@only_once
@pytest.mark.parametrize(
    ("who", "level", "asked", "status"),
    [
        ("ada", 9, {"level": 0}, 201),
        ("ada", 9, {"level": 1}, 400),
        ("ada", 8, {}, 403),
        ("sue", 8, {}, 403),
        ("alice", 4, {"level": 0}, 403),
    ],
)
def test_nobody_but_an_admin_makes_a_service_key(
    client: PageChecker,
    cast: Cast,
    make_key: MakeKey,
    bearer: Bearer,
    who: str,
    level: int,
    asked: dict[str, int],
    status: int,
) -> None:
    person = getattr(cast, who)
    key = make_key(person, level=level)
    told = [client.post("/api/apikeys/key", json=SERVICE | asked, headers=key.headers).status_code]
    if level == person.role.level:
        told.append(client.post("/api/apikeys/jwt", json=SERVICE | asked, headers=bearer(person)).status_code)

    assert set(told) == {status}


@pytest.mark.parametrize("query", ["", "?status=all", "?status=live&limit=1"])
@pytest.mark.parametrize("level", range(5))
def test_what_a_list_tells_depends_on_the_level(
    client: PageChecker, cast: Cast, bearer: Bearer, level: int, query: str
) -> None:
    def make(**fields: Any) -> dict[str, Any]:
        answer = client.post("/api/apikeys/jwt", headers=bearer(cast.alice), json=WANTED | fields)
        found: dict[str, Any] = answer.get_json()["apikey"]
        return found

    first = make(name="first", note="where the safe is", networks=["192.0.2.0/24"])
    own = make(name="own", level=level, note="my own note", networks=["127.0.0.0/8"])
    last = make(name="last")

    response = client.get(f"/api/apikeys/key{query}", auth=(own["key"], own["secret"]))

    answer = response.get_json()
    sees = [own["key"]] if level < 2 else [each["key"] for each in (first, own, last)]
    whole = "limit" not in query or level < 2
    assert [key["key"] for key in answer["apikeys"]] == (sees if whole else sees[:1])
    assert answer["next"] == (None if whole else sees[0])
    assert all(set(key) == (FACTS if level >= 4 else FACTS - {"note"}) for key in answer["apikeys"])
    assert ("192.0.2.0/24" in response.text) is (level >= 2)
    assert ("where the safe is" in response.text) is (level >= 4)


def test_a_cursor_shows_a_low_key_no_other(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    before, own, after = (make_key(cast.alice, level=level) for level in (4, 1, 4))

    for cursor, sees in ((before.id, [own.id]), (own.id, []), (after.id, [])):
        answer = client.get(f"/api/apikeys/key?cursor={cursor}", headers=own.headers).get_json()
        assert ([key["key"] for key in answer["apikeys"]], answer["next"]) == (sees, None)


def test_the_level_that_counts_for_a_list_is_the_lower_of_key_and_role(
    client: PageChecker, cast: Cast, bearer: Bearer, make_key: MakeKey
) -> None:
    key = make_key(cast.alice, level=3)

    with_key = client.get("/api/apikeys/key", headers=key.headers).get_json()["apikeys"]
    with_jwt = client.get("/api/apikeys/jwt", headers=bearer(cast.alice)).get_json()["apikeys"]

    assert [set(each) for each in with_key] == [FACTS - {"note"}]
    assert [set(each) for each in with_jwt] == [FACTS], "every role writes its own account"


@pytest.mark.parametrize("level", range(4))
def test_no_other_door_tells_a_low_key_of_notes_or_other_keys(
    client: PageChecker, cast: Cast, bearer: Bearer, level: int
) -> None:
    wanted = WANTED | {"note": "where the safe is", "networks": ["127.0.0.0/8"], "level": level}
    created = client.post("/api/apikeys/jwt", headers=bearer(cast.alice), json=wanted).get_json()["apikey"]
    own = (created["key"], created["secret"])

    for path in ("/api/whoami/key", "/api/account/key", f"/api/apikeys/{created['key']}/key"):
        response = client.get(path, auth=own)
        assert "where the safe is" not in response.text
        assert "127.0.0.0/8" not in response.text
        assert path == "/api/whoami/key" or response.status_code == (
            200 if "account" in path and level > 1 else 403
        )
