"""Who acts is asked again in the transaction that acts (row 70): no act lands after its right has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Event
from uuid import UUID

import pytest
from flask import Flask

from portal.models import Action, ActorKind, Consent
from portal.permissions import Role
from portal.services.accounts import recovery, removal, sign_in
from portal.services.accounts.update import change_account
from portal.services.auth import sessions
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import Forbidden, NotAdmitted, RuleError
from portal.services.core.transaction import transaction
from portal.services.keys import creation, revocation, rotation
from portal.services.operators import actions, audit_search
from portal.services.operators import queries as operator_queries
from portal.services.ratelimits import questions
from tests.conftest import MakeKey
from tests.support.cast import Cast, Person, make_person, sit_down
from tests.support.clock import Clock
from tests.support.databases import Database

DAY = timedelta(days=1)
SHELL = Actor.command_line()
Act = Callable[[Actor, UUID, Cast], object]


def new_password(me: Actor, cast: Cast) -> object:
    return recovery.change_password(me, "quiet-lantern-orchard-52", current=cast.alice.password)


OWNERS: dict[str, Act] = {
    "create": lambda me, _key, _cast: creation.create_key(me, name="x", level=1, life=DAY),
    "rotate": lambda me, key, _cast: rotation.rotate_key(me, key),
    "revoke": lambda me, key, _cast: revocation.revoke_key(me, key),
    "revoke the line": lambda me, key, _cast: revocation.revoke_line(me, key),
    "profile": lambda me, _key, _cast: change_account(me, bio="x"),
    "several": lambda me, _key, _cast: change_account(me, bio="x", language="nl"),
    "consent": lambda me, _key, _cast: change_account(me, consent=Consent.OPEN_DATA),
}
"""What a key may do as well."""
PROVEN: dict[str, Act] = {
    "email": lambda me, _key, cast: change_account(
        me, email="new@example.org", current_password=cast.alice.password
    ),
    "password": lambda me, _key, cast: new_password(me, cast),
    "lock": lambda me, _key, cast: recovery.lock(me, cast.alice.password),
    "remove": lambda me, _key, cast: removal.remove_account(me, cast.alice.password),
    "end others": lambda me, _key, _cast: sessions.end_other_sessions(me),
    "end itself": lambda me, _key, _cast: sessions.end_session(me, me.session_id or UUID(int=0)),
}
OPERATE: dict[str, Act] = {
    "block": lambda me, _key, cast: actions.block(me, cast.bob.account_id, why="x"),
    "unblock": lambda me, _key, cast: actions.unblock(me, cast.bob.account_id, why="x"),
    "revoke all": lambda me, _key, cast: actions.revoke_excessive(me, cast.bob.account_id, why="x"),
    "revoke one": lambda me, key, _cast: actions.revoke_one(me, key, why="x"),
    "role": lambda me, _key, cast: actions.set_role(me, cast.bob.account_id, Role.TESTER),
    "search": lambda me, _key, _cast: operator_queries.search_accounts(me, query="bob"),
    "read": lambda me, _key, cast: operator_queries.read_account(me, cast.bob.account_id),
    "read the record": lambda me, _key, _cast: audit_search.search(me, audit_search.Wanted()),
    "read the usage": lambda me, _key, _cast: operator_queries.note_usage_read(me, "day"),
}


def hold_nothing_is_done(database: Database, act: Callable[[], object], told: type[RuleError]) -> None:
    before = written(database)
    with pytest.raises(told):
        act()
    assert written(database) == before


def written(database: Database) -> dict[str, object]:
    """All that is stored, but for the tries that are counted."""
    return {table: rows for table, rows in database.rows().items() if table != "limit_counters"}


@pytest.mark.parametrize("name", [*OWNERS, *PROVEN])
@pytest.mark.parametrize("kind", [ActorKind.BROWSER, ActorKind.JWT])
def test_an_ended_session_does_nothing(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database, name: str, kind: ActorKind
) -> None:
    key = UUID(make_key(cast.alice).id)
    with app.app_context():
        seat = cast.alice.actor
        me = Actor(kind, seat.account_id, session_id=seat.session_id)
        sessions.end_session(seat, seat.session_id or UUID(int=0))
        act = (OWNERS | PROVEN)[name]

        hold_nothing_is_done(database, lambda: act(me, key, cast), NotAdmitted)


def test_a_session_that_is_too_old_or_somebody_elses_does_nothing(
    app: Flask, cast: Cast, database: Database, clock: Clock
) -> None:
    with app.app_context():
        alice, bob, ada = cast.alice.actor, cast.bob.actor, cast.ada.actor
        others = Actor(ActorKind.BROWSER, alice.account_id, session_id=bob.session_id)
        none = Actor(ActorKind.BROWSER, alice.account_id)
        clock.forward(hours=1)
        change_account(alice, bio="an owner may rest")
        for me in (others, none, ada):
            hold_nothing_is_done(
                database,
                lambda me=me: change_account(me, bio="x"),
                NotAdmitted,  # type: ignore[misc]
            )
        clock.forward(days=31)
        hold_nothing_is_done(database, lambda: change_account(alice, bio="x"), NotAdmitted)


@pytest.mark.parametrize("name", OWNERS)
@pytest.mark.parametrize("end", ["revoked", "expired", "rotated out", "removed", "too low", "blocked"])
def test_a_key_without_its_right_does_nothing(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database, clock: Clock, name: str, end: str
) -> None:
    mine, other = make_key(cast.alice, days=1, level=2 if end == "too low" else 4), make_key(cast.alice)
    me = Actor(ActorKind.KEY, cast.alice.account_id, key_id=UUID(mine.id))
    ends: dict[str, Callable[[], object]] = {
        "revoked": lambda: revocation.revoke_key(cast.alice.actor, UUID(mine.id)),
        "expired": lambda: clock.forward(days=1),
        "rotated out": lambda: rotation.rotate_key(
            cast.alice.actor, UUID(mine.id), overlap=timedelta(hours=1)
        ),
        "removed": lambda: removal.remove_account(cast.alice.actor, cast.alice.password),
        "too low": lambda: None,
        "blocked": lambda: actions.block(SHELL, cast.alice.account_id, why="x"),
    }
    with app.app_context():
        ends[end]()
        if end == "rotated out":
            clock.forward(hours=1)
        told = Forbidden if end == "too low" else NotAdmitted
        hold_nothing_is_done(database, lambda: OWNERS[name](me, UUID(other.id), cast), told)


@pytest.mark.parametrize("name", OPERATE)
@pytest.mark.parametrize("end", ["session", "block", "fall", "consent"])
def test_an_operator_without_the_right_does_nothing(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database, name: str, end: str
) -> None:
    key = UUID(make_key(cast.bob).id)
    with app.app_context():
        me = cast.ada.actor
        actions.set_role(SHELL, make_person(app, "deputy").account_id, Role.ADMIN)
        told: dict[str, tuple[Callable[[], object], type[RuleError]]] = {
            "session": (lambda: sessions.end_session(me, me.session_id or UUID(int=0)), NotAdmitted),
            "block": (lambda: actions.block(SHELL, cast.ada.account_id, why="x"), NotAdmitted),
            "fall": (lambda: actions.set_role(SHELL, cast.ada.account_id, Role.USER), Forbidden),
            "consent": (lambda: change_account(me, consent=Consent.NONE), RuleError),
        }
        told[end][0]()
        hold_nothing_is_done(database, lambda: OPERATE[name](me, key, cast), told[end][1])


def test_an_act_of_whom_nobody_admitted_is_not_recorded(app: Flask, cast: Cast, database: Database) -> None:
    """So a use case that forgets to ask fails in each of its tests."""
    with app.app_context():
        alice = cast.alice.actor
        before = database.rows()
        for me in (
            alice,
            Actor(ActorKind.JWT, alice.account_id, session_id=alice.session_id),
            Actor(ActorKind.KEY, alice.account_id, key_id=UUID(int=1)),
        ):
            with pytest.raises(RuntimeError, match="admitted"), transaction() as session:
                audit.log_event(session, me, Action.ACCOUNT_UPDATED, account_id=me.account_id)
        change_account(alice, bio="")
        with pytest.raises(RuntimeError, match="admitted"), transaction() as session:
            audit.log_event(session, alice, Action.ACCOUNT_UPDATED, account_id=alice.account_id)
        assert database.rows() == before, "and to be admitted once is not to be admitted for ever"


def enders(cast: Cast) -> dict[str, Callable[[Actor, Actor], object]]:
    """What ends one session of Alice: by another one of hers, or by an operator."""
    return {
        "end all others": lambda other, _mine: sessions.end_other_sessions(other),
        "end one": lambda other, mine: sessions.end_session(other, mine.session_id or UUID(int=0)),
        "change the password": lambda other, _mine: new_password(other, cast),
        "block": lambda _other, _mine: actions.block(SHELL, cast.alice.account_id, why="x"),
    }


@pytest.mark.parametrize("way", ["end all others", "end one", "change the password", "block"])
def test_no_key_is_created_after_its_session_was_ended(
    app: Flask, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Four threads of one session create keys without a pause while another ends it."""
    monkeypatch.setattr(questions, "ISSUE_ACCOUNT", replace(questions.ISSUE_ACCOUNT, amount=10**6))
    with app.app_context():
        mine, other = cast.alice.actor, fresh_seat(app, cast.alice)
        end = enders(cast)[way]
    begun, ended, late = Event(), Event(), []

    def create() -> None:
        for number in count():
            is_late = ended.is_set()
            try:
                with app.app_context():
                    creation.create_key(mine, name=f"key {number}", level=0, life=DAY)
            except NotAdmitted:
                return
            except RuleError:  # all that an account may have
                continue
            begun.set()
            if is_late:
                late.append(number)

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(create) for _ in range(4)]
        assert begun.wait(30)
        with app.app_context():
            end(other, mine)
        ended.set()
        created = database.execute("SELECT count(*) FROM api_keys")
        for each in working:
            each.result(30)

    assert late == []
    assert database.execute("SELECT count(*) FROM api_keys") == created, "none after the end was answered"


