"""Links and what they act on: the account that they went to, while it is open, and no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from portal.models import Account, AccountStatus, ActorKind, Consent, SessionKind, TokenPurpose
from portal.permissions import Role
from portal.services.accounts import admins, email_change, recovery, removal, sign_in, signup
from portal.services.accounts.update import change_account
from portal.services.auth import sessions
from portal.services.core.actor import Actor
from portal.services.core.errors import LastAdmin, NotAdmitted, RuleError, TokenInvalid
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.mail import tokens
from tests.support.cast import make_person
from tests.support.waiting import WAITING, wait_until

STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.7")
NEW = "lantern gravel otter sixty"
ELSEWHERE = "alice@elsewhere.example"
SHUT = (AccountStatus.INACTIVE, AccountStatus.LOCKED, AccountStatus.BLOCKED)


def mint(person, purpose, address=None):
    with transaction() as session:
        return tokens.mint(session, purpose, account_id=person.account_id, email=address or person.email)


def set_status(person, status):
    with transaction() as session:
        get_account_for_update(session, person.account_id).status = status


def give_new_address(person):
    email_change.confirm_email(STRANGER, mint(person, TokenPurpose.EMAIL, ELSEWHERE))


def test_a_reset_link_does_not_outlive_a_new_address(app, cast):
    """Whoever reads the old mailbox can't get into the account through it any more."""
    with app.app_context():
        link = mint(cast.alice, TokenPurpose.RESET)
        give_new_address(cast.alice)
        with pytest.raises(TokenInvalid):
            recovery.reset_password(STRANGER, link, NEW)
        assert sign_in.sign_in(STRANGER, ELSEWHERE, cast.alice.password, SessionKind.BROWSER)


def test_a_new_address_ends_the_links_that_went_to_the_old_one(app, cast):
    with app.app_context():
        link = mint(cast.alice, TokenPurpose.RESET)
        give_new_address(cast.alice)
        assert tokens.find(link, TokenPurpose.RESET) is None


def test_a_link_that_went_to_another_address_resets_nothing(app, cast):
    with app.app_context():
        link = mint(cast.alice, TokenPurpose.RESET, "alice@before.example")
        with pytest.raises(TokenInvalid):
            recovery.reset_password(STRANGER, link, NEW)
        assert tokens.find(link, TokenPurpose.RESET), "what fails uses nothing up"
        assert sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.BROWSER)


@pytest.mark.parametrize("end_others", [True, False])
def test_a_new_password_ends_the_links_of_resets(app, cast, end_others):
    with app.app_context():
        link = mint(cast.alice, TokenPurpose.RESET)
        recovery.change_password(cast.alice.actor, NEW, current=cast.alice.password, end_others=end_others)
        assert tokens.find(link, TokenPurpose.RESET) is None


def reset(token):
    recovery.reset_password(STRANGER, token, NEW)


def confirm(token):
    signup.confirm(STRANGER, token, consent=1, password=NEW, kind=SessionKind.BROWSER)


def unlock(token):
    recovery.unlock(STRANGER, token)


def confirm_email(token):
    email_change.confirm_email(STRANGER, token)


