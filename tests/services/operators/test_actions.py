"""What operators may do: the rules behind the pages and the command line (rows 16, 23, 46)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from flask import Flask

from portal.extensions import db
from portal.models import Account, AccountStatus, Action, ActorKind, ApiKey, RevocationReason, SessionKind
from portal.permissions import Role
from portal.services.accounts import recovery, removal, sign_in
from portal.services.auth import sessions
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import (
    Forbidden,
    InvalidInput,
    LastAdmin,
    NotAdmitted,
    NotFound,
    RuleError,
    Slowed,
)
from portal.services.keys import creation
from portal.services.operators import actions, audit_search, exports
from portal.services.operators import queries as operator_queries
from portal.services.operators.audit_search import Wanted
from portal.services.ratelimits import questions
from portal.services.ratelimits.counters import Limit
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey, Person, make_person

SHELL = Actor.command_line()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        yield app


def account_of(person: Person) -> Account:
    db.session.rollback()
    account = db.session.get(Account, person.account_id)
    assert account
    return account


def key_of(created: CreatedKey) -> ApiKey:
    db.session.rollback()
    key = db.session.get(ApiKey, UUID(created.id))
    assert key
    return key


def last(action: Action) -> audit.AuditEvent:
    return audit.list_events(action=action)[0]


ACTS: dict[str, Callable[[Actor, int], object]] = {
    "block": lambda actor, number: actions.block(actor, number, why="spam"),
    "unblock": lambda actor, number: actions.unblock(actor, number, why="a mistake"),
    "revoke all": lambda actor, number: actions.revoke_excessive(actor, number, why="a flood"),
    "set role": lambda actor, number: actions.set_role(actor, number, Role.CURATOR),
}


class TestWhoMayAct:
    def test_users_may_do_nothing_to_anybody(self, context: Flask, cast: Cast) -> None:
        for act in ACTS.values():
            with pytest.raises(Forbidden):
                act(cast.bob.actor, cast.alice.account_id)

    def test_nobody_not_signed_in_may_do_anything(self, context: Flask, cast: Cast) -> None:
        for act in ACTS.values():
            with pytest.raises(Forbidden):
                act(Actor(ActorKind.ANONYMOUS), cast.alice.account_id)

    def test_nobody_acts_on_themselves(self, context: Flask, cast: Cast) -> None:
        make_person(context, "anna", Role.ADMIN)
        for act in ACTS.values():
            with pytest.raises(Forbidden):
                act(cast.ada.actor, cast.ada.account_id)

    def test_support_acts_on_nobody_above(self, context: Flask, cast: Cast) -> None:
        for act in ACTS.values():
            with pytest.raises(Forbidden):
                act(cast.sue.actor, cast.ada.account_id)

    def test_support_changes_no_roles(self, context: Flask, cast: Cast) -> None:
        with pytest.raises(Forbidden):
            actions.set_role(cast.sue.actor, cast.alice.account_id, Role.TESTER)

    def test_a_key_of_an_admin_acts_only_up_to_its_level(self, context: Flask, cast: Cast) -> None:
        created, _ = creation.create_key(cast.ada.actor, name="weak", level=7, life=timedelta(days=1))
        weak = Actor(ActorKind.KEY, account_id=cast.ada.account_id, key_id=created.id)
        for act in ACTS.values():
            with pytest.raises(Forbidden):
                act(weak, cast.alice.account_id)
        with pytest.raises(Forbidden):
            operator_queries.read_account(weak, cast.alice.account_id)

    def test_a_blocked_operator_acts_no_more(self, context: Flask, cast: Cast) -> None:
        actions.block(SHELL, cast.sue.account_id, why="left us")
        for act in ACTS.values():
            with pytest.raises(NotAdmitted):
                act(cast.sue.actor, cast.alice.account_id)

    def test_there_is_nothing_to_do_to_an_account_that_is_not_there(self, context: Flask, cast: Cast) -> None:
        for act in ACTS.values():
            with pytest.raises(NotFound):
                act(cast.ada.actor, 4_000_000)

    def test_there_is_nothing_to_do_to_a_removed_account(self, context: Flask, cast: Cast) -> None:
        removal.remove_account(cast.alice.actor, cast.alice.password)
        for act in ACTS.values():
            with pytest.raises(NotFound):
                act(cast.ada.actor, cast.alice.account_id)
        for act in ACTS.values():
            with pytest.raises(NotFound):
                act(SHELL, cast.alice.account_id)


class TestBlocking:
    def test_it_ends_keys_and_sessions_and_keeps_the_reason(
        self, context: Flask, cast: Cast, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice)
        _signed, token = sign_in.sign_in(
            Actor(ActorKind.ANONYMOUS), "alice", cast.alice.password, SessionKind.BROWSER
        )

        actions.block(cast.sue.actor, cast.alice.account_id, why="  spam  ")

        key = key_of(created)
        assert key.revoked_reason is RevocationReason.BLOCKED
        assert sessions.resume(token) is None
        assert account_of(cast.alice).status == AccountStatus.BLOCKED
        event = last(Action.ACCOUNT_BLOCKED)
        assert (event.reason, event.actor_account_id, event.account_id) == (
            "spam",
            cast.sue.account_id,
            cast.alice.account_id,
        )

    def test_it_asks_for_a_reason(self, context: Flask, cast: Cast) -> None:
        for why in ("", "   "):
            with pytest.raises(InvalidInput, match="reasonMissing"):
                actions.block(cast.sue.actor, cast.alice.account_id, why=why)
        assert account_of(cast.alice).status == AccountStatus.ACTIVE

    def test_a_reason_has_its_bounds(self, context: Flask, cast: Cast) -> None:
        with pytest.raises(InvalidInput, match="reasonTooLong"):
            actions.block(cast.sue.actor, cast.alice.account_id, why="x" * 501)
        actions.block(cast.sue.actor, cast.alice.account_id, why="x" * 500)

    def test_a_second_time_changes_nothing(self, context: Flask, cast: Cast) -> None:
        actions.block(cast.sue.actor, cast.alice.account_id, why="spam")
        actions.block(cast.sue.actor, cast.alice.account_id, why="again")
        assert len(audit.list_events(action=Action.ACCOUNT_BLOCKED)) == 1

    def test_unblocking_opens_the_account_and_brings_no_key_back(
        self, context: Flask, cast: Cast, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice)
        actions.block(cast.sue.actor, cast.alice.account_id, why="spam")
        actions.unblock(cast.sue.actor, cast.alice.account_id, why="a mistake")
        assert account_of(cast.alice).status == AccountStatus.ACTIVE
        key = key_of(created)
        assert key.revoked_at is not None
        assert last(Action.ACCOUNT_UNBLOCKED).reason == "a mistake"

    def test_unblocking_gives_an_account_that_its_owner_locked_back_locked(
        self, context: Flask, cast: Cast
    ) -> None:
        recovery.lock(cast.alice.actor, cast.alice.password)
        actions.block(cast.sue.actor, cast.alice.account_id, why="spam")
        actions.unblock(cast.sue.actor, cast.alice.account_id, why="a mistake")
        assert account_of(cast.alice).status == AccountStatus.LOCKED

    def test_unblocking_what_is_not_blocked_changes_nothing(self, context: Flask, cast: Cast) -> None:
        actions.unblock(cast.sue.actor, cast.alice.account_id, why="to be sure")
        assert account_of(cast.alice).status == AccountStatus.ACTIVE
        assert audit.list_events(action=Action.ACCOUNT_UNBLOCKED) == []


class TestRoles:
    def test_a_lower_level_revokes_every_key(self, context: Flask, cast: Cast, make_key: MakeKey) -> None:
        created = make_key(cast.sue, level=1)
        actions.set_role(cast.ada.actor, cast.sue.account_id, Role.CURATOR, why="moves on")
        key = key_of(created)
        assert key.revoked_reason is RevocationReason.ROLE_LOWERED
        event = last(Action.ACCOUNT_ROLE_CHANGED)
        assert (event.details, event.reason) == ({"before": "support", "after": "curator"}, "moves on")

    @pytest.mark.parametrize("role", [Role.TESTER, Role.ADMIN])
    def test_a_move_sideways_or_up_revokes_nothing(
        self, context: Flask, cast: Cast, make_key: MakeKey, role: Role
    ) -> None:
        created = make_key(cast.alice)
        actions.set_role(cast.ada.actor, cast.alice.account_id, role)
        key = key_of(created)
        assert key.revoked_at is None

    def test_a_rise_of_rights_ends_the_sessions_that_were_begun_without_them(
        self, context: Flask, cast: Cast
    ) -> None:
        _signed, token = sign_in.sign_in(
            Actor(ActorKind.ANONYMOUS), "alice", cast.alice.password, SessionKind.BROWSER
        )
        actions.set_role(cast.ada.actor, cast.alice.account_id, Role.TESTER)
        assert sessions.resume(token) is not None
        actions.set_role(cast.ada.actor, cast.alice.account_id, Role.CURATOR)
        assert sessions.resume(token) is None

    def test_the_same_role_again_changes_nothing(self, context: Flask, cast: Cast) -> None:
        actions.set_role(cast.ada.actor, cast.alice.account_id, Role.USER)
        assert audit.list_events(action=Action.ACCOUNT_ROLE_CHANGED) == []


ENDS: dict[str, Callable[[Person], object]] = {
    "block": lambda person: actions.block(SHELL, person.account_id, why="gone"),
    "demote": lambda person: actions.set_role(SHELL, person.account_id, Role.SUPPORT),
    "lock": lambda person: recovery.lock(person.actor, person.password),
    "remove": lambda person: removal.remove_account(person.actor, person.password),
}


class TestLastAdmin:
    def test_the_last_admin_is_safe(self, context: Flask, cast: Cast) -> None:
        for end in ENDS.values():
            with pytest.raises(LastAdmin):
                end(cast.ada)
        account = account_of(cast.ada)
        assert (account.role, account.status) == (Role.ADMIN, AccountStatus.ACTIVE)

    def test_an_admin_who_is_blocked_does_not_count(self, context: Flask, cast: Cast) -> None:
        anna = make_person(context, "anna", Role.ADMIN)
        actions.block(SHELL, anna.account_id, why="gone")
        for end in ENDS.values():
            with pytest.raises(LastAdmin):
                end(cast.ada)

    @pytest.mark.parametrize(
        ("end", "other"),
        [("demote", "demote"), ("remove", "demote"), ("block", "lock"), ("remove", "remove")],
    )
    def test_of_two_at_once_one_stays(self, context: Flask, cast: Cast, end: str, other: str) -> None:
        anna = make_person(context, "anna", Role.ADMIN)
        start = Barrier(2)

        def act(name: str, person: Person) -> str:
            with context.app_context():
                start.wait(10)
                try:
                    ENDS[name](person)
                except RuleError as error:
                    return error.code
                return "done"

        with ThreadPoolExecutor(2) as pool:
            results = sorted(pool.map(act, [end, other], [cast.ada, anna]))

        assert results == ["done", "lastAdmin"]
        admins = [
            person
            for person in (cast.ada, anna)
            if account_of(person).role is Role.ADMIN and account_of(person).status == AccountStatus.ACTIVE
        ]
        assert len(admins) == 1

    def test_two_admins_who_demote_each_other_leave_one(self, context: Flask, cast: Cast) -> None:
        anna = make_person(context, "anna", Role.ADMIN)
        start = Barrier(2)

        def demote(by: Person, whom: Person) -> str:
            with context.app_context():
                start.wait(10)
                try:
                    actions.set_role(by.actor, whom.account_id, Role.USER)
                except RuleError as error:
                    return error.code
                return "done"

        with ThreadPoolExecutor(2) as pool:
            results = sorted(pool.map(demote, [cast.ada, anna], [anna, cast.ada]))
        assert results == ["done", "insufficientAccessLevel"]


class TestLooking:
    def test_it_finds_by_name_address_number_and_key(
        self, context: Flask, cast: Cast, make_key: MakeKey
    ) -> None:
        created = make_key(cast.bob)
        for query in ("BOB", "bobby@EXAMPLE", str(cast.bob.account_id), created.id.upper()):
            found = operator_queries.search_accounts(cast.sue.actor, query=query)
            assert cast.bob.account_id in [account.id for account in found.items], query
        assert operator_queries.search_accounts(cast.sue.actor, query="%").total == 0

    def test_it_filters_by_role_and_state(self, context: Flask, cast: Cast) -> None:
        actions.block(SHELL, cast.bob.account_id, why="spam")
        by_role = operator_queries.search_accounts(cast.sue.actor, role=Role.ADMIN)
        by_state = operator_queries.search_accounts(cast.sue.actor, status=AccountStatus.BLOCKED)
        assert [account.id for account in by_role.items] == [cast.ada.account_id]
        assert [account.id for account in by_state.items] == [cast.bob.account_id]

    def test_each_look_is_recorded(self, context: Flask, cast: Cast) -> None:
        operator_queries.search_accounts(cast.sue.actor, query="alice")
        operator_queries.read_account(cast.sue.actor, cast.alice.account_id)
        audit_search.search(cast.sue.actor, Wanted())
        told = [event.action for event in audit.list_events(limit=3)]
        assert told == [Action.AUDIT_LOG_READ, Action.ACCOUNT_READ, Action.ACCOUNTS_SEARCHED]

    @pytest.mark.parametrize("query", ["alice@example.org", " bobby ", "gone@example.org", "chk_{secret}"])
    def test_what_was_typed_is_not_kept_but_what_was_found(
        self, context: Flask, cast: Cast, make_key: MakeKey, query: str
    ) -> None:
        query = query.format(secret=make_key(cast.bob).secret)
        page = operator_queries.search_accounts(cast.sue.actor, query=query)

        event = last(Action.ACCOUNTS_SEARCHED)

        assert event.details == {
            "found": page.total, "page": 1, "accounts": [account.id for account in page.items],
        }  # fmt: skip

    def test_owners_may_not_look(self, context: Flask, cast: Cast) -> None:
        for look in (
            lambda: operator_queries.search_accounts(cast.bob.actor),
            lambda: operator_queries.read_account(cast.bob.actor, cast.alice.account_id),
            lambda: audit_search.search(cast.bob.actor, Wanted()),
            lambda: next(exports.list_accounts(cast.ada.actor)),
            lambda: next(exports.list_keys(cast.ada.actor)),
        ):
            with pytest.raises(Forbidden):
                look()

    @pytest.mark.parametrize(
        "look",
        [
            lambda actor, _who: operator_queries.search_accounts(actor, query="bob"),
            lambda actor, who: operator_queries.read_account(actor, who.account_id),
            lambda actor, who: audit_search.search(actor, Wanted(account=str(who.account_id))),
            lambda actor, _who: operator_queries.note_usage_read(actor, "day"),
        ],
        ids=["search", "account", "record", "usage"],
    )
    def test_looks_have_a_limit_and_a_refused_one_leaves_no_record(
        self,
        context: Flask,
        cast: Cast,
        monkeypatch: pytest.MonkeyPatch,
        look: Callable[[Actor, Person], object],
    ) -> None:
        monkeypatch.setattr(
            questions, "LOOK_OWN", Limit("look by account and session", 2, 3600), raising=False
        )
        for _ in range(2):
            look(cast.sue.actor, cast.bob)
        kept = len(audit.list_events())

        with pytest.raises(Slowed) as told:
            look(cast.sue.actor, cast.bob)

        assert 0 < int(told.value.retry_after) <= 3600
        assert len(audit.list_events()) == kept
        look(cast.ada.actor, cast.bob)
        for _ in range(3):
            look(SHELL, cast.bob)

    def test_a_thief_who_looks_in_another_session_leaves_the_operator_spares(
        self, context: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, amount, spares in (("LOOK_OWN", 5, None), ("LOOK_ACCOUNT", 4, 2)):
            monkeypatch.setattr(questions, name, Limit(name, amount, 3600, spares=spares), raising=False)
        thiefs, mine = uuid4(), uuid4()

        told = [bool(questions.may_look(cast.sue.account_id, by)) for by in [thiefs] * 5 + [mine] * 3]

        assert told == [True, True, True, True, False, True, True, False]


class TestRevokingOne:
    def test_it_revokes_that_key_only_and_keeps_the_reason(
        self, context: Flask, cast: Cast, make_key: MakeKey
    ) -> None:
        created, other = make_key(cast.alice), make_key(cast.alice, name="other")
        actions.revoke_one(cast.sue.actor, UUID(created.id), why="found in a paste")
        assert last(Action.KEY_REVOKED).reason == "found in a paste"
        key, kept = key_of(created), key_of(other)
        assert key.revoked_reason is RevocationReason.OPERATOR
        assert kept.revoked_at is None

    def test_a_second_time_changes_nothing(self, context: Flask, cast: Cast, make_key: MakeKey) -> None:
        created = make_key(cast.alice)
        actions.revoke_one(cast.sue.actor, UUID(created.id), why="first")
        actions.revoke_one(cast.sue.actor, UUID(created.id), why="second")
        assert len(audit.list_events(action=Action.KEY_REVOKED)) == 1

    def test_support_revokes_no_key_of_an_admin(self, context: Flask, cast: Cast, make_key: MakeKey) -> None:
        created = make_key(cast.ada)
        with pytest.raises(Forbidden):
            actions.revoke_one(cast.sue.actor, UUID(created.id), why="no")
        with pytest.raises(NotFound):
            actions.revoke_one(cast.sue.actor, UUID(int=7), why="no")


class TestExcessiveUse:
    def test_it_revokes_every_key_and_the_account_stays_open(
        self, context: Flask, cast: Cast, make_key: MakeKey
    ) -> None:
        make_key(cast.alice)
        make_key(cast.alice, name="other")
        assert actions.revoke_excessive(cast.sue.actor, cast.alice.account_id, why="a flood") == 2
        event = last(Action.KEYS_REVOKED)
        assert (event.reason, event.details) == ("a flood", {"cause": "excessive", "keys": 2})
        assert account_of(cast.alice).status == AccountStatus.ACTIVE
