"""What the API says to each of many bodies: every code, and which of several faults is told first.

``bodies.json`` holds what is told, by route. A row is the route's good body with some of its fields
replaced (``level=true``), left out (``-level``), or with some added; or, with ``=`` before it, a whole
body. To write the table anew after a change that is meant: ``TELL_BODIES=1 pytest tests/api/test_bodies.py``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask

from portal.services.abuse.github_signatures import read_keys
from tests.api.conftest import Bearer
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.github import Signer, listing

pytestmark = pytest.mark.sqlite_only(reason="how bodies are read has nothing to do with the database")

TABLE = Path(__file__).with_name("bodies.json")
SIGNER = Signer()
NOWHERE = "0190a3b4-0000-7000-8000-000000000000"
FAULTS = (
    "null true false 0 1 -1 2 3 3.0 3.5 -0.0 1e300 1e18 31536001 3600 3600.0 NINES90 NaN "
    r'"" "\u00a0" "a" "3" "5\u0020" "\u0000" "\ud800" "LONG" [] [1] [null] ["a"] {} {"a":1}'
)
VALUES = FAULTS.split()
OF_FIELDS = {
    "language": ['"de"', '"EN"', '"it"'],
    "kind": ['"account"', '"service"', '"Service"'],
    "environment": ['"live"', '"test"', '"LIVE"'],
    "networks": ['["192.0.2.0/24"]', '["192.0.2.0/24",5]', '["nowhere"]', '[""]', '"192.0.2.0/24"'],
    "audiences": ['["orders"]', '["Orders"]', '["orders",null]', '["orders","bills"]'],
    "notBefore": ['"2999-01-01"', '"2026-13-01"', '"0001-01-01T00:00:00+14:00"', '"2026-11-27T14:00:00"'],
    "maxIdle": ["59", "3600.5", "86400"],
    "email": ['"carol@example.org"', '"carol"'],
    "password": ['"short"'],
    "overlap": ["604800", "86400.0", "3601", '"3600"'],
    "secrets": ['["a",5]', '[5,"a"]', "[5TIMES1001]", '["a"TIMES1001]'],
    "tokens": [
        '["a","b:c"]', "[5]", "[0]", "[false]", '[""]', "[{}]", '[{"token":null}]',
        '[{"token":"a","address":5}]',
        '[{"token":5,"address":5}]', '[{"token":"a","address":"nowhere"}]', '[{"address":"x"},{"token":5}]',
        '[{"token":"a","address":"192.0.2.1"},{"token":"b","address":null},{"token":"c","address":""}]',
        '[{"token":"a","address":0}]', '["a",{"token":"b","address":"x"},5]', '["LONG"]',
        '["a"TIMES100]', '["a"TIMES101]', "[0TIMES101]",
    ],
    "address": ['"192.0.2.1"'],
}  # fmt: skip
WHOLE = [
    "", " ", "{}", "[]", "null", "5", '"x"', "nonsense", "\ufeff{}", "{}{}", '{"a":1}', '{"a":1,"a":2}',
    '{"a":{"b":1,"b":2}}', '{"a":DEEP}', '{"a":DEEPEST}', '{"\\u0000":1}', '{"a":"\\\\u0000"}',
    '{"a":["\\\\\\u0000"]}', '{"\\ud83d\\ude00":1}', '{"a":-Infinity}', '{"a":1.NINES101}',
    '{"a":NINES101}', '{"a":1e999}', '{"a":["\\udc00"]}', "\x00", '{"a":"\n"}',
]  # fmt: skip
FORMS = [
    "", "token=", "token=a", "token=a:b", "token=%00", "token=%ff", "token=a&token=b", "token=LONG",
    "token=a&address=", "token=a&address=x", "token=a&address=192.0.2.1", "address=x", "address=x&address=y",
    "token=a&token_type_hint=b", "token=a&token_type_hint=b&token_type_hint=c", "token=a&more=1&more=2",
    "token=a&more=%00", "token=&address=x", "token=a&client_id=b&client_id=c", "token=:&address=", "Token=a",
]  # fmt: skip


class Asked(NamedTuple):
    """A route, a good body of its own, and its other fields."""

    route: str
    good: dict[str, object]
    others: tuple[str, ...] = ()


KEY = {"name": "ci", "level": 3, "expiresIn": 3600}
KEY_OTHERS = (
    "kind", "networks", "audiences", "notBefore", "maxIdle", "environment", "note",
    "callsPerMinute", "callsPerDay", "expires_in", "max_idle",
)  # fmt: skip
CHANGES = ("username", "language", "consent", "email", "password", "currentPassword", "current_password")
ASKED = (
    Asked("POST /api/signup", {"email": "bea@example.org", "language": "en"}),
    Asked("POST /api/confirm/signup/nothing", {"consent": 1}),
    Asked("POST /api/signin", {"username": "nobody", "password": "x"}, ("token",)),
    Asked("POST /api/leaks", {"secrets": ["nothing of ours"]}, ("url",)),
    Asked("POST /api/leaks/github", {}),
    Asked("PATCH /api/account/jwt", {"bio": "Sews."}, CHANGES),
    Asked("PATCH /api/account/key", {"bio": "Sews."}, CHANGES),
    Asked("POST /api/available/username/jwt", {"username": "zoe"}),
    Asked("POST /api/apikeys/jwt", KEY, KEY_OTHERS),
    Asked("POST /api/apikeys/key", KEY, ("kind", "networks")),
    Asked(f"POST /api/apikeys/{NOWHERE}/rotate/jwt", {"overlap": 0}),
    Asked("POST /api/introspect/batch", {"tokens": ["a"]}),
    Asked("POST /api/introspect", {}),
    Asked("POST /api/revoke", {}),
)
MATCHES = [
    '[{"token":"a"}]', '[{"token":"a","type":5,"url":[],"source":{}}]', '[{"token":5}]', '[{"token":null}]',
    "[5]",
    '[{"token":"a"},5,{"token":5},{}]', '[{"token":"a","token":"b","type":"x"}]', '[{"token":"\\ud800"}]',
    "[{}]",
    '[{"token":"a","type":"\\u0000","more":NaN}]', '[{"token":1e999},{"token":"a","url":null}]',
    '[["token"]]',
    '[{"token":"a","url":"u","source":"s"},{"token":"b"}]', "[[]]", "[null]", '{"token":"a"}',
]  # fmt: skip


def rows_of(asked: Asked) -> Iterator[str]:
    """Every row of a route: whole bodies, each field with each value, pairs and heaps of faults."""
    if not asked.good:
        yield from (f"={body}" for body in (FORMS if "leaks" not in asked.route else [*WHOLE, *MATCHES]))
        return
    fields = (*asked.good, *asked.others)
    yield from (f"={body}" for body in WHOLE)
    for field in fields:
        yield f"-{field}"
        yield from (f"{field}={value}" for value in (*VALUES, *OF_FIELDS.get(field, ())))
    for one, other in combinations(fields, 2):
        yield from (f"{one}={value};{other}={value}" for value in ("{}", '""'))
        yield f"-{one};-{other}"
    yield ";".join(f"-{field}" for field in asked.good) + ";more=1"
    yield ";".join(f"{field}=[]" for field in fields)
    yield from (f'name="LONG";{each}' for each in ("level=true", "kind={}"))
    yield from ('level=9;kind="odd"', 'level=9;networks=["odd"]', '-level;kind="service"', 'more={"a":[1]}')
    yield from ('level=null;kind="service";expiresIn=true', 'level=3;kind="service"')


def spelled_out(row: str) -> str:
    """The row with what is too long for a table."""
    row = re.sub(r"\[(.+)TIMES(\d+)\]", lambda found: f"[{','.join([found[1]] * int(found[2]))}]", row)
    for short, long in (
        ("DEEPEST", "[" * 50_000 + "]" * 50_000),
        ("DEEP", "[" * 300 + "]" * 300),
        ("LONG", "x" * 600),
        ("NINES90", "9" * 90),
        ("NINES101", "9" * 101),
    ):
        row = row.replace(short, long)
    return row


def written(asked: Asked, row: str) -> str:
    """The body that a row stands for."""
    row = spelled_out(row)
    if row.startswith("="):
        return row[1:]
    members = {name: json.dumps(value) for name, value in asked.good.items()}
    for part in row.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            members[name] = value
        else:
            members.pop(name.removeprefix("-"), None)
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


def write(asked: Asked, told: dict[str, list[str]]) -> None:
    """Put what a route has told into the table, one answer a line."""
    table = (json.loads(TABLE.read_text()) if TABLE.exists() else {}) | {asked.route: told}
    routes = (
        f"{json.dumps(route)}: {{\n"
        + ",\n".join(f"{json.dumps(code)}: {json.dumps(table[route][code])}" for code in sorted(table[route]))
        + "}"
        for route in sorted(table)
    )
    TABLE.write_text("{\n" + ",\n".join(routes) + "}\n")


class Teller:
    """Sends a row to its route, and tidies up what it has done."""

    def __init__(self, client: PageChecker, cast: Cast, bearer: Bearer, make_key: MakeKey) -> None:
        self._client, self._cast, self._make_key = client, cast, make_key
        self._bearers = {person.name: bearer(person) for person in cast}
        self._key = make_key(cast.alice).headers
        self._asking = make_key(cast.ada, level=9).headers

    def tell(self, asked: Asked, row: str) -> tuple[str, dict[str, object]]:
        """Status and code, and the whole answer."""
        method, _space, path = asked.route.partition(" ")
        data = written(asked, row).encode("utf-8", "surrogatepass")
        takes = (
            "application/x-www-form-urlencoded"
            if path in {"/api/introspect", "/api/revoke"}
            else "application/json"
        )
        headers = self._headers(path) | (SIGNER.headers(data) if "github" in path else {})
        response = self._client.open(path, method=method, data=data, headers=headers, content_type=takes)
        self._tidy(path, response.status_code, response.json)
        answer = response.json if isinstance(response.json, dict) else {"list": response.json}
        code = answer.get("code") or answer.get("error") or ""
        return f"{response.status_code} {code}".strip(), answer

    def _headers(self, path: str) -> dict[str, str]:
        if path.endswith("/jwt"):
            return self._bearers["ada" if "apikeys" in path else "alice"]
        if path.endswith("/key"):
            return self._key
        return self._asking if "introspect" in path or "revoke" in path else {}

    def _tidy(self, path: str, status: int, answer: object) -> None:
        if status == 201 and isinstance(answer, dict) and "apikey" in answer:
            key = answer["apikey"]["key"]
            assert self._client.delete(f"/api/apikeys/{key}/jwt", headers=self._of(path)).status_code == 204
        if status == 200 and "/account/" in path:
            back = {"username": "alice", "consent": 2, "language": "en"}
            bearer = self._bearers["alice"]
            assert self._client.patch("/api/account/jwt", json=back, headers=bearer).status_code == 200
            if self._client.get("/api/whoami/key", headers=self._key).status_code != 200:
                self._key = self._make_key(self._cast.alice).headers

    def _of(self, path: str) -> dict[str, str]:
        return self._bearers["ada" if path.endswith("/jwt") else "alice"]


@pytest.fixture
def app(make_app: MakeApp, tmp_path: Path) -> Flask:
    """The application without limits, told where GitHub's public keys are."""
    path = tmp_path / "keys.json"
    path.write_bytes(listing(SIGNER))
    app = make_app(PORTAL_GITHUB_KEYS=str(path), PORTAL_LIMITS_ENABLED="false")
    with app.app_context():
        read_keys(str(path))
    return app


@pytest.fixture
def teller(client: PageChecker, cast: Cast, bearer: Bearer, make_key: MakeKey) -> Teller:
    """Somebody to ask what a body brings."""
    return Teller(client, cast, bearer, make_key)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.route)
def test_every_body_is_told_what_it_always_was(teller: Teller, asked: Asked) -> None:
    told: dict[str, list[str]] = {}
    for row in dict.fromkeys(rows_of(asked)):
        told.setdefault(teller.tell(asked, row)[0], []).append(row)
    if os.environ.get("TELL_BODIES"):
        write(asked, told)

    assert told == json.loads(TABLE.read_text())[asked.route]
