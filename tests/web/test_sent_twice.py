"""No form that acts once punishes a second submit (row 86): a table of every form that posts.

It is the table of acts of the audit log, held there to the URL map, so that a new form is sent twice
here too. A browser that clicks twice throws the first answer away, so the second is sent with the
cookie from before, or, when the cookie of the first answer arrived in time, with that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from bs4 import Tag
from flask import Flask
from werkzeug.test import TestResponse

from portal.models import Action, TokenPurpose
from portal.permissions import Role
from portal.services.auth import sessions
from portal.services.core import sent_forms
from portal.services.core.transaction import transaction
from portal.services.keys import revocation
from portal.services.mail import tokens
from tests.assurance.test_audit_log import NEW_PASSWORD, PAGES, Act, Scene
from tests.conftest import MakeKey
from tests.support.cast import make_person
from tests.support.client import PageChecker, find_form, form_values
from tests.support.clock import Clock
from tests.support.crawl import stops
from tests.support.databases import Database
from tests.support.mailbox import Mailbox
from tests.support.pages import SECRET, parse

NewClient = Callable[[], PageChecker]
FORMS = [act for act in PAGES if act.method == "POST" and Action.SESSION_REFUSED not in act.actions]
ON_PAGE = {
    "auth.sign_out": "/account/profile",
    "profile.cancel_email": "/account/profile",
    "security.end_session": "/account/security",
    "security.end_others": "/account/security",
}
"""Forms that stand on another page than where they go."""
ANSWERS = {Action.ACCOUNT_UNLOCK_REQUESTED: 403}
"""Acts that are answered by a page that says what is to be done first."""
LOOKS = {Action.ACCOUNT_READ, Action.KEYS_SEARCHED}
"""An operator who looks twice has looked twice, and the audit log says so."""
IS_THERE = ("api_keys", "audit_events", "outbox", "mail_tokens")
ID = re.compile(r"\b[0-9a-f]{16}\b")


@pytest.fixture
def scene(app: Flask, make_key: MakeKey, mailbox: Mailbox, new_client: NewClient) -> Scene:
    """The people and the links that acts need."""
    alice = make_person(app, "alice")
    sue, ada = make_person(app, "sue", Role.SUPPORT), make_person(app, "ada", Role.ADMIN)

    def client() -> PageChecker:
        created = new_client()
        created.checks_pages = False
        return created

    def sign_up() -> str:
        client().submit("/signup", {"email": "new@example.org"})
        return mailbox.last(to="new@example.org").path("/confirm/")

    created = Scene(app, alice, sue, ada, make_key(alice), mailbox, client)
    created.sign_up = sign_up  # type: ignore[method-assign]  # that of the audit log's tests sends no token
    return created


class Browser:
    """Somebody who has filled in a form and sends it, again and again."""

    def __init__(self, scene: Scene, act: Act) -> None:
        self.client = scene.new_client()
        if act.who in {"alice", "sue", "ada"}:
            getattr(scene, act.who).sign_in(scene.new_client())
            getattr(scene, act.who).sign_in(self.client)
        self.path = str(scene.sign_up() if act.path is Scene.sign_up else act.path(scene))
        form = find_form(self.client.page(ON_PAGE.get(act.endpoint, self.path)), self.path)
        self.data: dict[str, Any] = form_values(form) | act.body(scene)
        self.before = self.cookies()

    def cookies(self) -> dict[Any, Any]:
        """What the browser holds now."""
        return {key: copy(cookie) for key, cookie in self.client._cookies.items()}

    def send(self, *, with_cookies: dict[Any, Any] | None = None) -> TestResponse:
        """Send the form."""
        if with_cookies is not None:
            self.client._cookies = dict(with_cookies)
        return self.client.post(self.path, data=self.data)


def facts(database: Database) -> dict[str, Any]:
    rows = database.rows()
    counted = {"sessions": len(rows["sessions"])}
    told = {name: sorted(map(repr, rows[name])) for name in IS_THERE}
    told["audit_events"] = [each for each in told["audit_events"] if not any(look in each for look in LOOKS)]
    return told | counted


def answers_of(act: Act) -> set[int]:
    return {ANSWERS[action] for action in act.actions & ANSWERS.keys()} or {200, 303}


def words(answer: TestResponse) -> tuple[int, str | None, str]:
    """An answer, without what is never the same."""
    told = parse(answer).find("main")
    text = " ".join(told.get_text(" ").split()) if isinstance(told, Tag) else ""
    return answer.status_code, answer.location, ID.sub("", text)


def told_then(client: PageChecker, answer: TestResponse) -> str:
    """What the page says that the browser is led to."""
    if answer.location is None:
        return words(answer)[2]
    return words(client.get(answer.location, follow_redirects=True))[2]


@pytest.mark.parametrize("cookie", ["from before", "of the first answer"])
@pytest.mark.parametrize("act", FORMS, ids=lambda act: act.endpoint)
def test_a_form_that_is_sent_twice_is_done_once_and_answered_alike(
    scene: Scene, database: Database, act: Act, cookie: str
) -> None:
    browser = Browser(scene, act)
    first = browser.send()
    done, arrived = facts(database), browser.cookies()

    second = browser.send(with_cookies=browser.before if cookie == "from before" else arrived)

    assert first.status_code in answers_of(act)
    assert words(second) == words(first)
    assert facts(database) == done
    after_second = told_then(browser.client, second)
    browser.client._cookies = arrived
    assert after_second == told_then(browser.client, first)


@pytest.mark.sqlite_only(reason="the routes have nothing to do with the database")
def test_every_form_that_posts_is_in_the_table(app: Flask) -> None:
    posting = {stop.endpoint for stop in stops(app) if "POST" in stop.methods and not stop.is_api}
    assert posting == {act.endpoint for act in FORMS} | {"auth.setup"}


@pytest.mark.parametrize("act", FORMS, ids=lambda act: act.endpoint)
def test_two_at_the_same_moment_are_done_once_and_both_answered(
    scene: Scene, database: Database, act: Act
) -> None:
    browser, other = Browser(scene, act), scene.new_client()
    other._cookies = browser.cookies()
    before, barrier = len(database.rows()["audit_events"]), Barrier(2)

    def send(client: PageChecker) -> TestResponse:
        barrier.wait()
        return client.post(browser.path, data=browser.data)

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(send, (browser.client, other))

    assert words(one) == words(two)
    assert one.status_code in answers_of(act)
    events = database.execute("SELECT action FROM audit_events ORDER BY id")[before:]
    for action in act.actions - LOOKS:
        assert events.count((action.value,)) == 1, action
    assert told_then(browser.client, one) == told_then(other, two)


def test_the_first_admin_who_clicks_twice_is_signed_in(
    app: Flask, new_client: NewClient, database: Database
) -> None:
    with app.app_context(), transaction() as session:
        token = tokens.mint(session, TokenPurpose.FIRST_ADMIN, account_id=None, email=None)
    client = new_client()
    form = find_form(client.page(f"/setup/{token}"))
    data = form_values(form) | {"email": "ada@example.org", "password": NEW_PASSWORD, "consent": "1"}
    cookies = {key: copy(cookie) for key, cookie in client._cookies.items()}
    first = client.post(f"/setup/{token}", data=data)
    client._cookies = cookies

    second = client.post(f"/setup/{token}", data=data)

    assert words(second) == words(first)
    assert "the first admin" in told_then(client, second)
    assert database.execute("SELECT count(*) FROM sessions") == [(1,)], "the same one, re-issued"


# The secret


@pytest.fixture
def creating(scene: Scene) -> Browser:
    """Alice, who has the form of a new key before her."""
    return Browser(scene, next(act for act in FORMS if act.endpoint == "keys.create"))


def secret_of(answer: TestResponse) -> str | None:
    found = SECRET.search(answer.text)
    return found[0] if found else None


def test_the_secret_is_the_same_for_ten_seconds_and_never_shown_after(
    creating: Browser, clock: Clock, database: Database
) -> None:
    clock.stop()
    secret = secret_of(creating.send())
    clock.forward(seconds=9.9)
    assert secret == secret_of(creating.send())

    clock.forward(seconds=0.1)

    late = creating.send()
    assert (late.status_code, secret_of(late)) == (303, None)
    assert database.execute("SELECT count(*) FROM api_keys") == [(2,)], "Alice has one from before"
    said = told_then(creating.client, late)
    assert "This form has already created this key and shown its secret" in said


def test_the_secret_is_in_no_table_and_no_cookie_and_its_salt_is_forgotten(
    app: Flask, creating: Browser, database: Database, clock: Clock
) -> None:
    secret = secret_of(creating.send())
    assert secret
    creating.send()
    for hidden in (secret, creating.data["once"]):
        assert hidden not in database.dump()
        assert all(hidden not in str(cookie) for cookie in creating.client._cookies.values())

    clock.forward(seconds=11)
    with app.app_context():
        assert sent_forms.forget() > 0

    assert database.execute("SELECT count(*) FROM sent_forms") == [(0,)]
    assert secret_of(creating.send()) is None


def test_another_session_is_not_shown_the_secret(scene: Scene, creating: Browser, database: Database) -> None:
    """Not Alice's other browser, nor Alice herself when she signed in again, nor whoever comes after her."""
    first = creating.send()
    other = scene.new_client()
    scene.alice.sign_in(other)
    token = form_values(find_form(other.page("/account/keys/new")))["csrf_token"]
    assert secret_of(other.post(creating.path, data=creating.data | {"csrf_token": token})) is None

    creating.client.submit("/account/profile", form="/signout")
    for who in (scene.alice, scene.sue):
        who.sign_in(creating.client)
        assert secret_of(creating.send()) is None
        creating.client.submit("/account/profile", form="/signout")

    assert secret_of(first)
    assert secret_of(creating.send(with_cookies=creating.before)) is None, "the session has ended"