def fresh_seat(app: Flask, person: Person) -> Actor:
    """One more session of somebody."""
    with app.app_context():
        signed, _token = sign_in.sign_in(
            Actor(ActorKind.ANONYMOUS), person.email, person.password, sessions.SessionKind.BROWSER
        )
        return Actor(ActorKind.BROWSER, person.account_id, session_id=signed.id)


def test_those_who_act_and_those_who_end_do_not_wait_in_a_circle(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    """Owners, operators and the end of sessions take their locks in one order."""
    eve = make_person(app, "evelyn", Role.ADMIN)
    key = UUID(make_key(cast.alice).id)

    def acts() -> Iterator[Callable[[], object]]:
        for turn in range(6):
            yield lambda: creation.create_key(sit_down(cast.alice.account_id), name="x", level=0, life=DAY)
            yield lambda: sessions.end_other_sessions(sit_down(cast.alice.account_id))
            yield lambda: revocation.revoke_key(sit_down(cast.alice.account_id), key)
            yield lambda: actions.set_role(sit_down(cast.ada.account_id), cast.alice.account_id, Role.TESTER)
            yield lambda: actions.revoke_one(sit_down(eve.account_id), key, why="x")
            yield lambda: operator_queries.read_account(sit_down(eve.account_id), cast.ada.account_id)
            yield lambda turn=turn: actions.set_role(  # type: ignore[misc]
                SHELL, cast.bob.account_id, Role.USER if turn % 2 else Role.ADMIN
            )
            yield lambda: recovery.lock(sit_down(cast.sue.account_id), "not the password")

    def run(act: Callable[[], object]) -> None:
        with app.app_context(), suppress(RuleError):
            act()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, acts()))

    assert database.execute("SELECT count(*) FROM audit_events WHERE action = 'session:all-ended'")[0][0] > 0
