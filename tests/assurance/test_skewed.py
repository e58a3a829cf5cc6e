"""Clocks of machines differ by seconds (row 81): what one of them makes the other one takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from portal import clock as times
from portal.extensions import db
from portal.http.cookies import SessionSigner
from portal.models import TokenPurpose, UserSession
from portal.services.core.transaction import transaction
from portal.services.mail import tokens
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database

DIFFERENCES = (1.5, 9.9)
"""Seconds by which the second machine is behind, as time servers leave it."""
OLDEST_FORM = 8 * 60 * 60


@dataclass
class Machines:
    """Two portals on one database. The second one's clock goes ``ahead`` of the first one's, or behind it."""

    first: PageChecker
    second: PageChecker
    cast: Cast
    make_key: MakeKey
    clock: Clock
    ahead: float

    def to_the_second(self) -> None:
        """From here on it is the second machine that works, for the same browser."""
        if cookie := self.first.get_cookie("session"):
            self.second.set_cookie("session", cookie.value)
        if self.ahead < 0:
            self.clock.back(seconds=-self.ahead)
        else:
            self.clock.forward(seconds=self.ahead)
        times.forget()


def browser_session(machines: Machines) -> bool:
    machines.cast.alice.sign_in(machines.first)
    machines.to_the_second()
    return machines.second.get("/account/keys").status_code == 200


def form_of_a_stranger(machines: Machines) -> bool:
    who = machines.cast.alice
    token = machines.first.page("/signin").select_one("main input[name=csrf_token]")["value"]
    machines.to_the_second()
    fields = {"username": who.email, "password": who.password, "csrf_token": token}
    return machines.second.post("/signin", data=fields).status_code in {302, 303}


def form_of_somebody_signed_in(machines: Machines) -> bool:
    machines.cast.alice.sign_in(machines.first)
    token = machines.first.page("/account/keys").select_one("input[name=csrf_token]")["value"]
    machines.to_the_second()
    return machines.second.post("/signout", data={"csrf_token": token}).status_code in {302, 303}


def web_token(machines: Machines) -> bool:
    who = machines.cast.alice
    answer = machines.first.post("/api/signin", json={"username": who.email, "password": who.password})
    machines.to_the_second()
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    return machines.second.get("/api/whoami/jwt", headers=headers).status_code == 200


def mailed_link(machines: Machines) -> bool:
    who = machines.cast.alice
    with machines.first.application.app_context(), transaction() as session:
        link = tokens.mint(session, TokenPurpose.RESET, account_id=who.account_id, email=who.email)
    machines.to_the_second()
    return machines.second.get(f"/password/reset/{link}", follow_redirects=True).status_code == 200


def key(machines: Machines) -> bool:
    created = machines.make_key(machines.cast.alice)
    machines.to_the_second()
    return machines.second.get("/api/whoami/key", headers=created.headers).status_code == 200


def made_with_a_key(machines: Machines) -> bool:
    created = machines.make_key(machines.cast.alice)
    machines.to_the_second()
    wanted = {"name": "its own", "level": 1, "expiresIn": 60}
    return machines.second.post("/api/apikeys/key", json=wanted, headers=created.headers).status_code == 201


def sent_twice(machines: Machines) -> bool:
    """A double click, of which each half comes to another machine, is answered as one."""
    who = machines.cast.alice
    form = machines.first.page("/signin").select_one("main form")
    fields = {tag["name"]: tag.get("value", "") for tag in form.select("input[name]")}
    fields |= {"username": who.email, "password": who.password}
    before = machines.first.get_cookie("session")
    assert machines.first.post("/signin", data=fields).status_code in {302, 303}
    machines.to_the_second()
    assert before
    machines.second.set_cookie("session", before.value)
    answer: TestResponse = machines.second.post("/signin", data=fields)
    with machines.second.application.app_context():
        sessions = db.session.query(UserSession).filter_by(account_id=who.account_id).count()
    return answer.status_code in {302, 303} and sessions == 1


WHAT: tuple[Callable[[Machines], bool], ...] = (
    browser_session,
    form_of_a_stranger,
    form_of_somebody_signed_in,
    web_token,
    mailed_link,
    key,
    made_with_a_key,
    sent_twice,
)


@pytest.fixture
def machines_apart(
    app: Flask, make_app: MakeApp, cast: Cast, make_key: MakeKey, clock: Clock
) -> Callable[[float], Machines]:
    def make(ahead: float) -> Machines:
        first, second = app.test_client(), make_app().test_client()
        assert isinstance(first, PageChecker)
        assert isinstance(second, PageChecker)
        return Machines(first, second, cast, make_key, clock, ahead)

    return make


@pytest.mark.parametrize("seconds", DIFFERENCES)
@pytest.mark.parametrize("what", WHAT, ids=lambda what: what.__name__)
def test_what_a_faster_machine_made_a_slower_one_takes(
    machines_apart: Callable[[float], Machines], what: Callable[[Machines], bool], seconds: float
) -> None:
    assert what(machines_apart(-seconds))


@pytest.mark.parametrize("what", WHAT, ids=lambda what: what.__name__)
def test_what_a_slower_machine_made_a_faster_one_takes(
    machines_apart: Callable[[float], Machines], what: Callable[[Machines], bool]
) -> None:
    assert what(machines_apart(9))


@pytest.mark.parametrize("what", [browser_session, form_of_a_stranger, web_token], ids=lambda it: it.__name__)
def test_what_was_made_further_ahead_is_refused(
    machines_apart: Callable[[float], Machines], what: Callable[[Machines], bool]
) -> None:
    assert not what(machines_apart(-60))


@pytest.mark.sqlite_only(reason="the signatures know no database")
@pytest.mark.parametrize(
    ("age", "is_taken"),
    [(-11, False), (-10, True), (0, True), (OLDEST_FORM, True), (OLDEST_FORM + 11, False)],
)
def test_a_form_is_as_old_as_it_may_be(
    client: PageChecker, cast: Cast, clock: Clock, database: Database, age: int, is_taken: bool
) -> None:
    clock.stop()
    token = client.page("/signin").select_one("main input[name=csrf_token]")["value"]
    if age < 0:
        clock.back(seconds=-age)
    else:
        clock.forward(seconds=age)
    times.forget()

    fields = {"username": cast.alice.email, "password": cast.alice.password, "csrf_token": token}
    assert (client.post("/signin", data=fields).status_code == 303) is is_taken


def test_a_key_gains_no_moment_by_it(
    machines_apart: Callable[[float], Machines], cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    """Its expiry is a second that each machine knows; what it was made with gives it no leeway."""
    clock.stop()
    machines = machines_apart(-5)
    created = make_key(cast.alice, days=60 / 86_400)
    machines.to_the_second()
    clock.forward(seconds=64.999)
    assert machines.second.get("/api/whoami/key", headers=created.headers).status_code == 200
    clock.forward(seconds=0.001)
    assert machines.second.get("/api/whoami/key", headers=created.headers).status_code == 401


def test_a_revocation_of_a_faster_machine_counts_on_a_slower_one_at_once(
    machines_apart: Callable[[float], Machines], cast: Cast, make_key: MakeKey
) -> None:
    machines = machines_apart(-9)
    created = make_key(cast.alice)
    removed = machines.first.delete(f"/api/apikeys/{created.id}/key", headers=created.headers)
    assert removed.status_code == 204
    machines.to_the_second()
    assert machines.second.get("/api/whoami/key", headers=created.headers).status_code == 401


def test_a_signature_tells_when_it_was_made(clock: Clock) -> None:
    clock.stop()
    signs = URLSafeTimedSerializer("a secret", signer=SessionSigner)
    value, at = signs.loads(signs.dumps("x"), max_age=0, return_timestamp=True)

    assert (value, at) == ("x", times.utcnow().replace(microsecond=0))
