"""Sessions: who is let in, and how long a session goes on (rows 14, 15 and 16)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.extensions import db
from portal.models import AccountStatus, ActorKind, SessionKind, UserSession
from portal.permissions import Role
from portal.services.accounts import recovery, sign_in
from portal.services.auth import jwt, logins, passwords, session_life, sessions
from portal.services.core.actor import Actor
from portal.services.core.errors import RuleError, SignInFailed
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.mail.tokens import hash_token
from portal.services.operators import actions

STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.7")
NEW = "lantern gravel otter sixty"


def enter(person, kind=SessionKind.BROWSER):
    """Sign in; the id of the session and its token."""
    signed, token = sign_in.sign_in(STRANGER, person.email, person.password, kind)
    return signed.id, token


def goes_on(session_id, token, kind):
    found = sessions.resume(token) if kind is SessionKind.BROWSER else sessions.resume_by_id(session_id)
    return found is not None


def test_a_password_that_is_changed_during_a_sign_in_lets_nobody_in(app, cast, monkeypatch):
    verify = passwords.verify_password

    def change_meanwhile(kept, password):
        is_right = verify(kept, password)
        monkeypatch.setattr(passwords, "verify_password", verify)
        recovery.change_password(cast.alice.actor, NEW, current=cast.alice.password)
        return is_right

    monkeypatch.setattr(passwords, "verify_password", change_meanwhile)
    with app.app_context():
        with pytest.raises(SignInFailed):
            enter(cast.alice)
        left = sessions.list_sessions(cast.alice.account_id)
        assert [each.id for each in left] == [cast.alice.actor.session_id], "the one that changed it"


@pytest.mark.parametrize("status", [AccountStatus.INACTIVE, AccountStatus.LOCKED, AccountStatus.BLOCKED])
def test_an_account_that_is_not_open_is_not_entered(app, cast, status):
    with app.app_context():
        with transaction() as session:
            get_account_for_update(session, cast.alice.account_id).status = status
        with pytest.raises(RuleError):
            enter(cast.alice)
        assert db.session.query(UserSession).count() == 0


@pytest.mark.parametrize("kind", SessionKind)
@pytest.mark.parametrize("status", [AccountStatus.INACTIVE, AccountStatus.LOCKED, AccountStatus.BLOCKED])
def test_a_session_of_a_shut_account_does_not_go_on(app, cast, kind, status):
    """Whatever shuts an account ends its sessions; a session doesn't rest on that."""
    with app.app_context():
        session_id, token = enter(cast.alice, kind)
        assert goes_on(session_id, token, kind)
        with transaction() as session:
            get_account_for_update(session, cast.alice.account_id).status = status
        assert not goes_on(session_id, token, kind)
        assert sessions.list_sessions(cast.alice.account_id) == []


def test_a_session_ends_by_the_role_that_is_now(app, cast, clock):
    """An owner's session goes on for 30 days, an operator's for half a day, also after a rise."""
    clock.stop()
    with app.app_context():
        ids = {who: enter(getattr(cast, who))[1] for who in ("alice", "bob", "sue")}
        assert db.session.query(UserSession.expires_at - UserSession.created_at).count() == 3
        with transaction() as session:
            get_account_for_update(session, cast.bob.account_id).role = Role.SUPPORT
    for _ in range(15):
        clock.forward(minutes=48)
        with app.app_context():
            open_now = {who: sessions.resume(token) is not None for who, token in ids.items()}
    assert open_now == {"alice": True, "bob": False, "sue": False}, "half a day is over"


def test_an_operators_session_ends_when_it_was_told_to_whatever_the_role_became(app, cast, clock):
    clock.stop()
    with app.app_context():
        _id, token = enter(cast.sue)
        actions.set_role(Actor.command_line(), cast.sue.account_id, Role.USER)
    clock.forward(hours=12, milliseconds=-1)
    with app.app_context():
        assert sessions.resume(token)
    clock.forward(milliseconds=1)
    with app.app_context():
        assert sessions.resume(token) is None


def test_a_jwt_ends_after_half_a_day_although_nobody_looks_at_its_claims(app, cast, clock):
    clock.stop()
    with app.app_context():
        session_id, token = enter(cast.alice, SessionKind.JWT)
    clock.forward(hours=12, milliseconds=-1)
    with app.app_context():
        assert goes_on(session_id, token, SessionKind.JWT)
    clock.forward(milliseconds=1)
    with app.app_context():
        assert not goes_on(session_id, token, SessionKind.JWT)


def test_a_token_is_random_and_only_its_hash_is_kept(app, cast, database):
    with app.app_context():
        tokens = [enter(cast.alice)[1] for _ in range(8)]
    kept = {bytes(row[0]) for row in database.execute("SELECT token_hash FROM sessions")}

    assert len(set(tokens)) == 8
    assert min(map(len, tokens)) >= 43, "32 random bytes"
    assert kept == {hash_token(token) for token in tokens}
    assert not any(token in database.dump() for token in tokens)


def test_a_browsers_session_is_no_jwt_and_the_other_way_round(app, cast):
    with app.app_context():
        browser, token = enter(cast.alice)
        by_jwt, unused = enter(cast.alice, SessionKind.JWT)
        assert sessions.resume_by_id(browser) is None
        assert sessions.resume(unused) is None
        assert jwt.read(jwt.issue(db.session.get(UserSession, browser))) is None
        assert jwt.read(jwt.issue(db.session.get(UserSession, by_jwt)))
        assert sessions.resume(token)


def test_a_session_is_named_by_nobody_who_signs_in_with_digits(app, cast):
    """A name of digits alone is an account's number, and no name may look like one."""
    with app.app_context():
        number = str(cast.alice.account_id)
        assert logins.find_by_login(number).id == cast.alice.account_id
        assert logins.find_by_login("9" * 16) is None
        assert session_life.idle_time(Role.SUPPORT) < timedelta(hours=2) < session_life.idle_time(Role.USER)
