"""The operators' pages, as Sue (support) and Ada (admin) see them; to others they are not there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.extensions import db
from portal.models import Account, AccountStatus, Action, ActorKind, ApiKey, RevocationReason
from portal.models.pages import PAGE_SIZE
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.accounts import removal
from portal.services.auth.admission import admit
from portal.services.core import audit, free_text
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.keys import creation
from portal.services.operators import actions as operator_actions
from portal.services.ratelimits import questions
from portal.services.ratelimits.counters import Limit
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey, Person, make_person
from tests.support.client import PageChecker
from tests.support.mailbox import Mailbox
from tests.support.pages import parse


@pytest.fixture
def sue(cast: Cast, client: PageChecker) -> PageChecker:
    """A browser in which support has signed in."""
    cast.sue.sign_in(client)
    return client


@pytest.fixture
def ada(cast: Cast, new_client: Callable[[], PageChecker]) -> PageChecker:
    """A browser in which an admin has signed in."""
    browser = new_client()
    cast.ada.sign_in(browser)
    return browser


def path(person: Person, act: str = "") -> str:
    return f"/admin/accounts/{person.account_id}{act and f'/{act}'}"


def key_path(owner: Person, created: CreatedKey) -> str:
    return path(owner, f"keys/{created.id}/revoke")


def account_of(app: Flask, person: Person) -> Account:
    with app.app_context():
        account = db.session.get(Account, person.account_id)
        assert account
        db.session.expunge(account)
        return account


def key_of(app: Flask, created: CreatedKey) -> ApiKey:
    with app.app_context():
        key = db.session.get(ApiKey, UUID(created.id))
        assert key
        db.session.expunge(key)
        return key


def actions(app: Flask) -> list[Action]:
    with app.app_context():
        return [event.action for event in audit.list_events()]


def words(answer: TestResponse) -> str:
    return " ".join(parse(answer).get_text(" ").split())


class TestWhoMayCome:
    @pytest.mark.parametrize("where", ["/admin/accounts", "/admin/audit-log", "/admin/accounts/1"])
    def test_to_owners_there_is_nothing_here(self, cast: Cast, client: PageChecker, where: str) -> None:
        cast.alice.sign_in(client)
        assert client.get(where).status_code == 404

    def test_who_is_not_signed_in_is_led_to_the_door(self, client: PageChecker) -> None:
        answer = client.get("/admin/accounts")
        assert answer.status_code == 302
        assert "/signin" in answer.headers["Location"]

    def test_an_operator_who_is_demoted_is_out_at_the_next_request(
        self, app: Flask, cast: Cast, sue: PageChecker
    ) -> None:
        assert sue.get("/admin/accounts").status_code == 200
        with app.app_context():
            operator_actions.set_role(Actor.command_line(), cast.sue.account_id, Role.USER)
        assert sue.get("/admin/accounts").status_code == 404


class TestFinding:
    def names(self, client: PageChecker, query: str) -> list[str]:
        page = client.page(f"/admin/accounts?{query}")
        return [tag.get_text() for tag in page.select("th[scope=row] .sub")]

    def test_it_lists_everybody_the_newest_first(self, cast: Cast, sue: PageChecker) -> None:
        assert self.names(sue, "") == ["ada", "sue", "bobby", "alice"]

    def test_it_finds_by_name_address_number_and_key(
        self, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.bob)
        for query in ("bobby", "BOBBY@example", str(cast.bob.account_id), created.id):
            assert self.names(sue, f"query={query}") == ["bobby"], query

    def test_it_filters_by_role_and_state(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        with app.app_context():
            operator_actions.block(Actor.command_line(), cast.bob.account_id, why="spam")
        assert self.names(sue, "role=admin") == ["ada"]
        assert self.names(sue, "status=blocked") == ["bobby"]
        assert self.names(sue, "role=user&status=active") == ["alice"]

    @pytest.mark.parametrize("query", ["role=king", "status=happy", "page=none", "page=-4", f"page={10**30}"])
    def test_what_makes_no_sense_is_left_out(self, cast: Cast, sue: PageChecker, query: str) -> None:
        assert len(self.names(sue, query)) == 4

    def test_nothing_found_says_what_to_do(self, sue: PageChecker) -> None:
        page = sue.page("/admin/accounts?query=nobody-at-all")
        assert "No account matches" in page.get_text()
        assert page.select_one("a.button[href='/admin/accounts']")

    def test_many_come_in_pages_that_keep_the_filter(self, app: Flask, sue: PageChecker) -> None:
        for number in range(PAGE_SIZE + 1):
            make_person(app, f"tester{number}", Role.TESTER)
        page = sue.page("/admin/accounts?role=tester")
        following = page.select_one("nav.pages a[rel=next]")
        assert following
        assert "role=tester" in str(following["href"])
        assert len(sue.page(str(following["href"])).select("tbody tr")) == 1


class TestTheAccount:
    def test_it_shows_facts_keys_and_record(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        make_key(cast.alice, name="nightly build", level=3)
        text = words(sue.get(path(cast.alice)))
        for word in (cast.alice.email, "nightly build", "Level 3", "Key created", "1 live"):
            assert word in text, word

    def test_there_is_no_such_account(self, sue: PageChecker) -> None:
        for number in ("4000000", "0", str(2**63 - 1), str(2**63), "x"):
            assert sue.get(f"/admin/accounts/{number}").status_code == 404

    def test_who_signed_in_is_named(
        self, cast: Cast, sue: PageChecker, new_client: Callable[[], PageChecker]
    ) -> None:
        cast.alice.sign_in(new_client())
        told = words(sue.get(path(cast.alice)))

        assert re.search(r"Signed in .*?alice@example\.org ?, by signing in", told)

    def test_the_record_tells_which_key_acted(
        self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice)
        actor = Actor(ActorKind.KEY, cast.alice.account_id, key_id=UUID(created.id))
        with app.app_context():
            creation.create_key(actor, name="by key", level=0, life=timedelta(days=1))
        row = sue.page(f"/admin/audit-log?account={cast.alice.account_id}&action=key:created").select_one(
            "tbody tr"
        )
        assert row
        assert f"with a key {created.id[:8]}…{created.id[-4:]}" in " ".join(row.get_text(" ").split())

    def test_looking_is_recorded(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        sue.get("/admin/accounts?query=alice")
        sue.get(path(cast.alice))
        sue.get("/admin/audit-log")
        assert actions(app)[:3] == [Action.AUDIT_LOG_READ, Action.ACCOUNT_READ, Action.ACCOUNTS_SEARCHED]

    def test_the_buttons_are_those_that_work(self, cast: Cast, sue: PageChecker, ada: PageChecker) -> None:
        def acts(client: PageChecker, whom: Person) -> set[str]:
            prefix = f"{path(whom)}/"
            links = client.page(path(whom)).select(f"a[href^='{prefix}']")
            return {str(link["href"]).removeprefix(prefix) for link in links}

        assert acts(sue, cast.alice) == {"block", "end-sessions", "mail-link"}
        assert acts(ada, cast.alice) == {"block", "end-sessions", "mail-link", "role"}
        assert acts(sue, cast.ada) == set()
        assert acts(sue, cast.sue) == set()
        assert acts(ada, cast.ada) == set()

    def test_a_removed_account_is_shown_and_can_not_be_acted_on(
        self, app: Flask, cast: Cast, ada: PageChecker
    ) -> None:
        with app.app_context():
            removal.remove_account(cast.bob.actor, cast.bob.password)
        assert "removed" in words(ada.get(path(cast.bob)))
        assert ada.get(path(cast.bob, "block")).status_code == 404


class TestBlocking:
    def test_it_says_what_will_happen_and_changes_nothing(
        self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        make_key(cast.alice)
        make_key(cast.alice)
        text = words(sue.get(path(cast.alice, "block")))
        assert "2 live keys are revoked, immediately and permanently" in text
        assert account_of(app, cast.alice).status == AccountStatus.ACTIVE

    def test_it_blocks_and_the_key_and_the_session_end(
        self,
        app: Flask,
        cast: Cast,
        sue: PageChecker,
        new_client: Callable[[], PageChecker],
        make_key: MakeKey,
        mailbox: Mailbox,
    ) -> None:
        created = make_key(cast.alice)
        alice = new_client()
        cast.alice.sign_in(alice)
        answer = sue.submit(path(cast.alice, "block"), {"reason": "sells patterns of others"})
        assert (answer.status_code, answer.headers["Location"]) == (303, path(cast.alice))
        assert "The account is blocked" in words(sue.get(path(cast.alice)))
        assert account_of(app, cast.alice).status == AccountStatus.BLOCKED
        assert new_client().get("/api/whoami/key", headers=created.headers).status_code == 401
        assert alice.get("/account/keys").status_code == 302
        assert "sells patterns of others" in words(sue.get("/admin/audit-log"))
        assert "revoked" in mailbox.last(to=cast.alice.email).text

    def test_without_a_reason_it_asks_again_and_keeps_what_was_typed(
        self, app: Flask, cast: Cast, sue: PageChecker
    ) -> None:
        answer = sue.submit(path(cast.alice, "block"), {"reason": "  "})
        assert answer.status_code == 422
        assert "Enter a reason" in words(answer)
        long = sue.submit(path(cast.alice, "block"), {"reason": "x" * 501})
        assert long.status_code == 422
        assert "x" * 501 in long.text
        assert account_of(app, cast.alice).status == AccountStatus.ACTIVE

    def test_unblocking(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        sue.submit(path(cast.alice, "block"), {"reason": "spam"})
        assert sue.get(path(cast.alice, "block")).status_code == 303
        assert sue.submit(path(cast.alice, "unblock"), {"reason": ""}).status_code == 422
        assert sue.submit(path(cast.alice, "unblock"), {"reason": "a mistake"}).status_code == 303
        assert account_of(app, cast.alice).status == AccountStatus.ACTIVE
        assert sue.get(path(cast.alice, "unblock")).status_code == 303


class TestRevoking:
    def test_all_keys_because_their_use_is_excessive(
        self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = [make_key(cast.alice), make_key(cast.alice)]
        assert "This is final" in words(sue.get(path(cast.alice, "revoke-keys")))
        assert sue.submit(path(cast.alice, "revoke-keys"), {"reason": ""}).status_code == 422
        sue.submit(path(cast.alice, "revoke-keys"), {"reason": "9 million calls"})
        assert "2 keys are revoked" in words(sue.get(path(cast.alice)))
        assert {key_of(app, key).revoked_reason for key in created} == {RevocationReason.EXCESSIVE}
        assert account_of(app, cast.alice).status == AccountStatus.ACTIVE

    def test_one_key(self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        created, other = make_key(cast.alice, name="leaky"), make_key(cast.alice)
        assert "Revoke leaky?" in words(sue.get(key_path(cast.alice, created)))
        assert sue.submit(key_path(cast.alice, created), {"reason": " "}).status_code == 422
        assert sue.submit(key_path(cast.alice, created), {"reason": "in a paste"}).status_code == 303
        assert key_of(app, created).revoked_reason is RevocationReason.OPERATOR
        assert key_of(app, other).revoked_at is None
        assert sue.get(key_path(cast.alice, created)).status_code == 303

    def test_a_key_in_use_is_warned_of(
        self,
        app: Flask,
        cast: Cast,
        sue: PageChecker,
        new_client: Callable[[], PageChecker],
        make_key: MakeKey,
    ) -> None:
        created = make_key(cast.alice)
        new_client().get("/api/whoami/key", headers=created.headers)
        with app.app_context():
            runtime_of(app).usage.flush()
        assert "This key is in use" in words(sue.get(key_path(cast.alice, created)))

    def test_the_key_has_to_be_that_accounts(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        created = make_key(cast.alice)
        assert sue.get(key_path(cast.bob, created)).status_code == 404
        assert sue.get(key_path(cast.bob, CreatedKey(str(uuid4()), ""))).status_code == 404


class TestRoles:
    def test_an_admin_changes_a_role(
        self, app: Flask, cast: Cast, ada: PageChecker, mailbox: Mailbox
    ) -> None:
        answer = ada.submit(path(cast.alice, "role"), {"role": "curator", "reason": ""})
        assert answer.status_code == 303
        assert account_of(app, cast.alice).role is Role.CURATOR
        assert "curator" in mailbox.last(to=cast.alice.email).text.lower()

    def test_it_says_which_roles_end_keys(self, cast: Cast, ada: PageChecker, make_key: MakeKey) -> None:
        make_key(cast.sue)
        text = words(ada.get(path(cast.sue, "role")))
        assert "revokes the one live key, immediately and permanently" in text
        assert text.count("revokes 1 key") == 4

    def test_a_role_that_is_not_there(self, app: Flask, cast: Cast, ada: PageChecker) -> None:
        answer = ada.submit(path(cast.alice, "role"), {"role": "king", "reason": "because I can"})
        assert answer.status_code == 422
        assert "This role doesn't exist" in words(answer)
        assert "because I can" in answer.text
        long = ada.submit(path(cast.alice, "role"), {"role": "curator", "reason": "x" * 501})
        assert long.status_code == 422
        assert account_of(app, cast.alice).role is Role.USER

    def test_support_changes_none(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        assert sue.get(path(cast.alice, "role")).status_code == 403
        token = sue.page(path(cast.alice, "block")).select_one("main input[name=csrf_token]")
        assert token
        data = {"role": "admin", "reason": "why not", "csrf_token": str(token["value"])}
        assert sue.post(path(cast.alice, "role"), data=data).status_code == 403
        assert account_of(app, cast.alice).role is Role.USER


class TestAboveOneself:
    @pytest.mark.parametrize("act", ["block", "unblock", "revoke-keys"])
    def test_nobody_acts_on_someone_above_or_on_themselves(
        self, app: Flask, cast: Cast, sue: PageChecker, act: str
    ) -> None:
        token = sue.page(path(cast.alice, "block")).select_one("main input[name=csrf_token]")
        assert token
        data = {"reason": "mutiny", "csrf_token": str(token["value"])}
        for whom in (cast.ada, cast.sue):
            assert sue.get(path(whom, act)).status_code == 403
            answer = sue.post(path(whom, act), data=data)
            assert answer.status_code == 403
            assert account_of(app, whom).status == AccountStatus.ACTIVE


class TestTheAuditLog:
    def test_it_names_who_did_what_to_whom_and_why(self, cast: Cast, sue: PageChecker) -> None:
        sue.submit(path(cast.bob, "block"), {"reason": "spam & <b>worse</b>"})
        row = next(
            row
            for row in sue.page("/admin/audit-log").select("tbody tr")
            if "Account blocked" in row.get_text()
        )
        text = " ".join(row.get_text(" ").split())
        for word in ("bobby", "sue", "in the browser", "127.0.0.1", "Reason: spam & <b>worse</b>"):
            assert word in text, word

    def test_what_old_rows_hold_is_shown_and_does_not_act(
        self, app: Flask, cast: Cast, sue: PageChecker
    ) -> None:
        acting = "a\x1b[2J\x9b\u202eb"
        with app.app_context(), transaction() as session:
            told = {"account_id": cast.bob.account_id, "reason": acting}
            admit(session, cast.sue.actor)
            audit.log_event(session, cast.sue.actor, Action.ACCOUNT_BLOCKED, **told, host=acting)
            account = session.get_one(Account, cast.bob.account_id)
            account.email, account.lemail = "admin@ex\u0430mple.org", "admin@ex\u0430mple.org"

        for where in ("/admin/audit-log", path(cast.bob), path(cast.bob, "block"), "/admin/accounts"):
            text = sue.page(where).get_text()
            assert free_text.escaped(text, lines=True) == text, where
            assert "xn--exmple-4nf" in text or where == "/admin/audit-log"
            assert re.search(rf"\b{cast.bob.account_id}\b", text), where
        record = sue.page("/admin/audit-log").get_text(" ")
        assert record.count(r"a\x1b[2J\x9b\u202eb") == 2
        assert f"number {cast.bob.account_id}" in record

    def test_it_can_be_narrowed(self, cast: Cast, sue: PageChecker) -> None:
        sue.submit(path(cast.bob, "block"), {"reason": "spam"})
        page = sue.page(f"/admin/audit-log?account={cast.bob.account_id}&action=account:blocked")
        assert len(page.select("tbody tr")) == 1
        assert "Nothing matches" in sue.page("/admin/audit-log?account=4000000&action=key:created").get_text()

    @pytest.mark.parametrize(
        "query",
        [
            "since=x",
            "until=0000-00-00",
            "since=9999-12-31",
            "until=9999-12-31",
            "key=x",
            "action=nothing",
            f"before={10**30}",
            "before=x",
            "before=0",
            "before=-5",
        ],
    )
    def test_what_makes_no_sense_is_left_out(self, cast: Cast, sue: PageChecker, query: str) -> None:
        assert sue.page(f"/admin/audit-log?{query}").select("tbody tr")

    def test_it_comes_in_pages_that_keep_the_filter(self, cast: Cast, sue: PageChecker) -> None:
        for _ in range(audit.PAGE_SIZE + 1):
            sue.get(path(cast.alice))
        page = sue.page(f"/admin/audit-log?account={cast.alice.account_id}&action=account:read-by-operator")
        assert len(page.select("tbody tr")) == audit.PAGE_SIZE
        following = page.select_one("nav.pages a[rel=next]")
        assert following
        last = sue.page(str(following["href"]))
        assert len(last.select("tbody tr")) == 1
        assert last.select_one("nav.pages a[rel=first]")


def test_an_operator_who_looks_too_often_is_told_until_when(
    sue: PageChecker, ada: PageChecker, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "LOOK_OWN", Limit("look by account and session", 4, 3600))
    pages = ("/admin/accounts", path(cast.alice), "/admin/audit-log", "/admin/usage")
    assert [sue.get(page).status_code for page in pages] == [200] * 4

    refused = [sue.get(page) for page in pages]

    assert [answer.status_code for answer in refused] == [429] * 4
    assert all(0 < int(answer.headers["Retry-After"]) <= 3600 for answer in refused)
    assert sue.get("/account/keys").status_code == 200
    assert ada.get("/admin/accounts").status_code == 200
