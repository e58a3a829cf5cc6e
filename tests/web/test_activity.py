"""The owner's own record."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from portal.labels import ACTIONS
from portal.models import ActorKind
from portal.permissions import Role
from portal.services.accounts import recovery
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.keys import creation
from portal.services.operators import actions
from portal.web.activity import pictures
from portal.web.activity.views import COLUMNS
from tests.support.databases import ROOT

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
    assert "Somebody with the link from the email" in opened


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


def log_in_march(app, cast):
    """A few events of Alice's on days of March 2026."""
    with app.app_context(), transaction() as session:
        for day, action, name in (
            (1, audit.Action.KEY_REVOKED, "old"),
            (10, audit.Action.EXCESS_WARNED, None),
            (20, audit.Action.SESSION_REFUSED, None),
        ):
            details = {"name": name, "cause": "owner"} if name else {"calls": 9, "refused": 0}
            session.add(
                audit.AuditEvent(
                    at=datetime(2026, 3, day, 23, 30, tzinfo=UTC),
                    action=action,
                    actor_kind=ActorKind.SYSTEM,
                    account_id=cast.alice.account_id,
                    details=details,
                )
            )


class TestNarrowed:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("kind=keys", [audit.Action.KEY_REVOKED]),
            ("kind=limits&until=2026-03-31", [audit.Action.EXCESS_WARNED]),
            ("since=2026-03-05&until=2026-03-19", [audit.Action.EXCESS_WARNED]),
            ("since=2026-03-20&until=2026-03-20", [audit.Action.SESSION_REFUSED]),
            ("since=2026-03-21&until=2026-03-31", []),
            ("kind=keys&since=nonsense&until=31.3.2026", [audit.Action.KEY_REVOKED]),
        ],
    )
    def test_a_list_holds_what_was_asked_for(self, app, alice, cast, query, found):
        log_in_march(app, cast)
        listed = acts(alice.page(f"{PAGE}?{query}"))
        assert len(listed) == len(found)
        assert all(ACTIONS[action] in act for action, act in zip(found, listed, strict=True))

    def test_what_makes_no_sense_is_left_out(self, app, alice, cast):
        everything = acts(alice.page(PAGE))
        assert acts(alice.page(f"{PAGE}?kind=nonsense&since=x&until=0000-00-00&before=x")) == everything

    def test_a_key_is_found_by_its_name_and_by_its_id(self, alice, cast, make_key):
        nightly, _other = make_key(cast.alice, name="nightly"), make_key(cast.alice, name="shop")
        for asked in ("night", nightly.id, nightly.id[:13]):
            [act] = acts(alice.page(f"{PAGE}?key={asked}"))
            assert "nightly" in act
        assert acts(alice.page(f"{PAGE}?key=nothing-like-it")) == []

    def test_the_key_of_somebody_else_is_not_found(self, alice, cast, make_key):
        key = make_key(cast.bob, name="secret plans")
        page = alice.page(f"{PAGE}?key={key.id}")
        assert acts(page) == []
        assert page.select_one(".empty a")["href"] == PAGE

    def test_each_kind_keeps_the_other_filters(self, alice):
        links = [link["href"] for link in alice.page(f"{PAGE}?since=2026-01-02&kind=keys").select(".tabs a")]
        assert links[0] == f"{PAGE}?since=2026-01-02"
        assert f"{PAGE}?kind=sign-in&since=2026-01-02" in links

    def test_every_action_has_a_kind_and_a_picture_that_is_there(self):
        icons = (ROOT / "static" / "icons.svg").read_text()
        for action in audit.Action:
            assert pictures.kind_of(action) in pictures.KINDS
            assert f'id="{pictures.picture_of(action)[0]}"' in icons


class TestDownloaded:
    def test_as_csv_with_a_head_and_without_formulas(self, alice, cast, make_key):
        make_key(cast.alice, name="=1+1")
        answer = alice.get(f"{PAGE}.csv?kind=keys")
        head, line = list(csv.reader(answer.text.splitlines()))
        assert answer.mimetype == "text/csv"
        assert re.fullmatch(
            r'attachment; filename="activity-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"]
        )
        assert head == list(COLUMNS)
        assert line[head.index("action")] == "key:created"
        assert line[head.index("details")].startswith("'=1+1")

    def test_as_json_a_line_each(self, app, alice, cast):
        log_in_march(app, cast)
        lines = [json.loads(line) for line in alice.get(f"{PAGE}.jsonl?until=2026-03-31").text.splitlines()]
        assert [line["action"] for line in lines] == ["session:refused", "excess:warned", "key:revoked"]
        assert lines[0]["at"] == "2026-03-20T23:30:00Z"

    def test_no_more_than_the_page_says(self, app, alice, cast):
        with app.app_context():
            sue = replace(cast.sue.actor, ip_address="198.51.100.3", request_id="of-sue")
            actions.end_sessions(sue, cast.alice.account_id, why="to be sure")
        cast.alice.sign_in(alice)
        for form in ("csv", "jsonl"):
            text = alice.get(f"{PAGE}.{form}").text
            assert "to be sure" in text
            assert not any(hidden in text for hidden in ("198.51.100.3", "of-sue", cast.sue.email))

    def test_every_event_in_portions(self, app, alice, cast, monkeypatch):
        monkeypatch.setattr(audit, "AT_ONCE", 7)
        with app.app_context(), transaction() as session:
            for number in range(30):
                audit.log_event(
                    session,
                    Actor(ActorKind.ANONYMOUS),
                    audit.Action.EXCESS_WARNED,
                    account_id=cast.alice.account_id,
                    calls=number,
                    refused=0,
                )
        lines = [json.loads(line) for line in alice.get(f"{PAGE}.jsonl?kind=limits").text.splitlines()]
        assert [line["details"].split()[0] for line in lines] == [str(number) for number in range(29, -1, -1)]

    def test_not_by_strangers(self, client):
        for form in ("csv", "jsonl"):
            assert client.get(f"{PAGE}.{form}").status_code == 302
