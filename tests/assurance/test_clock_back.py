"""A clock that goes back revives nothing (row 77): what has ended stays ended, at every door."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock as times
from portal.extensions import db, settings
from portal.models import ActorKind, SessionKind, TokenPurpose
from portal.runtime import runtime_of
from portal.services.accounts import sign_in
from portal.services.auth import jwt, sessions
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.keys import rotation
from portal.services.mail import tokens
from portal.services.usage import moments
from portal.services.verify.verifier import reader_for
from tests.conftest import MakeApp, MakeKey, close_app
from tests.support.cast import Cast, CreatedKey
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.rows import forge

NOBODY = Actor(ActorKind.ANONYMOUS)
DOORS: dict[str, Callable[[FlaskClient, CreatedKey, CreatedKey], bool]] = {
    "whoami": lambda client, key, _: client.get("/api/whoami/key", headers=key.headers).status_code == 200,
    "whoami, the long way": lambda client, key, _: (
        client.get("/api/whoami/key?x", headers=key.headers).status_code == 200
    ),
    "forward auth": lambda client, key, _: (
        client.get("/api/authorize", headers=key.headers).status_code == 204
    ),
    "the list": lambda client, key, _: client.get("/api/apikeys/key", headers=key.headers).status_code == 200,
    "creation": lambda client, key, _: (
        client.post(
            "/api/apikeys/key", json={"name": "x", "level": 1, "expiresIn": 60}, headers=key.headers
        ).status_code
        == 201
    ),
    "introspection": lambda client, key, asking: bool(
        client.post("/api/introspect", data={"token": key.secret}, headers=asking.headers).get_json()[
            "active"
        ]
    ),
    "introspection of many": lambda client, key, asking: bool(
        client.post(
            "/api/introspect/batch", json={"tokens": [{"token": key.secret}]}, headers=asking.headers
        ).json["tokens"][0]["active"]
    ),
}


def restarted(app: Flask, make_app: MakeApp) -> Flask:
    """The portal after a restart: whatever the process had in mind is gone."""
    close_app(app)
    times.forget()
    return make_app()


@pytest.mark.parametrize("restart", [False, True], ids=["goes on", "restarts"])
@pytest.mark.parametrize("end", ["expired", "rotated out", "at rest"])
def test_what_ended_an_hour_ago_stays_ended_at_every_door(
    app: Flask, make_app: MakeApp, cast: Cast, make_key: MakeKey, clock: Clock, end: str, restart: bool
) -> None:
    asking = make_key(cast.ada, level=6)
    if end == "at rest":
        ended = forge(app, cast.alice, max_idle=3600)
    else:
        ended = make_key(cast.alice, days=1 / 24 if end == "expired" else 30)
    if end == "rotated out":
        with app.app_context():
            rotation.rotate_key(cast.alice.actor, UUID(ended.id), overlap=timedelta(hours=1))
    client = app.test_client()
    assert DOORS["introspection"](client, ended, asking)
    clock.forward(minutes=90)
    assert not DOORS["whoami"](client, ended, asking)

    clock.back(hours=1)

    client = (restarted(app, make_app) if restart else app).test_client()
    if restart:
        runtime_of(app).usage.flush()
    told = {name: ask(client, ended, asking) for name, ask in DOORS.items()}
    assert told == dict.fromkeys(DOORS, False)
    assert DOORS["whoami"](client, asking, asking), "and what lives goes on"


@pytest.mark.parametrize("restart", [False, True], ids=["goes on", "restarts"])
def test_sessions_and_mailed_links_that_ended_stay_ended(
    app: Flask, make_app: MakeApp, cast: Cast, clock: Clock, restart: bool
) -> None:
    who = cast.alice
    with app.app_context():
        signed, _ = sign_in.sign_in(NOBODY, who.email, who.password, SessionKind.JWT)
        token = jwt.issue(signed)
        _, cookie = sign_in.sign_in(NOBODY, who.email, who.password, SessionKind.BROWSER)
        with transaction() as session:
            link = tokens.mint(session, TokenPurpose.UNLOCK, account_id=who.account_id, email=who.email)
    clock.forward(days=31)
    with app.app_context():
        moments.keep_now()

    clock.back(days=31)

    with (restarted(app, make_app) if restart else app).app_context():
        assert jwt.read(token) is None
        assert sessions.resume(cookie) is None
        assert tokens.find(link, TokenPurpose.UNLOCK) is None


def test_time_goes_on_from_the_last_moment_less_the_leeway(clock: Clock) -> None:
    before = times.now_ms()
    clock.back(hours=1)
    first = times.now_ms()
    time.sleep(0.05)
    second = times.now_ms()

    assert before - times.LEEWAY_MS <= first <= before - times.LEEWAY_MS + 1000
    assert 40 <= second - first <= 1000
    assert times.behind_ms() == pytest.approx(3_600_000, abs=1000)
    clock.forward(hours=1)
    assert times.now_ms() == pytest.approx(int(time.time() * 1000), abs=20)


def test_an_earlier_moment_makes_no_time_go_back(clock: Clock) -> None:
    before = times.now_ms()
    clock.back(hours=1)

    times.seen(before - 3_600_000)

    assert times.now_ms() >= before - times.LEEWAY_MS


def test_a_check_that_comes_first_knows_the_last_moment(app: Flask, clock: Clock) -> None:
    with app.app_context():
        moments.keep_now()
        clock.back(hours=1)
        times.forget()

        reader_for(settings).find(b"x" * 32)

    assert times.behind_ms() > 3_500_000


def test_restarts_behind_the_last_moment_do_not_add_up(
    app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leeway is given once, and not anew by each process that starts and keeps the moment."""
    steady = [time.monotonic_ns()]
    monkeypatch.setattr(times, "time", SimpleNamespace(time_ns=time.time_ns, monotonic_ns=lambda: steady[0]))
    clock.stop()
    with app.app_context():
        moments.keep_now()
        before = moments.last_kept() or 0
        clock.back(hours=1)
        for _restart in range(3):
            times.forget()
            db.engine.dispose()
            moments.last_kept()
            steady[0] += 60 * 10**9
            moments.keep_now()

        assert (moments.last_kept() or 0) - before == 180_000


