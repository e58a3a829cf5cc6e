"""``flask demo``: a year of data to look at, made through the rules, and never for a public base URL."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from portal import clock as times
from portal.cli.starting import require_no_demo
from portal.extensions import db
from portal.models import (
    Account,
    AccountStatus,
    ActorKind,
    ApiKey,
    AuditEvent,
    Consent,
    KeyKind,
    OutboxMail,
    RevocationReason,
    SessionKind,
)
from portal.models.key_states import is_soon
from portal.permissions import Role
from portal.services.accounts import removal, sign_in, signup
from portal.services.auth import demo_data
from portal.services.core.actor import Actor
from portal.services.core.errors import SignInFailed
from portal.services.usage import queries
from portal.services.usage.queries import Span
from tests.conftest import MakeApp
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.ports import free_port

PUBLIC = "https://keys.example.org"
STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.9")


def run(app: Flask) -> Result:
    return app.test_cli_runner().invoke(args=["demo"])


def states(now_keys: list[ApiKey]) -> set[str]:
    """Everything that the page of a key may say of it."""
    now, found = times.utcnow(), set[str]()
    for key in now_keys:
        if key.is_revoked(now):
            found.add(f"revoked: {key.revoked_reason}")
        elif key.is_expired(now):
            found.add("rested too long" if key.expires_at > now else "expired")
        elif key.retires_at is not None:
            found.add("retiring")
        elif key.not_before is not None and key.not_before > now:
            found.add("not yet")
        else:
            found.add("soon" if is_soon(key, now) else "live" if key.usage else "never used")
        found |= {"for a service"} if key.kind is KeyKind.SERVICE else set()
        found |= {"made by a key"} if key.made_by_key_id else set()
        found |= {"used after its end"} if key.usage and key.usage.reused_at else set()
    return found


@pytest.mark.timeout(240)  # on a busy machine
def test_it_fills_an_empty_installation_with_a_year_of_everything(
    app: Flask, client: PageChecker, database: Database, instance: Path
) -> None:
    before = times.now_ms()
    result = run(app)
    assert result.exit_code == 0, result.output
    assert 0 <= times.now_ms() - before < 120_000, "the clock goes on as before"

    with app.app_context():
        accounts = db.session.scalars(select(Account)).all()
        keys = list(db.session.scalars(select(ApiKey)).unique())
        year = queries.read_series(Span.YEAR)
        day = queries.read_series(Span.DAY)

    assert len(accounts) == 12
    assert {account.role for account in accounts} == set(Role)
    assert {account.status for account in accounts} == set(AccountStatus)
    assert {account.consent for account in accounts} >= {Consent.NONE, Consent.PROCESSING}
    assert len(keys) == 40
    assert states(keys) == {
        *(f"revoked: {reason}" for reason in RevocationReason),
        "expired", "rested too long", "retiring", "not yet", "soon", "live", "never used",
        "for a service", "made by a key", "used after its end",
    }  # fmt: skip
    assert min(slot.calls for slot in year.slots[1:]) > 1000
    assert {reason for reason, _count in year.reasons} >= {
        "apikeyExpired",
        "apikeyRevoked",
        "tooManyRequests",
    }
    assert sum(slot.calls > 0 for slot in day.slots) > 20

    with app.app_context():
        moments = list(db.session.scalars(select(AuditEvent.at).order_by(AuditEvent.id)))[1:]
        waiting = db.session.scalars(select(OutboxMail).where(OutboxMail.sent_at.is_(None))).all()
    assert moments == sorted(moments), "it was done in its order"
    assert moments[-1] <= times.utcnow()
    assert times.utcnow() - moments[0] > timedelta(days=364)
    assert not waiting
    assert not (instance / "mail").exists(), "no mail leaves"
    assert "chk_" not in result.output

    assert client.get("/readyz").status_code == 200
    password = re.search(r"^ +(\S{15,})$", result.output, re.MULTILINE)
    assert password
    for name in ("ada", "alice"):
        signed_in = client.submit("/signin", {"username": f"{name}@demo.example", "password": password[1]})
        assert signed_in.status_code == 303
        assert client.get("/account/keys").status_code == 200
        assert client.get("/account/activity").status_code == 200
        client.delete_cookie("session")
    assert Counter(line.split("\t")[2] for line in result.output.splitlines() if "\t" in line) == {
        "active": 8, "blocked": 1, "locked": 1, "inactive": 1,
    }  # fmt: skip

    assert run(app).exit_code == 1, "once is enough"


def everything(database: Database) -> dict[str, int]:
    return {name: len(rows) for name, rows in database.rows().items()}


@pytest.mark.parametrize("how", ["there are accounts", "there was a demo", "a public base URL"])
def test_it_refuses_and_does_nothing(
    make_app: MakeApp, database: Database, how: str, request: pytest.FixtureRequest
) -> None:
    app = make_app(PORTAL_BASE_URL=PUBLIC) if how == "a public base URL" else make_app()
    if how == "there are accounts":
        request.getfixturevalue("cast")
    if how == "there was a demo":
        with app.app_context():
            demo_data.mark(Actor.command_line())
    before = everything(database)

    result = run(app)

    assert result.exit_code == 1
    assert "Nothing was done" in result.output
    assert len(result.output.splitlines()) == 1
    assert everything(database) == before


def test_a_removed_account_was_an_account_too(app: Flask, cast: Cast) -> None:
    with app.app_context():
        removal.remove_account(cast.alice.actor, cast.alice.password)
        with pytest.raises(demo_data.NotEmpty):
            demo_data.mark(Actor.command_line())


def goes_on() -> None:
    raise AssertionError("the start goes on")


class TestOnAPublicBaseUrl:
    """What a demo has filled serves nobody there."""

    @pytest.fixture(autouse=True)
    def _filled(self, app: Flask) -> None:
        """Marked before there are accounts, as the demo does it."""
        with app.app_context():
            demo_data.mark(Actor.command_line())

    def test_the_start_is_refused(
        self, make_app: MakeApp, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(signup, "first_admin_link", goes_on)
        with app.app_context():
            require_no_demo()

        public = make_app(PORTAL_BASE_URL=PUBLIC, PORTAL_PORT=str(free_port()))
        result = public.test_cli_runner().invoke(args=["serve"])

        assert result.exit_code == 1
        assert "demo data" in result.output.splitlines()[-1]

    @pytest.mark.parametrize("kind", SessionKind)
    def test_nobody_signs_in_whichever_server_runs(
        self, make_app: MakeApp, app: Flask, kind: SessionKind
    ) -> None:
        email, password = "ada@demo.example", "k7qzp-mmxx2-abtuv-q9wzr"
        with app.app_context():
            signup.create_account(Actor.command_line(), email, role=Role.ADMIN, password=password)
            sign_in.sign_in(STRANGER, email, password, kind)
        with make_app(PORTAL_BASE_URL=PUBLIC).app_context(), pytest.raises(SignInFailed):
            sign_in.sign_in(STRANGER, email, password, kind)


def test_the_emails_tell_where_the_audit_log_has_forgotten(make_app: MakeApp, app: Flask) -> None:
    email, password = "Ada@Demo.Example", "k7qzp-mmxx2-abtuv-q9wzr"
    with app.app_context():
        signup.create_account(Actor.command_line(), email, role=Role.ADMIN, password=password)
    with make_app(PORTAL_BASE_URL=PUBLIC).app_context(), pytest.raises(SignInFailed):
        sign_in.sign_in(STRANGER, email, password, SessionKind.BROWSER)


def test_where_there_was_no_demo_a_public_base_url_is_as_ever(make_app: MakeApp, cast: Cast) -> None:
    with make_app(PORTAL_BASE_URL=PUBLIC).app_context():
        require_no_demo()
        sign_in.sign_in(STRANGER, cast.ada.email, cast.ada.password, SessionKind.BROWSER)
