"""Accounts: what two at the same moment, or two in the wrong order, can't do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from argon2 import PasswordHasher

from portal.models import ActorKind, SessionKind
from portal.permissions import Role
from portal.services.accounts import email_change, profile, recovery, removal, sign_in, signup
from portal.services.accounts.update import change_account
from portal.services.auth import reauthentication, sessions
from portal.services.core.actor import Actor
from portal.services.core.errors import (
    Forbidden,
    InvalidInput,
    NotAdmitted,
    NotFound,
    RuleError,
    TokenInvalid,
)
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.operators import actions

STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.7")
NEW = "lantern gravel otter sixty"
ELSE = "thimble quarry walnut eighty"


def together(app, *acts):
    """Run the acts in threads that start at one moment; what they gave, or the rule that said no."""
    barrier = Barrier(len(acts))

    def run(act):
        with app.app_context():
            barrier.wait()
            try:
                return act()
            except RuleError as error:
                return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def refused(results):
    return [each for each in results if isinstance(each, RuleError)]


def token_of(mail, part):
    return mail.path(part).rpartition("/")[2]


def test_two_with_one_link_set_one_password(app, cast, mailbox, database):
    with app.app_context():
        recovery.request_reset(STRANGER, cast.alice.email)
    token = token_of(mailbox.last(to=cast.alice.email), "/password/reset/")
    results = together(
        app,
        lambda: recovery.reset_password(STRANGER, token, NEW),
        lambda: recovery.reset_password(STRANGER, token, ELSE),
    )
    assert len(refused(results)) == 1
    count = "SELECT count(*) FROM audit_events WHERE action = 'password:reset'"
    assert database.execute(count) == [(1,)]


def test_two_accounts_do_not_get_one_address(app, cast, mailbox, database):
    wanted = "shared@example.org"
    tokens = []
    for person in (cast.alice, cast.bob):
        with app.app_context():
            change_account(person.actor, email=wanted, current_password=person.password)
        tokens.append(token_of(mailbox.last(to=wanted), "/confirm-email/"))
    results = together(
        app,
        lambda: email_change.confirm_email(STRANGER, tokens[0]),
        lambda: email_change.confirm_email(STRANGER, tokens[1]),
    )
    assert [type(error) for error in refused(results)] == [TokenInvalid]
    assert database.execute(f"SELECT count(*) FROM accounts WHERE email = '{wanted}'") == [(1,)]


def test_two_do_not_both_become_the_first_admin(app, database):
    tokens = []
    for _ in range(2):
        with app.app_context():
            tokens.append((signup.first_admin_link() or "").rpartition("/")[2])
    results = together(
        app,
        *(
            lambda token=token, name=name: signup.create_first_admin(
                STRANGER, token, email=f"{name}@example.org", password=NEW, consent=1
            )
            for token, name in zip(tokens, ("ann", "ben"), strict=True)
        ),
    )
    assert [type(error) for error in refused(results)] == [TokenInvalid]
    assert database.execute("SELECT count(*) FROM accounts") == [(1,)]


@pytest.mark.parametrize("shut", ["lock", "block"])
def test_an_address_asked_for_before_an_account_was_shut_is_not_proven_after(
    app, cast, mailbox, database, shut
):
    with app.app_context():
        change_account(cast.alice.actor, email="thief@example.org", current_password=cast.alice.password)
        if shut == "lock":
            recovery.lock(cast.alice.actor, cast.alice.password)
        else:
            actions.block(cast.ada.actor, cast.alice.account_id, why="stolen")
    assert mailbox.all(to="thief@example.org") == []
    assert database.execute("SELECT email FROM accounts WHERE id = :id", id=cast.alice.account_id) == [
        (cast.alice.email,)
    ]


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(app, cast):
    with app.app_context():
        late = recovery.prepare_change(cast.alice.actor, NEW, current=cast.alice.password)
        recovery.change_password(cast.alice.actor, ELSE, current=cast.alice.password)
        with transaction() as session:
            account = get_account_for_update(session, cast.alice.account_id)
            with pytest.raises(InvalidInput, match="passwordWrong"):
                recovery.apply_password(session, cast.alice.actor, account, late)
        assert sign_in.sign_in(STRANGER, "alice", ELSE, SessionKind.BROWSER)


def test_the_current_password_is_asked_for(app, cast):
    with app.app_context(), pytest.raises(InvalidInput, match="passwordWrong"):
        recovery.change_password(cast.alice.actor, NEW, current=None)


def test_a_hash_of_weaker_parameters_is_made_anew_at_sign_in(app, cast, database):
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(cast.alice.password)
    kept = "SELECT password_hash FROM accounts WHERE id = :id"
    database.execute(
        "UPDATE accounts SET password_hash = :hash WHERE id = :id", hash=weak, id=cast.alice.account_id
    )
    with app.app_context():
        sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.BROWSER)
    [(after,)] = database.execute(kept, id=cast.alice.account_id)
    assert after.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    with app.app_context():
        sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.BROWSER)
    assert database.execute(kept, id=cast.alice.account_id) == [(after,)]


def test_an_account_that_nobody_confirms_is_forgotten_after_a_week(app, cast, mailbox, database, clock):
    with app.app_context():
        signup.request_sign_up(STRANGER, "carol@example.org", "en")
    mailbox.all()
    clock.forward(days=6)
    with app.app_context():
        assert removal.forget_unconfirmed() == 0
    clock.forward(days=1, minutes=1)
    with app.app_context():
        assert removal.forget_unconfirmed() == 1
        assert removal.forget_unconfirmed() == 0
    assert database.execute("SELECT email, status FROM accounts WHERE removed_at IS NOT NULL") == [(None, 0)]


def test_an_account_is_confirmed_once(app, cast, mailbox):
    tokens = []
    for _ in range(2):
        with app.app_context():
            signup.request_sign_up(STRANGER, "carol@example.org", "en")
        tokens.append(token_of(mailbox.last(to="carol@example.org"), "/confirm/"))
    facts = {"consent": 1, "password": NEW, "kind": SessionKind.BROWSER}
    with app.app_context():
        signup.confirm(STRANGER, tokens[0], **facts)
        with pytest.raises(TokenInvalid):
            signup.confirm(STRANGER, tokens[1], **facts)


def test_a_taken_address_is_told_on_the_command_line(app, cast):
    with app.app_context(), pytest.raises(InvalidInput, match="emailTaken"):
        signup.create_account(Actor.command_line(), "ALICE@example.org", role=Role.USER, password=NEW)


def test_the_way_back_is_not_mailed_to_an_account_that_is_open_again(app, cast, mailbox):
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    token = token_of(mailbox.last(to=cast.alice.email), "/unlock/")
    with app.app_context():
        recovery.request_unlock(STRANGER, cast.alice.account_id)
        recovery.unlock(STRANGER, token)
    mailbox.clear()
    with app.app_context():
        recovery.request_unlock(STRANGER, cast.alice.account_id)
    assert mailbox.all() == []


def test_a_block_is_not_undone_by_the_link_of_a_lock(app, cast, mailbox):
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    token = token_of(mailbox.last(to=cast.alice.email), "/unlock/")
    with app.app_context():
        actions.block(cast.ada.actor, cast.alice.account_id, why="made trouble")
        with pytest.raises(TokenInvalid):
            recovery.unlock(STRANGER, token)


def test_nobody_acts_without_an_account(app):
    with app.app_context():
        for act in (
            lambda: reauthentication.prove_password(STRANGER, NEW),
            lambda: recovery.change_password(STRANGER, NEW, current=NEW),
            lambda: profile.get_account(STRANGER),
            lambda: change_account(STRANGER, bio="x"),
            lambda: change_account(STRANGER, email="x@example.org", current_password=NEW),
            lambda: removal.remove_account(STRANGER, NEW),
        ):
            with pytest.raises(Forbidden):
                act()


def test_a_removed_account_is_nobodys(app, cast):
    with app.app_context():
        removal.remove_account(cast.alice.actor, cast.alice.password)
        with pytest.raises(InvalidInput, match="passwordWrong"):
            removal.remove_account(cast.alice.actor, cast.alice.password)
        with pytest.raises(NotAdmitted):
            change_account(cast.alice.actor, bio="still here")
        assert profile.get_account(cast.alice.actor).email is None


def test_nobody_stands_in_the_way_of_a_removal_with_a_name(app, cast, database):
    with app.app_context():
        change_account(cast.bob.actor, username=f"removed-{cast.alice.account_id}")
        removal.remove_account(cast.alice.actor, cast.alice.password)
    [(name,)] = database.execute("SELECT username FROM accounts WHERE email IS NULL")
    with app.app_context(), pytest.raises(InvalidInput, match="usernameInvalid"):
        change_account(cast.bob.actor, username=name)


def test_a_session_is_somebodys(app, cast):
    with app.app_context():
        signed, token = sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.BROWSER)
        with pytest.raises(NotFound):
            sessions.end_session(cast.bob.actor, signed.id)
        assert sessions.resume(token)
        sessions.end_session(cast.alice.actor, signed.id)
        sessions.end_session(cast.alice.actor, signed.id)
        assert sessions.resume(token) is None


def test_a_session_tells_when_it_was_seen_not_more_often_than_each_minute(app, cast, database, clock):
    with app.app_context():
        _signed, token = sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.BROWSER)
    seen = "SELECT last_seen_at FROM sessions"
    [(first,)] = database.execute(seen)
    for seconds, moved in ((30, False), (31, True)):
        clock.forward(seconds=seconds)
        with app.app_context():
            sessions.resume(token)
        [(now,)] = database.execute(seen)
        assert (now > first) is moved
    assert now - first >= timedelta(minutes=1).total_seconds() * 1000
