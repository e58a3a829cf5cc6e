"""What a removal ends and what it leaves (rules 4 and 8)."""

from __future__ import annotations

from portal.models import ActorKind, SessionKind, TokenPurpose
from portal.services.accounts import removal, sign_in
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.mail import tokens

STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.7")


def test_a_removal_ends_every_link(app, cast):
    with app.app_context():
        with transaction() as session:
            links = {
                purpose: tokens.mint(
                    session, purpose, account_id=cast.alice.account_id, email=cast.alice.email
                )
                for purpose in TokenPurpose
            }
            bobs = tokens.mint(
                session, TokenPurpose.RESET, account_id=cast.bob.account_id, email=cast.bob.email
            )
        removal.remove_account(cast.alice.actor, cast.alice.password)
        assert {purpose: tokens.find(link, purpose) for purpose, link in links.items()} == dict.fromkeys(
            TokenPurpose
        )
        assert tokens.find(bobs, TokenPurpose.RESET)


def test_a_removal_ends_keys_and_sessions(app, cast, make_key, database):
    make_key(cast.alice)
    with app.app_context():
        for kind in SessionKind:
            sign_in.sign_in(STRANGER, "alice", cast.alice.password, kind)
        removal.remove_account(cast.alice.actor, cast.alice.password)
    assert database.execute("SELECT revoked_reason FROM api_keys") == [("account-removed",)]
    assert database.execute("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


def test_nothing_personal_is_left_in_the_account(app, cast, database):
    with app.app_context():
        removal.remove_account(cast.alice.actor, cast.alice.password)
    [row] = database.execute(
        "SELECT email, lemail, password_hash, bio, consent, status FROM accounts WHERE id = :id",
        id=cast.alice.account_id,
    )
    assert row == (None, None, None, "", 0, 0)
