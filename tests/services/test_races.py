"""Two at the same moment (rows 23, 26 and 29): the rules hold, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from flask import Flask

from portal.models import AccountStatus, ActorKind, Consent, SessionKind
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.abuse import leaks
from portal.services.abuse.leaks import Leak, Reporter
from portal.services.accounts import signup
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.core.errors import RuleError
from portal.services.core.sent_forms import Form
from portal.services.keys import creation, rotation
from portal.services.operators import actions
from tests.conftest import MakeKey
from tests.support.cast import Cast, Person, make_person
from tests.support.databases import ROOT, Database
from tests.support.mailbox import Mailbox
from tests.support.settings import settings_for

OPERATOR = Actor.command_line()
ROUNDS = 6
MAKERS = 4

FALLS: dict[str, Callable[[Person], object]] = {
    "downgrade": lambda who: actions.set_role(OPERATOR, who.account_id, Role.USER),
    "block": lambda who: actions.block(OPERATOR, who.account_id, why="abuse"),
    "withdrawal": lambda who: change_account(who.actor, consent=Consent.NONE),
}
RISES: dict[str, Callable[[Person], object]] = {
    "downgrade": lambda who: actions.set_role(OPERATOR, who.account_id, Role.SUPPORT),
    "block": lambda who: actions.unblock(OPERATOR, who.account_id, why="again"),
    "withdrawal": lambda who: change_account(who.actor, consent=Consent.PROCESSING),
}
ABOVE = """
    SELECT count(*) FROM api_keys k JOIN accounts a ON a.id = k.account_id
    WHERE k.revoked_at IS NULL
      AND (a.status <> 1 OR a.consent = 0
           OR k.level > CASE a.role WHEN 'admin' THEN 9 WHEN 'support' THEN 8 ELSE 4 END)"""


def together(app: Flask, *acts: Callable[[], object]) -> list[object]:
    """Run the acts in threads of their own that start at one moment; return what they gave."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        with app.app_context():
            barrier.wait()
            try:
                return act()
            except RuleError as error:
                return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.parametrize("cause", FALLS)
def test_no_living_key_is_left_above_the_role(app: Flask, cast: Cast, database: Database, cause: str) -> None:
    def make() -> object:
        return creation.create_key(cast.sue.actor, name="race", level=8, life=timedelta(days=1))

    for _ in range(ROUNDS):
        together(app, *[make] * MAKERS, lambda: FALLS[cause](cast.sue), *[make] * MAKERS)

        assert database.execute(ABOVE) == [(0,)]
        with app.app_context():
            RISES[cause](cast.sue)
        assert database.execute(ABOVE) == [(0,)], "and none has come back"


def test_a_leak_that_is_reported_by_many_at_once_is_told_once(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database, mailbox: Mailbox
) -> None:
    """Each report locks the accounts in one order, so that none waits for another in a circle."""
    secrets = [make_key(who).secret for who in (cast.alice, cast.bob, cast.alice, cast.bob)]
    finder = Actor(ActorKind.ANONYMOUS, ip_address="198.51.100.7")

    def report(order: int) -> object:
        found = [Leak(secret) for secret in secrets[::order]]
        return len(leaks.report(finder, found, Reporter.API))

    assert together(app, *[partial(report, order) for order in (1, -1) * 4]) == [4] * 8
    assert database.execute("SELECT count(*) FROM api_keys WHERE revoked_reason = 'leaked'") == [(4,)]
    assert database.execute("SELECT count(*) FROM audit_events WHERE action = 'key:revoked'") == [(4,)]
    for owner in (cast.alice, cast.bob):
        assert len([mail for mail in mailbox.all(to=owner.email) if "Leaked" in mail.subject]) == 1


def test_a_double_submit_makes_one_key(app: Flask, cast: Cast, database: Database) -> None:
    sent = Form.of("", "", "x" * 43, [])

    def make(number: int) -> object:
        actor = replace(cast.alice.actor, form=sent, request_id=str(number))
        return creation.create_key(actor, name="once", level=1, life=timedelta(days=1))

    results = together(app, *[partial(make, number) for number in range(6)])

    assert database.execute("SELECT count(*) FROM api_keys") == [(1,)]
    assert [isinstance(result, tuple) for result in results].count(True) == 1


