"""What machines ask (row 49, and the figures)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.core.actor import Actor
from portal.services.operators import actions
from portal.services.operators import queries as operator_queries
from portal.services.ratelimits import questions
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, CreatedKey, make_person
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database, Databases
from tests.support.rows import forge

NOWHERE = "postgresql+psycopg://nobody:hush-hush@127.0.0.1:1/none"


class TestProbes:
    def test_both_are_well_on_a_good_day(self, client: PageChecker) -> None:
        for path, says in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
            answer = client.get(path)
            assert (answer.status_code, answer.text, answer.mimetype) == (200, says, "text/plain")

    def test_without_a_database_it_lives_but_is_not_ready(self, make_app: MakeApp) -> None:
        client = make_app(PORTAL_DATABASE_URL=NOWHERE).test_client()
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "database unreachable\n")

    def test_without_tables_it_is_not_ready(
        self, make_app: MakeApp, database: Database, databases: Databases
    ) -> None:
        with databases.empty(database.kind) as empty:
            app = make_app(PORTAL_DATABASE_URL=empty.url)
            answer = app.test_client().get("/readyz")
            assert (answer.status_code, answer.text) == (503, "schema not at head\n")
            _forget(app)

    def test_with_older_tables_it_is_not_ready(
        self, app: Flask, client: PageChecker, database: Database
    ) -> None:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
        assert client.get("/readyz").status_code == 503

    def test_neither_starts_a_session_nor_asks_for_one(self, client: PageChecker) -> None:
        for path in ("/healthz", "/readyz", "/metrics", "/.well-known/security.txt", "/favicon.ico"):
            assert "Set-Cookie" not in client.get(path).headers


def _forget(app: Flask) -> None:
    from portal.extensions import db

    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def scraper(app: Flask, make_key: MakeKey) -> CreatedKey:
    """A key of somebody who may read what is of others."""
    return make_key(make_person(app, "metro", Role.BUGHUNTER), level=6)


def figures(client: PageChecker, key: CreatedKey) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics", headers=key.headers)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


class TestMetrics:
    def test_it_counts_what_there_is(
        self,
        app: Flask,
        cast: Cast,
        client: PageChecker,
        make_key: MakeKey,
        scraper: CreatedKey,
        clock: Clock,
    ) -> None:
        make_key(cast.bob, days=1)
        make_key(cast.alice)
        with app.app_context():
            actions.block(Actor.command_line(), cast.alice.account_id, why="spam")
        clock.forward(days=2)
        found = figures(client, scraper)
        assert found["chatelaine_accounts", of(role="user", status="active")] == 1
        assert found["chatelaine_accounts", of(role="user", status="blocked")] == 1
        assert found["chatelaine_accounts", of(role="admin", status="active")] == 1
        assert found["chatelaine_keys", of(state="live")] == 1
        assert found["chatelaine_keys", of(state="expired")] == 1
        assert found["chatelaine_keys", of(state="revoked")] == 1
        made_keys = 2  # with a session each; the block has ended Alice's
        assert found["chatelaine_sessions", of(kind="browser")] == made_keys
        assert found["chatelaine_outbox_waiting", of()] == 4
        assert found["chatelaine_outbox_oldest_age_seconds", of()] >= 2 * 24 * 60 * 60
        assert found["chatelaine_build_info", of(version="0.1.0")] == 1

    def test_it_counts_sessions_and_use(
        self,
        app: Flask,
        cast: Cast,
        client: PageChecker,
        new_client: Callable[[], PageChecker],
        scraper: CreatedKey,
    ) -> None:
        cast.alice.sign_in(new_client())
        figures(client, scraper)
        with app.app_context():
            runtime_of(app).usage.flush()
        found = figures(client, scraper)
        made_the_key = 1
        assert found["chatelaine_sessions", of(kind="browser")] == made_the_key + 1
        assert found["chatelaine_key_calls_total", of()] == 1
        assert found["chatelaine_key_refusals_total", of()] == 0

    def test_it_tells_nothing_secret_and_nobodys_name(
        self, cast: Cast, client: PageChecker, make_key: MakeKey, scraper: CreatedKey
    ) -> None:
        created = make_key(cast.alice, name="canary-name")
        text = client.get("/metrics", headers=scraper.headers).text
        for marker in (created.secret, created.id, "canary-name", cast.alice.email, "metro"):
            assert marker not in text

    def test_a_cookie_does_not_open_it(self, cast: Cast, client: PageChecker) -> None:
        cast.ada.sign_in(client)
        answer = client.get("/metrics")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")

    def test_strangers_and_lower_keys_are_refused(
        self, app: Flask, cast: Cast, client: PageChecker, make_key: MakeKey, scraper: CreatedKey
    ) -> None:
        weak = make_key(make_person(app, "low", Role.ADMIN), level=5)
        answers = {
            "nothing": client.get("/metrics"),
            "junk": client.get("/metrics", headers={"Authorization": "Basic %%%"}),
            "wrong secret": client.get("/metrics", headers=CreatedKey(scraper.id, weak.secret).headers),
        }
        assert {answer.status_code for answer in answers.values()} == {401}
        assert len({answer.text for answer in answers.values()}) == 1
        assert client.get("/metrics", headers=weak.headers).status_code == 403

    def test_a_key_above_its_limit_is_told_when_to_come_again(
        self, app: Flask, cast: Cast, client: PageChecker
    ) -> None:
        busy = forge(app, cast.ada, level=6, calls_per_minute=1)
        while client.get("/metrics", headers=busy.headers).status_code == 200:
            pass
        refused = client.get("/metrics", headers=busy.headers)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60

    def test_a_key_ends_with_its_owners_rights(
        self, app: Flask, client: PageChecker, scraper: CreatedKey
    ) -> None:
        with app.app_context():
            account = operator_queries.search_accounts(Actor.command_line(), query="metro").items[0]
            actions.set_role(Actor.command_line(), account.id, Role.USER)
        assert client.get("/metrics", headers=scraper.headers).status_code == 401

    def test_a_guesser_is_slowed(self, client: PageChecker, scraper: CreatedKey) -> None:
        wrong = {"Authorization": "Basic bm86bm8="}
        statuses = [
            client.get("/metrics", headers=wrong).status_code
            for _ in range(questions.KEY_CHECK_SOURCE.amount + 1)
        ]
        assert statuses[-2:] == [401, 429]
        assert client.get("/metrics", headers=scraper.headers).status_code == 200


class TestWellKnown:
    def test_security_txt_says_what_rfc_9116_asks_for(self, make_app: MakeApp, clock: Clock) -> None:
        app = make_app(
            PORTAL_BASE_URL="https://keys.example.org", PORTAL_SECURITY_CONTACT="mailto:security@example.org"
        )
        answer = app.test_client().get("/.well-known/security.txt")
        assert (answer.status_code, answer.content_type) == (200, "text/plain; charset=utf-8")
        fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert fields["Contact"] == "mailto:security@example.org"
        assert fields["Canonical"] == "https://keys.example.org/.well-known/security.txt"
        assert fields["Preferred-Languages"] == "en"
        expires = datetime.strptime(fields["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert timedelta(days=30) < expires - clock.now() < timedelta(days=365)

    def test_change_password_leads_to_its_page(self, client: PageChecker) -> None:
        answer = client.get("/.well-known/change-password")
        assert answer.status_code == 302
        assert answer.headers["Location"].endswith("/account/security")

    @pytest.mark.parametrize("name", ["", "openid-configuration", "security.txt/x", "resource-that-is-not"])
    def test_what_is_not_known_is_not_there(self, client: PageChecker, name: str) -> None:
        assert client.get(f"/.well-known/{name}").status_code == 404

    def test_the_mark_is_the_icon(self, client: PageChecker) -> None:
        answer = client.get("/favicon.ico")
        assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
        assert b"<svg" in answer.data
