"""Whose right ends while a request of theirs is under way does nothing more (row 70).

Each route that acts or looks for somebody who was let in is held between its door and its view,
or between its head and its body; the right ends, in each way that applies; then it goes on.
Nothing is done, and it is answered as if it had come after the end. The routes are those of
``test_audit_log.py``, which is held to the URL map, and those of the API's own table.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from threading import Thread
from time import sleep
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.api import ALL_ROUTES
from portal.api.route import Door, Route
from portal.api.routes import ROUTES
from portal.models import Consent
from portal.permissions import Role
from portal.services.accounts.update import change_account
from portal.services.auth import sessions
from portal.services.core.actor import Actor
from portal.services.keys import creation, revocation
from portal.services.operators import actions
from tests.assurance.test_audit_log import ACTS, Act, Scene, app, credentials, scene
from tests.conftest import MakeApp, StartServer
from tests.support.cast import CreatedKey, Person, make_person
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.server import Server
from tests.support.wire import Wire

__all__ = ["app", "scene"]  # fixtures

SHELL = Actor.command_line()
COUNTED = {
    "last_moments",
    "call_windows", "job_leases", "key_addresses", "key_recent_refusals", "key_refusals",
    "key_usage", "key_usage_hours", "limit_counters", "outbox",
}  # fmt: skip
"""What counts tries and calls, and, where jobs run, what they work on."""
OPEN_WITHOUT_CONSENT = ("consent.", "security.", "auth.")
LOWEST = min(role.level for role in Role)

ENDS: dict[str, Callable[[Person, CreatedKey], object]] = {
    "session": lambda who, _made: sessions.end_other_sessions(who.actor),
    "key": lambda who, created: revocation.revoke_key(who.actor, UUID(created.id)),
    "block": lambda who, _made: actions.block(SHELL, who.account_id, why="a test"),
    "consent": lambda who, _made: change_account(who.actor, consent=Consent.NONE),
    "role": lambda who, _made: actions.set_role(SHELL, who.account_id, Role.USER),
}


def ends_for(act: Act) -> Iterator[str]:
    """How the right to do this can end."""
    yield "key" if act.who == "key" else "session"
    yield "block"
    if not act.endpoint.startswith(OPEN_WITHOUT_CONSENT):
        yield "consent"
    if act.who in {"sue", "ada", "key"}:
        yield "role"


HELD = [(act, end) for act in ACTS if act.who != "nobody" for end in ends_for(act)]


def written(database: Database) -> dict[str, Any]:
    return {table: rows for table, rows in database.rows().items() if table not in COUNTED}


def elsewhere(app: Flask, act: Callable[[], object]) -> None:
    """Do something as another request does, in a thread and a context of its own."""

    def run() -> None:
        with app.app_context():
            act()

    thread = Thread(target=run)
    thread.start()
    thread.join()


class Caller:
    """Somebody who was let in, with what they send."""

    def __init__(self, scene: Scene, act: Act) -> None:
        self.client: PageChecker = scene.new_client()
        self.headers: dict[str, str] = {}
        self.who = scene.alice if act.who in {"key", "jwt"} else getattr(scene, act.who)
        if act.who == "key":
            self.headers = scene.created.headers
        elif act.who == "jwt":
            token = self.client.post("/api/signin", json=credentials(scene)).get_json()["token"]
            self.headers = {"Authorization": f"Bearer {token}"}
        else:
            self.who.sign_in(self.client)
        self._act = act
        self._path, self._body = act.path(scene), act.body(scene)

    def send(self) -> TestResponse:
        path, method = self._path, self._act.method
        is_json = path.startswith("/api/") and method != "DELETE" and path != "/api/revoke"
        what: dict[str, Any] = {} if method == "GET" else {"json" if is_json else "data": self._body}
        return self.client.open(path, method=method, headers=self.headers, **what)


def told(answer: TestResponse) -> tuple[int, str | None, str | None, str | None]:
    """What an answer says: its status, where it leads, its code, and what it asks for."""
    error = answer.get_json(silent=True) or {}
    code = error.get("code", error.get("error"))
    return answer.status_code, answer.location, code, answer.headers.get("WWW-Authenticate")


@pytest.mark.sqlite_only(reason="services/auth/test_admission.py holds the rules on both, and the wire below")
@pytest.mark.parametrize(("act", "end"), HELD, ids=[f"{a.method} {a.endpoint} {end}" for a, end in HELD])
def test_between_the_door_and_the_view(scene: Scene, database: Database, act: Act, end: str) -> None:
    make_person(scene.app, "deputy", Role.ADMIN)
    if end == "role" and act.who == "key":
        with scene.app.app_context():
            actions.set_role(SHELL, scene.alice.account_id, Role.SUPPORT)
    caller = Caller(scene, act)
    with scene.app.app_context():
        assert caller.who.actor, "there is another session, which ends this one"
    view, after_the_end = scene.app.view_functions[act.endpoint], {}

    def held(**arguments: Any) -> Any:
        elsewhere(scene.app, lambda: ENDS[end](caller.who, scene.created))
        after_the_end.update(written(database))
        return scene.app.ensure_sync(view)(**arguments)

    scene.app.view_functions[act.endpoint] = held
    answered = told(caller.send())
    scene.app.view_functions[act.endpoint] = view

    assert after_the_end, "it was let in"
    assert written(database) == after_the_end
    assert answered == told(caller.send()), "as if it had come after the end"


GOOD_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/available/username"): {"username": "a free name"},
    ("PATCH", "/account"): {"bio": "late"},
    ("POST", "/apikeys"): {"name": "late", "level": 1, "expiresIn": 3600},
    ("POST", "/apikeys/<key>/rotate"): {"overlap": 3600},
    ("POST", "/introspect"): {"token": "{secret}"},
    ("POST", "/introspect/batch"): {"tokens": ["{secret}"]},
    ("POST", "/revoke"): {"token": "{secret}"},
}
"""A body for each route that takes one, by method and path without the door."""
WITH_BODIES = [route for route in ROUTES if route.body and route.door in {Door.JWT, Door.KEY}]


def without_door(route: Route) -> tuple[str, str]:
    return route.method, route.path.removesuffix(f"/{route.door}")


@pytest.mark.sqlite_only(reason="it is about two tables in the code")
def test_every_route_that_takes_a_body_is_held() -> None:
    """A new one has to be added to the bodies above; so has one that reads a body of another door."""
    routes = ALL_ROUTES
    takes = {without_door(route) for route in routes if route.body and route.door in {Door.JWT, Door.KEY}}
    assert takes == set(GOOD_BODIES)
    assert {route.door for route in routes if route.body} == {Door.OPEN, Door.JWT, Door.KEY}


class HeldRequest:
    """One request of which the head and a part of the body are sent, from a source of its own."""

    def __init__(
        self, server: Server, number: int, route: Route, owner: Person, keys_of: CreatedKeys
    ) -> None:
        self.owner, self.mine, self.other = owner, keys_of.mine, keys_of.other
        self.token = keys_of.token
        path = f"/api{route.path}".replace("<key>", self.other.id)
        text = json.dumps(GOOD_BODIES[without_door(route)]).replace("{secret}", self.other.secret)
        body = urlencode(json.loads(text)).encode() if route.is_form else text.encode()
        authorization = (
            self.mine.headers["Authorization"] if route.door is Door.KEY else f"Bearer {self.token}"
        )
        self._head = (
            f"{route.method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Content-Type: {route.takes}\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: {authorization}\r\n\r\n"
        ).encode()
        self._body = body
        self._source, self._port = f"127.1.0.{number + 1}", server.port

    def begin(self) -> socket.socket:
        """Send the head, and all but one byte of the body."""
        self._socket = socket.create_connection(
            ("127.0.0.1", self._port), timeout=20, source_address=(self._source, 0)
        )
        self._socket.sendall(self._head + self._body[:-1])
        return self._socket

    def finish(self) -> tuple[int, str]:
        """Send the last byte; the status and the code of the answer."""
        self._socket.sendall(self._body[-1:])
        answer = b""
        while part := self._socket.recv(65536):
            answer += part
        head, _blank, body = answer.partition(b"\r\n\r\n")
        told = json.loads(body) if body else {}
        return int(head.split()[1]), str(told.get("code", told.get("error")))


class CreatedKeys:
    """What one owner has: the key that asks, one that it is about, and a JWT."""

    def __init__(self, owner: Person, server: Server) -> None:
        def make() -> CreatedKey:
            key, secret = creation.create_key(owner.actor, name="x", level=6, life=timedelta(days=1))
            return CreatedKey(str(key.id), secret)

        self.mine, self.other = make(), make()
        with Wire(server.port) as wire:
            who = {"username": owner.email, "password": owner.password}
            self.token = wire.send_json("POST", "/api/signin", who).json["token"]
            assert wire.get("/api/whoami/jwt", Authorization=f"Bearer {self.token}").status == 200
            assert wire.get("/api/whoami/key", **self.mine.headers).status == 200


REFUSALS = {
    (Door.KEY, "key"): (401, "apikeyRevoked"),
    (Door.KEY, "block"): (401, "apikeyRevoked"),
    (Door.KEY, "consent"): (401, "apikeyRevoked"),
    (Door.KEY, "role"): (401, "apikeyRevoked"),
    (Door.JWT, "session"): (401, "authenticationFailed"),
    (Door.JWT, "block"): (401, "authenticationFailed"),
    (Door.JWT, "consent"): (451, "consentLacking"),
}


@pytest.mark.parametrize("end", ENDS)
def test_between_the_head_and_the_body(
    make_app: MakeApp, start_server: StartServer, database: Database, end: str
) -> None:
    """At the real server: all routes at once, each of an owner of its own."""
    app, server, held = make_app(), start_server(), []
    routes = [route for route in WITH_BODIES if (route.door, end) in REFUSALS]
    for number, route in enumerate(routes):
        owner = make_person(app, f"holder{number}", Role.SUPPORT, "violet-harbour-at-night-71")
        with app.app_context():
            held.append((owner, CreatedKeys(owner, server), route))
    requests = [
        HeldRequest(server, number, route, owner, created)
        for number, (owner, created, route) in enumerate(held)
    ]

    with ExitStack() as stack:
        for request in requests:
            stack.enter_context(request.begin())
        sleep(1)  # the heads are read; one that is not would be refused by its door as well
        with app.app_context():
            for request in requests:
                ENDS[end](request.owner, request.mine)
        before = written(database)
        answers = [request.finish() for request in requests]

    assert answers == [REFUSALS[route.door, end] for route in routes]
    assert written(database) == before