def test_two_rotations_at_once_make_one_successor(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    old = UUID(make_key(cast.alice).id)

    together(app, *[lambda: rotation.rotate_key(cast.alice.actor, old)] * 4)

    assert database.execute("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL") == [(1,)]


def test_the_use_of_a_rotated_out_secret_is_noted_once(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    old = UUID(make_key(cast.alice).id)
    with app.app_context():
        rotation.rotate_key(cast.alice.actor, old)

    noted = together(app, *[lambda: rotation.note_reuse(OPERATOR, old)] * 6)

    assert noted.count(True) == 1
    assert database.execute("SELECT count(*) FROM outbox WHERE kind = 'key-reused'") == [(1,)]


@pytest.mark.parametrize(
    "act",
    [
        lambda by, to: actions.set_role(by.actor, to.account_id, Role.USER),
        lambda by, to: actions.block(by.actor, to.account_id, why="coup"),
    ],
    ids=["demote", "block"],
)
def test_two_admins_can_not_end_each_other(
    app: Flask, cast: Cast, database: Database, act: Callable[[Person, Person], object]
) -> None:
    eve = make_person(app, "evelyn", Role.ADMIN)

    together(app, lambda: act(cast.ada, eve), lambda: act(eve, cast.ada))

    active = f"SELECT count(*) FROM accounts WHERE role = 'admin' AND status = {int(AccountStatus.ACTIVE)}"
    assert database.execute(active) == [(1,)]


def test_two_can_not_confirm_with_one_link(
    app: Flask, cast: Cast, database: Database, mailbox: Mailbox
) -> None:
    with app.app_context():
        signup.request_sign_up(OPERATOR, "new@example.org", "en")
    token = mailbox.last().link("/confirm/").rpartition("/")[2]

    results = together(
        app,
        *[lambda: signup.confirm(OPERATOR, token, consent=1, password=None, kind=SessionKind.JWT)] * 4,
    )

    assert [isinstance(result, tuple) for result in results].count(True) == 1


def test_processes_lose_no_write(app: Flask, cast: Cast, database: Database, instance: Path) -> None:
    """Four processes, one table: every key that was acknowledged is there."""
    program = """
import sys
from dataclasses import replace
from datetime import timedelta
from uuid import UUID
from portal.app import create_app
from portal.models import ActorKind
from portal.services.keys import creation
from portal.services.core.actor import Actor
from portal.services.ratelimits import questions
questions.ISSUE_ACCOUNT = replace(questions.ISSUE_ACCOUNT, amount=100)
app = create_app()
with app.app_context():
    for number in range(25):
        me = Actor(ActorKind.BROWSER, int(sys.argv[1]), session_id=UUID(sys.argv[2]))
        creation.create_key(me, name=f"n{number}", level=1, life=timedelta(days=1))
"""
    with app.app_context():
        alice = cast.alice.actor
    environment = {"PATH": "/usr/bin:/bin", **settings_for(database.url, instance)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(alice.account_id), str(alice.session_id)],
            cwd=ROOT,
            env=environment,
        )
        for _ in range(4)
    ]

    assert [process.wait(100) for process in started] == [0] * 4
    assert database.execute("SELECT count(*) FROM api_keys") == [(100,)]
    assert database.execute("SELECT count(*) FROM audit_events WHERE action = 'key:created'") == [(100,)]


@pytest.mark.postgresql_only(reason="on SQLite whoever writes is alone")
def test_roles_that_change_at_once_do_not_wait_in_a_circle(
    app: Flask, cast: Cast, database: Database
) -> None:
    """Who is an admin changes meanwhile, and all admins are held while one of them is lowered."""

    def change(number: int) -> None:
        person = (cast.alice, cast.bob, cast.sue)[number % 3]
        for turn in range(number, number + 20):
            with app.app_context():
                role = Role.USER if turn % 2 else Role.ADMIN
                actions.set_role(Actor.command_line(), person.account_id, role)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(8)))


def test_a_thief_who_creates_while_the_leak_is_reported_keeps_nothing(app: Flask, cast: Cast) -> None:
    with app.app_context():
        key, secret = creation.create_key(cast.alice.actor, name="stolen", level=4, life=timedelta(days=1))
        stolen = key.id
    thief = Actor(ActorKind.KEY, account_id=cast.alice.account_id, key_id=stolen)
    created: list[tuple[str, str]] = []

    def create() -> None:
        for number in range(20):
            child, its_secret = creation.create_key(thief, name=str(number), level=4, life=timedelta(hours=1))
            created.append((str(child.id), its_secret))

    report = partial(leaks.report, Actor(ActorKind.ANONYMOUS), [Leak(secret)], Reporter.API)
    together(app, create, create, report)

    decide = runtime_of(app).verifier.decide
    assert {decide(*pair).outcome for pair in [(str(stolen), secret), *created]} == {"apikeyRevoked"}
