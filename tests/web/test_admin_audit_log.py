"""The audit log as operators narrow it and take it out."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import insert

from portal import clock as portal_clock
from portal.extensions import db
from portal.labels import ACTIONS
from portal.models import Action, ActorKind, AuditEvent
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.operators import actions, audit_search
from portal.web import streams
from portal.web.admin.details import IN_WORDS, in_words
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import ROOT

SHELL = Actor.command_line()


@pytest.fixture
def sue(cast: Cast, client: PageChecker) -> PageChecker:
    """A browser in which support has signed in."""
    cast.sue.sign_in(client)
    return client


def acts(client: PageChecker, query: str) -> list[str]:
    return [tag.get_text() for tag in client.page(f"/admin/audit-log?{query}").select("tbody th strong")]


def lines(client: PageChecker, query: str = "") -> list[dict[str, object]]:
    answer = client.get(f"/admin/audit-log.jsonl?{query}")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


class TestNarrowing:
    def test_by_account_and_actor_as_people_know_them(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        sue.submit(f"/admin/accounts/{cast.bob.account_id}/block", {"reason": "spam"})
        for whom in ("bobby@example.org", "BOBBY", str(cast.bob.account_id)):
            assert "Account blocked" in acts(sue, f"account={whom}&quiet=y")
        assert "Account blocked" in acts(sue, "actor=sue@example.org")
        assert "Account blocked" not in acts(sue, "actor=ada@example.org")
        assert "Nothing matches" in sue.page("/admin/audit-log?account=nobody").get_text()

    def test_by_key_and_request(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        created = make_key(cast.alice)
        make_key(cast.alice)
        assert len(acts(sue, f"key={created.id}&quiet=y")) == 1
        answer = sue.submit(f"/admin/accounts/{cast.bob.account_id}/block", {"reason": "spam"})
        assert "Account blocked" in acts(sue, f"request={answer.headers['X-Request-Id']}")
        assert acts(sue, "request=nothing") == []

    def test_by_days_of_the_readers_clocks(
        self, app: Flask, cast: Cast, sue: PageChecker, clock: Clock
    ) -> None:
        today = clock.now().date()
        with app.app_context():
            actions.block(SHELL, cast.bob.account_id, why="spam")
        here = "action=account:blocked"
        assert acts(sue, f"{here}&since={today}&until={today}") == ["Account blocked"]
        assert acts(sue, f"{here}&until={today - timedelta(days=2)}") == []
        assert acts(sue, f"{here}&since={today + timedelta(days=2)}") == []

    def test_what_operators_looked_at_can_be_hidden(self, cast: Cast, sue: PageChecker) -> None:
        sue.get("/admin/accounts")
        look = ACTIONS[Action.ACCOUNTS_SEARCHED]
        assert look in acts(sue, "")
        assert look not in acts(sue, "quiet=y")
        assert ACTIONS[Action.AUDIT_LOG_READ] not in acts(sue, "quiet=y")

    def test_pages_keep_the_filters(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        for _ in range(audit.PAGE_SIZE + 1):
            sue.get(f"/admin/accounts/{cast.alice.account_id}")
        page = sue.page("/admin/audit-log?account=alice&action=account:read-by-operator")
        following = page.select_one("nav.pages a[rel=next]")
        assert following
        assert "account=alice" in str(following["href"])

    def test_the_old_address_leads_on_with_its_filters(self, sue: PageChecker) -> None:
        answer = sue.get("/admin/record?action=key:created&account=7")
        assert answer.status_code == 301
        assert answer.headers["Location"] == "/admin/audit-log?action=key:created&account=7"
        assert sue.get("/admin/record").headers["Location"] == "/admin/audit-log"


class TestSpansOfTime:
    def test_numbers_are_found_by_halving(self, app: Flask, clock: Clock) -> None:
        start = portal_clock.utcnow()
        with app.app_context(), transaction() as session:
            rows = [
                {"at": start + timedelta(hours=number), "action": Action.SESSION_REFUSED,
                 "actor_kind": ActorKind.SYSTEM, "details": {}}
                for number in range(100)
            ]  # fmt: skip
            session.execute(insert(AuditEvent), rows)
            first = audit_search._first_since(session, start + timedelta(hours=50))
            assert session.get_one(AuditEvent, first).at == start + timedelta(hours=50)
            wanted = audit_search.Wanted(since=start + timedelta(hours=10), until=start + timedelta(hours=20))
            found = session.scalars(audit_search._query(session, wanted)).all()
        assert len(found) == 10


class TestTakingOut:
    def test_json_lines_hold_what_the_filters_leave(self, cast: Cast, sue: PageChecker) -> None:
        sue.submit(f"/admin/accounts/{cast.bob.account_id}/block", {"reason": "spam, “worse”"})
        [told] = lines(sue, "action=account:blocked")
        assert (told["email"], told["actorEmail"]) == ("bobby@example.org", "sue@example.org")
        assert (told["what"], told["reason"]) == ("Account blocked", "spam, “worse”")
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(told["at"]))

    def test_csv_is_csv_and_no_cell_acts(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        for reason in ("=HYPERLINK(1)", "+1", "-1", "@SUM", 'say "no", twice'):
            with app.app_context():
                actions.end_sessions(SHELL, cast.bob.account_id, why=reason)
        answer = sue.get("/admin/audit-log.csv?action=session:all-ended")
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-log-20')
        assert answer.headers["Content-Type"].startswith("text/csv")
        found = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["reason"] for row in found] == [
            'say "no", twice', "'@SUM", "'-1", "'+1", "'=HYPERLINK(1)"
        ]  # fmt: skip
        assert streams.harmless("\tx") == "'\tx"
        assert streams.harmless(-5) == "-5"

    def test_taking_out_is_recorded(self, app: Flask, cast: Cast, sue: PageChecker) -> None:
        lines(sue, f"account={cast.bob.account_id}")
        with app.app_context():
            [event] = audit.list_events(action=Action.AUDIT_LOG_READ)
        assert (event.account_id, event.details) == (cast.bob.account_id, {"exported": "jsonl"})

    def test_it_is_whole_beyond_one_portion_and_takes_no_memory(
        self, app: Flask, cast: Cast, sue: PageChecker
    ) -> None:
        many = audit_search.AT_ONCE * 4 + 7
        with app.app_context(), transaction() as session:
            row = {"at": portal_clock.utcnow(), "action": Action.KEY_REUSED, "actor_kind": ActorKind.SYSTEM,
                   "account_id": cast.bob.account_id, "details": {"name": "x" * 100}}  # fmt: skip
            session.execute(insert(AuditEvent), [row] * many)
        assert len(lines(sue, "action=key:reused")) == many

        with app.app_context():
            portions = audit_search.take_out(
                cast.sue.actor, audit_search.Wanted(action=Action.KEY_REUSED), "csv"
            )
            sizes = []
            for events, _accounts in portions:
                sizes.append(len(events))
                assert not db.session().in_transaction()
        assert max(sizes) == audit_search.AT_ONCE
        assert sum(sizes) == many

    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    def test_owners_have_no_part_in_it(self, cast: Cast, client: PageChecker, form: str) -> None:
        cast.alice.sign_in(client)
        assert client.get(f"/admin/audit-log.{form}").status_code == 404


@pytest.mark.sqlite_only(reason="words have nothing to do with the database")
class TestWords:
    def test_every_detail_of_the_document_has_words(self) -> None:
        rows = re.findall(
            r"^\| `[a-z]+:[a-z-]+` \|.*\| (.*) \|$", (ROOT / "docs/audit.md").read_text(), re.MULTILINE
        )
        names = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
        values = {"csv", "jsonl", "page", "api", "github", "browser", "jwt", "secret", "successor"}
        assert names - values - set(IN_WORDS) == set()

    @pytest.mark.parametrize(
        ("action", "details", "words"),
        [
            (Action.ACCOUNT_CREATED, {"role": "admin"}, "as Admin"),
            (Action.ACCOUNT_ROLE_CHANGED, {"before": "user", "after": "curator"}, "from User, to Curator"),
            (
                Action.KEYS_SEARCHED,
                {"found": 1, "keys": [], "by": "secret"},
                "1 key found, by a leaked secret",
            ),
            (Action.ACCOUNTS_SEARCHED, {"found": 2, "page": 1}, "2 accounts found"),
            (Action.KEY_READ, {"checked": False}, ""),
            (Action.SESSION_STARTED, {"kind": "jwt"}, "for an API token"),
            (Action.KEY_CREATED, {"odd": "x"}, "odd: x"),
        ],
    )
    def test_details_in_words(
        self, app: Flask, action: Action, details: dict[str, object], words: str
    ) -> None:
        with app.test_request_context():
            assert in_words(AuditEvent(action=action, details=details)) == words