ACTS = {
    "reset": (TokenPurpose.RESET, reset, {AccountStatus.ACTIVE, AccountStatus.LOCKED}),
    "confirm": (TokenPurpose.CONFIRM, confirm, {AccountStatus.INACTIVE}),
    "unlock": (TokenPurpose.UNLOCK, unlock, {AccountStatus.LOCKED}),
    "new address": (TokenPurpose.EMAIL, confirm_email, {AccountStatus.ACTIVE}),
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("status", AccountStatus)
def test_no_link_acts_on_an_account_that_is_shut(app, cast, database, name, status):
    """What shuts an account ends its links; a link that is left all the same does nothing."""
    purpose, act, fitting = ACTS[name]
    with app.app_context():
        set_status(cast.alice, status)
        token = mint(cast.alice, purpose)
        before = database.rows()["accounts"]
        if status in fitting:
            act(token)
            return
        with pytest.raises(TokenInvalid):
            act(token)
    assert database.rows()["accounts"] == before
    assert database.execute("SELECT count(*) FROM sessions") == [(0,)]


@pytest.mark.parametrize("status", SHUT)
def test_nothing_of_an_account_that_is_shut_is_changed(app, cast, database, status):
    with app.app_context():
        set_status(cast.alice, status)
        before = database.rows()
        for wanted in ({"bio": "x"}, {"username": "x1"}, {"email": ELSEWHERE}, {"consent": 2}):
            with pytest.raises(RuleError):
                change_account(cast.alice.actor, **wanted)
            assert database.rows()["accounts"] == before["accounts"]
            assert database.rows()["outbox"] == before["outbox"]


@pytest.mark.parametrize("way", ["lock", "remove"])
def test_of_two_admins_who_leave_at_once_one_stays(app, cast, database, way):
    """The second has been told to wait before the first has gone."""
    other = make_person(app, "ann", Role.ADMIN)

    def leave():
        with app.app_context():
            act = recovery.lock if way == "lock" else removal.remove_account
            try:
                act(other.actor, other.password)
            except LastAdmin as error:
                return error
            return None

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            admins.refuse_last_admin(session, cast.ada.account_id)
            second = pool.submit(leave)
            if database.kind == "postgresql":
                wait_until(lambda: database.execute(WAITING) == [(1,)])
            get_account_for_update(session, cast.ada.account_id).status = AccountStatus.LOCKED
        assert isinstance(second.result(), LastAdmin)
    count = "SELECT count(*) FROM accounts WHERE role = 'admin' AND status = 1"
    assert database.execute(count) == [(1,)]


@pytest.mark.parametrize("status", [AccountStatus.LOCKED, AccountStatus.BLOCKED])
def test_no_key_is_made_for_an_account_that_is_shut(app, cast, make_key, status):
    """Its sessions are over with it; its keys are revoked, which the database holds too."""
    with app.app_context():
        set_status(cast.alice, status)
    with pytest.raises(NotAdmitted):
        make_key(cast.alice)


def test_a_blocked_account_gets_no_link_for_a_password(app, cast, mailbox):
    with app.app_context():
        set_status(cast.alice, AccountStatus.BLOCKED)
        recovery.request_reset(STRANGER, cast.alice.email)
    assert mailbox.all(to=cast.alice.email) == []


def test_a_locked_account_is_locked_whole(app, cast, make_key, database):
    make_key(cast.alice)
    with app.app_context():
        signed, _token = sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.JWT)
        link = mint(cast.alice, TokenPurpose.RESET)
        recovery.lock(cast.alice.actor, cast.alice.password)
        assert tokens.find(link, TokenPurpose.RESET) is None
        assert sessions.resume_by_id(signed.id) is None
    assert database.execute("SELECT revoked_reason FROM api_keys") == [("locked",)]
    assert database.execute("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


def test_the_first_admins_link_makes_none_where_there_is_one(app, cast, database):
    with app.app_context():
        with transaction() as session:
            link = tokens.mint(session, TokenPurpose.FIRST_ADMIN, account_id=None, email=None)
        with pytest.raises(TokenInvalid):
            signup.create_first_admin(STRANGER, link, email="eve@example.org", password=NEW, consent=1)
    assert database.execute("SELECT count(*) FROM accounts WHERE role = 'admin'") == [(1,)]


def test_consent_of_a_confirmed_account_is_the_one_that_was_given(app, cast):
    with app.app_context():
        set_status(cast.alice, AccountStatus.INACTIVE)
        signup.confirm(
            STRANGER,
            mint(cast.alice, TokenPurpose.CONFIRM),
            consent=2,
            password=NEW,
            kind=SessionKind.BROWSER,
        )
        with transaction() as session:
            account = session.get(Account, cast.alice.account_id)
            assert (account.status, account.consent) == (AccountStatus.ACTIVE, Consent.OPEN_DATA)
