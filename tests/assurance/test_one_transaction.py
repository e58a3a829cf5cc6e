"""The act, its record and its mail are there together, or none of them is (row 27).

Each use case is done again and again on the same data, and each time another one of its
statements, or the commit itself, fails: afterwards the database is what it was before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from portal import clock
from portal.extensions import Base, db
from portal.models import Action, ActorKind, AuditEvent, Consent, OutboxMail, SessionKind, TokenPurpose
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.abuse import excess, leaks
from portal.services.abuse.excess import ExcessPolicy
from portal.services.abuse.leaks import Leak, Reporter
from portal.services.accounts import (
    email_change,
    recovery,
    removal,
    sign_in,
    signup,
)
from portal.services.accounts.update import change_account
from portal.services.auth import passwords, sessions
from portal.services.calls.rates import Rates
from portal.services.core.actor import Actor
from portal.services.core.errors import SignInFailed
from portal.services.core.transaction import transaction
from portal.services.keys import creation, revocation, rotation
from portal.services.mail import outbox, tokens
from portal.services.operators import actions
from portal.services.system import retention
from portal.services.usage import moments
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, make_person

PASSWORD = "quiet-lantern-orchard-52"
MONTH = timedelta(days=30)
UNCOUNTED = {"limit_counters"}
STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.7")


class Fault(Exception):
    """What goes wrong on purpose."""


class Scene:
    """What the use cases act on: Alice with a key and a session, good links, the operators."""

    def __init__(self, app: Flask, cast: Cast, make_key: MakeKey) -> None:
        self.app, self.cast = app, cast
        for person in cast:
            assert person.actor.session_id, "each has a session before anything fails"
        created = make_key(cast.alice)
        self.key, self.secret = keys_id(created.id), created.secret
        self.rotated = keys_id(make_key(cast.alice, level=2).id)
        with app.app_context():
            rotation.rotate_key(cast.alice.actor, self.rotated)
        runtime_of(app).usage.note_call(str(self.key), "192.0.2.7", clock.now_ms())
        runtime_of(app).usage.note_refusal(str(self.key), clock.now_ms(), excess.ABOVE_LIMIT)
        runtime_of(app).usage.flush()
        with app.app_context(), transaction() as session:
            account = session.get_one(signup.Account, cast.alice.account_id)
            self.signed, _token = sessions.start(session, STRANGER, account, SessionKind.BROWSER)
            self.session_id = self.signed.id
        with app.app_context(), transaction() as session:
            long_ago = clock.utcnow() - timedelta(days=500)
            session.add(
                AuditEvent(id=0, at=long_ago, action=Action.SESSION_STARTED, actor_kind=ActorKind.SYSTEM)
            )
        with app.app_context():
            signup.request_sign_up(STRANGER, "new@example.org", "en")
            with transaction() as session:
                mail = session.scalars(sa.select(OutboxMail).order_by(OutboxMail.id.desc())).first()
                assert mail
                self.confirm = signup.prepare_sign_up_mail(session, mail).params["token"]
                self.reset = self._mint(session, TokenPurpose.RESET)
                self.email = self._mint(session, TokenPurpose.EMAIL, "alice@new.example.org")
                self.stop = self._mint(session, TokenPurpose.EMAIL_STOP)
            claim = outbox.claim_next()
            assert claim
            self.claim = claim
            actions.block(cast.sue.actor, cast.bob.account_id, why="abuse")
            self.carol = make_person(app, "carol")
            recovery.lock(self.carol.actor, self.carol.password)
            with transaction() as session:
                self.unlock = tokens.mint(
                    session,
                    TokenPurpose.UNLOCK,
                    account_id=self.carol.account_id,
                    email=self.carol.email,
                )

    def _mint(self, session: Any, purpose: TokenPurpose, address: str | None = None) -> str:
        alice = self.cast.alice
        return tokens.mint(session, purpose, account_id=alice.account_id, email=address or alice.email)


def keys_id(text: str) -> Any:
    return UUID(text)


def escalate(scene: Scene) -> Any:
    """Reach all thresholds at once."""
    rates = {role.value: Rates(1, 1) for role in Role}
    return excess.escalate(scene.cast.alice.account_id, ExcessPolicy(80, 1, rates))


UseCase = Callable[[Scene], Any]
USE_CASES: dict[str, tuple[UseCase, Action, bool]] = {
    "make a key": (
        lambda it: creation.create_key(it.cast.alice.actor, name="x", level=1, life=MONTH),
        Action.KEY_CREATED,
        True,
    ),
    "rotate a key": (lambda it: rotation.rotate_key(it.cast.alice.actor, it.key), Action.KEY_ROTATED, True),
    "note the use of a rotated-out secret": (
        lambda it: rotation.note_reuse(STRANGER, it.rotated),
        Action.KEY_REUSED,
        True,
    ),
    "revoke a key": (lambda it: revocation.revoke_key(it.cast.alice.actor, it.key), Action.KEY_REVOKED, True),
    "report a leak": (
        lambda it: leaks.report(STRANGER, [Leak(it.secret, "a log")], Reporter.API),
        Action.KEY_REVOKED,
        True,
    ),
    "revoke another's key": (
        lambda it: actions.revoke_one(it.cast.sue.actor, it.key, why="leaked"),
        Action.KEY_REVOKED,
        True,
    ),
    "revoke all keys": (
        lambda it: actions.revoke_excessive(it.cast.sue.actor, it.cast.alice.account_id, why="too much"),
        Action.KEYS_REVOKED,
        True,
    ),
    "lower a role": (
        lambda it: actions.set_role(it.cast.ada.actor, it.cast.sue.account_id, Role.USER),
        Action.ACCOUNT_ROLE_CHANGED,
        True,
    ),
    "raise a role": (
        lambda it: actions.set_role(it.cast.ada.actor, it.cast.alice.account_id, Role.SUPPORT),
        Action.ACCOUNT_ROLE_CHANGED,
        True,
    ),
    "block": (
        lambda it: actions.block(it.cast.sue.actor, it.cast.alice.account_id, why="abuse"),
        Action.ACCOUNT_BLOCKED,
        True,
    ),
    "unblock": (
        lambda it: actions.unblock(it.cast.sue.actor, it.cast.bob.account_id, why="a mistake"),
        Action.ACCOUNT_UNBLOCKED,
        False,
    ),
    "unlock": (lambda it: recovery.unlock(STRANGER, it.unlock), Action.ACCOUNT_UNLOCKED, False),
    "give consent": (
        lambda it: change_account(it.cast.alice.actor, consent=Consent.OPEN_DATA),
        Action.CONSENT_GIVEN,
        False,
    ),
    "withdraw consent": (
        lambda it: change_account(it.cast.alice.actor, consent=Consent.NONE),
        Action.CONSENT_WITHDRAWN,
        True,
    ),
    "change the profile": (
        lambda it: change_account(it.cast.alice.actor, username="alicia", bio="x"),
        Action.ACCOUNT_UPDATED,
        False,
    ),
    "change everything at once": (
        lambda it: change_account(
            it.cast.alice.actor,
            username="alicia",
            bio="x",
            consent=2,
            email="alice@new.example.org",
            password=PASSWORD,
            current_password=it.cast.alice.password,
        ),
        Action.PASSWORD_CHANGED,
        True,
    ),
    "ask for another address": (
        lambda it: change_account(
            it.cast.alice.actor, email="alice@new.example.org", current_password=it.cast.alice.password
        ),
        Action.ACCOUNT_EMAIL_CHANGE_REQUESTED,
        True,
    ),
    "cancel another address": (
        lambda it: email_change.cancel_email(it.cast.alice.actor),
        Action.ACCOUNT_EMAIL_CHANGE_CANCELLED,
        False,
    ),
    "stop another address": (
        lambda it: email_change.stop_email(STRANGER, it.stop),
        Action.ACCOUNT_EMAIL_CHANGE_CANCELLED,
        False,
    ),
    "end somebody's sessions": (
        lambda it: actions.end_sessions(it.cast.sue.actor, it.cast.alice.account_id, why="stolen laptop"),
        Action.SESSIONS_ENDED,
        False,
    ),
    "mail a way back": (
        lambda it: actions.mail_way_back(it.cast.sue.actor, it.cast.alice.account_id, why="asked by phone"),
        Action.ACCOUNT_LINK_MAILED,
        True,
    ),
    "prove another address": (
        lambda it: email_change.confirm_email(STRANGER, it.email),
        Action.ACCOUNT_EMAIL_CHANGED,
        True,
    ),
    "change the password": (
        lambda it: recovery.change_password(it.cast.alice.actor, PASSWORD, current=it.cast.alice.password),
        Action.PASSWORD_CHANGED,
        True,
    ),
    "ask for a reset": (
        lambda it: recovery.request_reset(STRANGER, it.cast.alice.email),
        Action.PASSWORD_RESET_REQUESTED,
        True,
    ),
    "reset the password": (
        lambda it: recovery.reset_password(STRANGER, it.reset, PASSWORD),
        Action.PASSWORD_RESET,
        True,
    ),
    "lock": (
        lambda it: recovery.lock(it.cast.alice.actor, it.cast.alice.password),
        Action.ACCOUNT_LOCKED,
        True,
    ),
    "ask for the way back": (
        lambda it: recovery.request_unlock(STRANGER, it.carol.account_id),
        Action.ACCOUNT_UNLOCK_REQUESTED,
        True,
    ),
    "remove": (
        lambda it: removal.remove_account(it.cast.alice.actor, it.cast.alice.password),
        Action.ACCOUNT_REMOVED,
        True,
    ),
    "ask for an account": (
        lambda it: signup.request_sign_up(STRANGER, "other@example.org", "en"),
        Action.ACCOUNT_SIGN_UP_REQUESTED,
        True,
    ),
    "confirm an account": (
        lambda it: signup.confirm(
            STRANGER, it.confirm, consent=1, password=PASSWORD, kind=SessionKind.BROWSER
        ),
        Action.ACCOUNT_CONFIRMED,
        False,
    ),
    "create an account": (
        lambda it: signup.create_account(
            Actor.command_line(), "third@example.org", role=Role.USER, password=PASSWORD
        ),
        Action.ACCOUNT_CREATED,
        False,
    ),
    "sign in": (
        lambda it: sign_in.sign_in(
            STRANGER, it.cast.alice.email, it.cast.alice.password, SessionKind.BROWSER
        ),
        Action.SESSION_STARTED,
        False,
    ),
    "end a session": (
        lambda it: sessions.end_session(it.cast.alice.actor, it.session_id),
        Action.SESSION_ENDED,
        False,
    ),
    "end a refused mail": (
        lambda it: outbox.mark_refused(it.claim, "550 no", 550),
        Action.MAIL_REFUSED,
        False,
    ),
    "end old acts": (lambda it: retention.end_old_acts(400), Action.AUDIT_LOG_ENDED, False),
    "put the clock back": (
        lambda it: moments.put_back(Actor.command_line(), why="ran ahead"),
        Action.CLOCK_PUT_BACK,
        False,
    ),
    "escalate excess use": (escalate, Action.EXCESS_REVOKED, True),
    "end all sessions": (
        lambda it: sessions.end_other_sessions(it.cast.alice.actor),
        Action.SESSIONS_ENDED,
        False,
    ),
}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application without limits: each act is tried until it is through."""
    return make_app(PORTAL_LIMITS_ENABLED="false")