def test_a_small_step_back_is_within_the_leeway(clock: Clock) -> None:
    times.now_ms()
    clock.back(seconds=5)

    assert times.now_ms() == pytest.approx(int(time.time() * 1000), abs=20)


def test_the_moment_is_kept_with_use_and_by_the_jobs_and_never_goes_back(
    app: Flask,
    cast: Cast,
    make_key: MakeKey,
    clock: Clock,
    database: Database,
    run_jobs: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kept() -> int:
        return int(database.execute("SELECT seen_at FROM last_moments")[0][0])

    created = make_key(cast.alice)
    assert app.test_client().get("/api/whoami/key", headers=created.headers).status_code == 200
    runtime_of(app).usage.flush()
    with_use = kept()
    assert with_use == pytest.approx(times.now_ms(), abs=5000)
    clock.forward(minutes=1)
    monkeypatch.setattr(moments, "_kept_at", [float("-inf")])
    run_jobs()
    by_jobs = kept()
    assert by_jobs >= with_use + 59_000

    clock.back(hours=1)
    times.forget()
    with app.app_context():
        moments.keep_now()

    assert kept() >= by_jobs
    assert times.behind_ms() > 3_000_000, "and the process has learned it"


def test_a_clock_that_ran_ahead_can_be_put_back_by_an_operator(
    app: Flask, cast: Cast, clock: Clock, database: Database
) -> None:
    clock.forward(days=3650)
    with app.app_context():
        moments.keep_now()
    clock.back(days=3650)
    assert times.behind_ms() > 0
    runner = app.test_cli_runner()
    assert "behind" in runner.invoke(args=["clock", "show"]).stdout

    told = runner.invoke(args=["clock", "put-back", "--reason", "a wrong server"])

    assert told.exit_code == 0, told.output
    assert times.behind_ms() < 1000
    recorded = database.execute("SELECT reason FROM audit_events WHERE action = 'clock:put-back'")
    assert recorded == [("a wrong server",)]
    assert database.execute("SELECT seen_at FROM last_moments")[0][0] == pytest.approx(
        times.now_ms(), abs=5000
    )
    assert runner.invoke(args=["clock", "show"]).stdout.split("\t")[-1].strip() == "0"


def test_it_costs_next_to_nothing() -> None:
    begun = time.perf_counter()
    for _ in range(20_000):
        times.now_ms()
    each = (time.perf_counter() - begun) / 20_000

    assert each < 0.000_01


def test_a_database_before_the_migration_is_no_reason_to_fail(app: Flask, database: Database) -> None:
    database.execute("DROP TABLE last_moments")
    with app.app_context():
        db.engine.dispose()
        with db.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
