"""The owner's own record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from portal.models import ActorKind
from portal.permissions import Role
from portal.services.accounts import recovery
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.keys import creation
from portal.services.operators import actions

PAGE = "/account/activity"


def acts(page):
    return [" ".join(row.get_text(" ").split()) for row in page.select("table tbody tr")]


@pytest.fixture
def alice(client, cast):
    cast.alice.sign_in(client)
    return client


def test_what_was_done_stands_there_the_newest_first(alice, cast, make_key):
    make_key(cast.alice, name="nightly", level=3)
    listed = acts(alice.page(PAGE))
    assert "Key created nightly, level 3 You 127.0.0.1" in listed[0]
    assert any(act.startswith("Signed in You 127.0.0.1") for act in listed)


def test_a_key_is_linked_to_its_page(alice, cast, make_key):
    key = make_key(cast.alice)
    assert alice.page(PAGE).select_one(f"a[href='/account/keys/{key.id}']")


def test_a_refused_sign_in_shows_where_it_came_from(app, alice, cast):
    stranger = app.test_client()
    stranger.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    stranger.submit("/signin", {"username": "alice", "password": "not the password at all"})
    [act] = [act for act in acts(alice.page(PAGE)) if "Sign-in refused" in act]
    assert "203.0.113.9" in act
    assert "Somebody not signed in" in act


def test_an_operator_is_neither_named_nor_located(app, alice, cast):
    with app.app_context():
        sue = replace(cast.sue.actor, ip_address="198.51.100.3")
        actions.block(sue, cast.alice.account_id, why="made trouble")
        actions.unblock(sue, cast.alice.account_id, why="was wrong")
    cast.alice.sign_in(alice)
    page = alice.page(PAGE)
    assert any("Account blocked made trouble An operator" in act for act in acts(page))
    assert "198.51.100.3" not in page.text
    assert cast.sue.email not in page.text


def test_a_change_of_role_says_from_what_to_what(app, alice, cast):
    with app.app_context():
        actions.set_role(cast.ada.actor, cast.alice.account_id, Role.CURATOR)
        actions.set_role(Actor.command_line(), cast.alice.account_id, Role.USER)
    cast.alice.sign_in(alice)
    listed = acts(alice.page(PAGE))
    assert any("Role changed from User to Curator" in act for act in listed)
    assert any("An operator, on the command line" in act for act in listed)


def test_nobody_sees_the_acts_of_others(client, cast, make_key):
    make_key(cast.alice, name="secret plans")
    cast.bob.sign_in(client)
    assert "secret plans" not in client.page(PAGE).text


def test_a_long_record_comes_in_pages(app, alice, cast):
    with app.app_context(), transaction() as session:
        for number in range(120):
            audit.log_event(
                session,
                Actor(ActorKind.ANONYMOUS),
                audit.Action.KEY_REVOKED,
                account_id=cast.alice.account_id,
                name=f"old {number:03}",
                cause="owner",
            )
    seen, path = [], PAGE
    while path:
        page = alice.page(path)
        seen += acts(page)
        older = page.select_one("a[rel=next]")
        path = older["href"] if older else None
    names = [act.split(",")[0].removeprefix("Key revoked ") for act in seen if "Key revoked" in act]
    assert names == [f"old {number:03}" for number in range(119, -1, -1)]
    assert page.select_one("a[rel=first]")["href"] == PAGE


def test_odd_ends_of_pages_are_no_error(alice):
    for before in ("1", "0", "-5", "x", "9" * 40, ""):
        alice.page(f"{PAGE}?before={before}")


def test_behind_the_end_there_is_a_way_back(alice):
    page = alice.page(f"{PAGE}?before=1")
    assert page.select_one("main .empty a")["href"] == PAGE


def test_a_lock_and_its_opening_stand_there(app, alice, cast, mailbox):
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    alice.submit(mailbox.last(to=cast.alice.email).path("/unlock/"))
    cast.alice.sign_in(alice)
    listed = acts(alice.page(PAGE))
    assert any(act.startswith("Account locked by its owner") for act in listed)
    [opened] = [act for act in listed if act.startswith("Account unlocked by its owner")]
    assert "Whoever had the link from the mail" in opened


def test_an_operator_sees_the_number_of_the_account_that_was_acted_on(app, client, cast):
    with app.app_context():
        actions.block(cast.ada.actor, cast.alice.account_id, why="made trouble")
    cast.ada.sign_in(client)
    [act] = [act for act in acts(client.page(PAGE)) if "Account blocked" in act]
    assert f"account {cast.alice.account_id}" in act
    assert "You" in act


def test_what_keys_and_tokens_do_is_told_from_what_the_owner_does(app, alice, cast, make_key):
    created = make_key(cast.alice)
    key = Actor(ActorKind.KEY, cast.alice.account_id, key_id=UUID(created.id))
    with app.app_context():
        token = replace(cast.alice.actor, kind=ActorKind.JWT)
        for actor, name in ((key, "by key"), (token, "by token")):
            creation.create_key(actor, name=name, level=0, life=timedelta(days=1))
        actions.revoke_excessive(cast.sue.actor, cast.alice.account_id, why="too much")
    listed = acts(alice.page(PAGE))
    assert created.id in alice.get(PAGE).text
    assert "All keys revoked 3 keys, excessive usage, too much An operator" in listed[0]
    for told in (
        "Key created by token, level 0 You, with a token",
        "Key created by key, level 0 One of your keys",
    ):
        assert any(told in act for act in listed), told
    [by_key] = [act for act in listed if "Key created by key" in act]
    assert f"{created.id[:8]}…{created.id[-4:]}" in by_key, "which key it was"


@pytest.mark.usefixtures("cast")
def test_a_new_account_was_made_by_the_portal(client, mailbox):
    client.submit("/signup", {"email": "carol@example.org"})
    path = mailbox.last(to="carol@example.org").path("/confirm/")
    client.submit(path, {"password": "lantern gravel otter sixty", "consent": "1"})
    assert "Account created The portal" in acts(client.page(PAGE))[-1]