@pytest.mark.parametrize("end", ["revoked", "session", "blocked", "content"])
def test_the_secret_is_not_shown_when_something_ended_meanwhile(
    app: Flask, scene: Scene, creating: Browser, database: Database, end: str
) -> None:
    creating.send()
    if end == "content":
        creating.data["name"] = "another"
    else:
        with app.app_context():
            if end == "revoked":
                newest = "SELECT id FROM api_keys ORDER BY created_at DESC LIMIT 1"
                [(key,)] = database.execute(newest)
                revocation.revoke_key(scene.alice.actor, UUID(str(key)))
            elif end == "session":
                sessions.end_other_sessions(scene.alice.actor)
            else:
                scene.blocked()

    again = creating.send()

    assert again.status_code == (302 if end in {"session", "blocked"} else 303)
    assert secret_of(again) is None
    assert database.execute("SELECT count(*) FROM api_keys") == [(2,)]


def test_the_api_knows_no_such_thing(scene: Scene, database: Database) -> None:
    client, headers = scene.new_client(), scene.created.headers
    wanted = {"name": "ci", "level": 1, "expiresIn": 3600, "once": "x" * 43}

    created = [client.post("/api/apikeys/key", json=wanted, headers=headers).get_json() for _ in range(2)]

    assert len({each["apikey"]["secret"] for each in created}) == 2
    assert database.execute("SELECT count(*) FROM sent_forms") == [(0,)]


