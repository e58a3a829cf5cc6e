"""Old acts end only where an operator says so, and only in the way that the database allows (row 46)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from config import load_settings
from config_values import ConfigurationError
from portal import clock, jobs
from portal.extensions import db
from portal.models import AccountStatus, Action, ActorKind, AuditEvent, JobLease
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.operators import actions
from portal.services.system import retention
from portal.services.system.broken_rules import broken_rules
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.databases import Database

SHELL = Actor.command_line()


def write(
    app: Flask, days: float, count: int = 1, action: Action = Action.SESSION_STARTED, **more: object
) -> None:
    """Acts of so many days ago."""
    at = clock.utcnow() - timedelta(days=days)
    row = {"at": at, "action": action, "actor_kind": ActorKind.SYSTEM, "details": {}, **more}
    with app.app_context(), transaction() as session:
        session.execute(insert(AuditEvent), [row] * count)


def kept(app: Flask) -> list[AuditEvent]:
    """All acts, the oldest first."""
    with app.app_context():
        found = audit.list_events(limit=100_000)[::-1]
        db.session.expunge_all()
        return found


@pytest.fixture
def old(app: Flask) -> Flask:
    """An installation whose record begins 500 days ago."""
    for days, count in ((500, 12), (450, 5), (401, 3), (399, 4)):
        write(app, days, count)
    return app


def test_what_is_older_than_the_setting_ends_and_a_line_says_so(old: Flask, cast: Cast) -> None:
    with old.app_context():
        assert retention.end_old_acts(420) == 17
        assert retention.end_old_acts(420) == 0, "nothing is left to end, and nothing is written"

    acts = kept(old)
    assert min(act.at for act in acts) > clock.utcnow() - timedelta(days=420)
    assert [act.action for act in acts][:7] == [Action.SESSION_STARTED] * 7
    [end] = [act for act in acts if act.action is Action.AUDIT_LOG_ENDED]
    assert end.actor_kind is ActorKind.SYSTEM
    assert (end.details["ended"], end.details["before"], end.details["days"]) == (17, acts[0].id, 420)
    assert end.details["until"] < clock.iso(clock.utcnow() - timedelta(days=449))


def test_without_the_setting_nothing_ends(app: Flask, run_jobs: Callable[[], int]) -> None:
    """Not even where all is so old that the database would let it go."""
    write(app, 500, 12)

    run_jobs()

    assert len(kept(app)) == 12


def test_acts_end_up_to_the_first_that_stays(app: Flask) -> None:
    """The clock may have been wrong for a while: no act goes whose number is behind one that stays."""
    for days, count in ((500, 3), (410, 1), (450, 2)):
        write(app, days, count)

    with app.app_context():
        assert [retention.end_old_acts(420) for _ in "ab"] == [3, 0]

    assert len(kept(app)) == 4, "and the line that says so"


def test_the_jobs_do_it_in_portions(make_app: MakeApp, old: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 5)
    monkeypatch.setattr(retention, "IN_A_ROUND", 2)
    app = make_app(PORTAL_AUDIT_DAYS="400")

    for left in (10, 0):
        with app.app_context(), transaction() as session:
            session.execute(db.delete(JobLease))
        with app.app_context():
            jobs.CLEANING.do_if_due()
        remaining = [act for act in kept(app) if act.at < clock.utcnow() - timedelta(days=400)]
        assert len(remaining) == left


@pytest.mark.parametrize("days", ["399", "-1", "soon", "40000"])
@pytest.mark.sqlite_only(reason="a setting is read without a database")
def test_an_end_that_comes_before_that_of_a_key_is_refused(instance: object, days: str) -> None:
    with pytest.raises(ConfigurationError, match="PORTAL_AUDIT_DAYS"):
        load_settings({"PORTAL_INSTANCE_PATH": str(instance), "PORTAL_AUDIT_DAYS": days})


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_events WHERE action = 'session:started'",
        "DELETE FROM audit_events",
        "UPDATE audit_events SET reason = 'x'",
    ],
)
def test_nobody_else_takes_anything_away(old: Flask, database: Database, statement: str) -> None:
    before = database.rows()

    with pytest.raises(DBAPIError, match="append-only"):
        database.execute(statement)

    assert database.rows() == before


def test_only_a_line_that_says_so_ends_an_act(old: Flask, database: Database) -> None:
    write(old, 0, details={"before": 10**9})

    with pytest.raises(DBAPIError, match="append-only"):
        database.execute("DELETE FROM audit_events WHERE id = (SELECT min(id) FROM audit_events)")


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=100)], ids=["now", "a clock that is ahead"])
def test_no_line_ends_what_is_younger_than_a_key_can_be(
    old: Flask, database: Database, ahead: timedelta
) -> None:
    write(old, -ahead.days, action=Action.AUDIT_LOG_ENDED, details={"before": 10**9})
    before = database.rows()

    with pytest.raises(DBAPIError, match="append-only"):
        database.execute("DELETE FROM audit_events WHERE action = 'session:started'")

    assert database.rows() == before


def test_an_act_that_stays_ends_with_none_before_it(old: Flask, database: Database) -> None:
    with old.app_context():
        retention.end_old_acts(420)

    with pytest.raises(DBAPIError, match="append-only"):
        database.execute("DELETE FROM audit_events WHERE id = (SELECT min(id) FROM audit_events)")


def test_a_failure_ends_nothing_and_says_nothing(
    old: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError

    before = database.rows()
    monkeypatch.setattr(retention, "delete", fail)

    with old.app_context(), pytest.raises(RuntimeError):
        retention.end_old_acts(400)

    assert database.rows() == before


def test_no_rule_looks_broken_when_the_record_begins_later(
    old: Flask, database: Database, cast: Cast, make_key: MakeKey
) -> None:
    make_key(cast.alice)
    with old.app_context():
        actions.revoke_excessive(SHELL, cast.alice.account_id, why="too many")
        retention.end_old_acts(400)

    with database.connect() as connection:
        assert list(broken_rules(connection)) == []


@pytest.mark.parametrize("before", [AccountStatus.ACTIVE, AccountStatus.INACTIVE, AccountStatus.LOCKED])
def test_a_block_whose_line_ended_is_taken_away_all_the_same(
    app: Flask, database: Database, cast: Cast, before: AccountStatus
) -> None:
    """What the account was before stands in its row, however long the audit log is kept."""
    alice = cast.alice.account_id
    database.execute(f"UPDATE accounts SET status = {before.value} WHERE id = {alice}")
    with app.app_context():
        actions.block(SHELL, alice, why="spam")
    database.execute(
        f"DROP TRIGGER audit_events_kept{'' if database.kind == 'sqlite' else ' ON audit_events'}"
    )
    database.execute("DELETE FROM audit_events")
    with app.app_context():
        actions.unblock(SHELL, alice, why="a mistake")

    row = database.execute(f"SELECT status, status_before_block FROM accounts WHERE id = {alice}")
    assert row == [(before.value, None)]


def test_an_account_that_was_blocked_past_the_portal_comes_back_locked(
    app: Flask, database: Database, cast: Cast
) -> None:
    """What it was before can't be told: its owner opens it with a mailed link."""
    alice = cast.alice.account_id
    database.execute(f"UPDATE accounts SET status = -2 WHERE id = {alice}")

    with app.app_context():
        assert actions.unblock(SHELL, alice, why="a mistake").status == AccountStatus.LOCKED