@pytest.fixture
def scene(app: Flask, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(app, cast, make_key)
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "verify_password", lambda _hash, password: password == cast.alice.password)
    monkeypatch.setattr(passwords, "needs_rehash", lambda _hash: False)
    return scene


def stored() -> dict[str, list[str]]:
    with db.engine.connect() as connection:
        return {
            table.name: sorted(repr(row) for row in connection.execute(sa.select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in UNCOUNTED
        }


@contextmanager
def failing_at(number: int) -> Iterator[list[str]]:
    """Let the statement of this number fail; after all of them, the commit."""
    seen: list[str] = []

    def look(what: str) -> None:
        seen.append(what)
        if len(seen) == number:
            raise Fault(what)

    def before(
        _connection: object, _cursor: object, statement: str, _values: object, _context: object, _many: object
    ) -> None:
        look(statement)

    def commit(_connection: object) -> None:
        look("COMMIT")

    sa.event.listen(db.engine, "before_cursor_execute", before)
    sa.event.listen(db.engine, "commit", commit)
    try:
        yield seen
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", before)
        sa.event.remove(db.engine, "commit", commit)


@pytest.mark.parametrize("name", USE_CASES)
def test_whatever_fails_nothing_is_half_done(app: Flask, scene: Scene, name: str) -> None:
    act, action, writes_mail = USE_CASES[name]
    with app.app_context():
        before = stored()

    for number in count(1):
        with app.app_context(), failing_at(number) as seen:
            try:
                act(scene)
            except Fault:
                db.session.rollback()
            else:
                break
        with app.app_context():
            assert stored() == before, f"after {seen[-1]}"

    with app.app_context():
        after = stored()
        acts = [event.action for event in db.session.scalars(sa.select(AuditEvent))]
    assert number > 3
    assert action in acts
    assert (len(after["outbox"]) > len(before["outbox"])) is writes_mail


def test_a_refused_sign_in_is_recorded_in_one_transaction_too(app: Flask, scene: Scene) -> None:
    with app.app_context():
        with pytest.raises(SignInFailed):
            sign_in.sign_in(STRANGER, scene.cast.alice.email, "wrong", SessionKind.BROWSER)
        [event] = db.session.scalars(sa.select(AuditEvent).where(AuditEvent.action == Action.SESSION_REFUSED))

    assert event.account_id == scene.cast.alice.account_id


def test_every_service_that_records_is_among_the_use_cases_or_told_apart() -> None:
    """A new act gets its line in the table above, or here the place where it is proven."""
    proven_elsewhere = {
        Action.ACCOUNT_READ: "tests/assurance/test_crawl.py",
        Action.ACCOUNTS_SEARCHED: "tests/assurance/test_crawl.py",
        Action.AUDIT_LOG_READ: "tests/assurance/test_crawl.py",
        Action.KEY_READ: "tests/assurance/test_crawl.py",
        Action.KEYS_SEARCHED: "tests/assurance/test_crawl.py",
        Action.USAGE_READ: "tests/assurance/test_crawl.py",
        Action.SESSION_REFUSED: "here",
        Action.CONSENT_ENTERED: "with the account that is created",
        Action.EXCESS_WARNED: "with the escalation",
        Action.EXCESS_THROTTLED: "with the escalation",
        Action.DEMO_FILLED: "tests/cli/test_demo.py",
    }
    covered = {action for _act, action, _mail in USE_CASES.values()} | set(proven_elsewhere)

    assert set(Action) - covered == set()