# What is another's


@pytest.mark.parametrize("seconds", [0, 11])
def test_a_mailed_link_stays_good_for_one_use_and_one_browser(
    scene: Scene, clock: Clock, seconds: int
) -> None:
    browser = Browser(scene, next(act for act in FORMS if act.endpoint == "auth.reset"))
    assert browser.send().status_code == 303
    clock.forward(seconds=seconds)
    if seconds:
        assert browser.send(with_cookies=browser.before).status_code == 410

    stranger = scene.new_client()
    assert stranger.get(browser.path).status_code == 410
    token = form_values(find_form(stranger.page("/signin")))["csrf_token"]
    assert stranger.post(browser.path, data=browser.data | {"csrf_token": token}).status_code == 410


def test_a_session_that_was_ended_meanwhile_is_not_begun_again(app: Flask, scene: Scene) -> None:
    browser = Browser(scene, next(act for act in FORMS if act.endpoint == "auth.sign_in"))
    browser.send()
    with app.app_context():
        sessions.end_other_sessions(scene.alice.actor)

    browser.send(with_cookies=browser.before)

    assert browser.client.get("/account/keys").location.startswith("/signin")


def test_a_form_that_was_refused_may_be_sent_again(scene: Scene, database: Database) -> None:
    browser = Browser(scene, next(act for act in FORMS if act.endpoint == "auth.sign_in"))
    good, browser.data["password"] = browser.data["password"], "wrong"
    assert browser.send().status_code == 422
    assert database.execute("SELECT count(*) FROM sent_forms") == [(0,)]
    browser.data["password"] = good
    assert browser.send().status_code == 303
