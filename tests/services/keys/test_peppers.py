"""A wrong or missing pepper is noticed before a key is refused for it (row 88), on both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from pydantic import Secret

from portal.cli.starting import require_peppers
from portal.services.keys import creation, peppers, revocation
from portal.services.keys.peppers import WrongPepper, adopt
from tests.conftest import MakeApp, MakeKey, close_app
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import ROOT, Database
from tests.support.ports import free_port
from tests.support.settings import PEPPERS, settings_for

OTHER_VALUE = "Hd7TqLw2Xv6NcKe4PyHb9JsMd5Ug3Fq2"
NEW = f"p2:{OTHER_VALUE}"
WRONG = {
    "one that lacks what keys need": (NEW, "lacks p1"),
    "another value under its id": (f"p1:{OTHER_VALUE}", "another value for p1"),
    "another value under its id, behind a new one": (f"{NEW},p1:{OTHER_VALUE[::-1]}", "another value for p1"),
}
RIGHT = {"as it was": PEPPERS, "a new one before it": f"{NEW},{PEPPERS}"}
WRONG_NOW = (503, "a pepper is wrong or missing\n")


def ready(make_app: MakeApp, ring: str) -> tuple[int, str]:
    app = make_app(PORTAL_PEPPERS=ring)
    answer = app.test_client().get("/readyz")
    close_app(app)
    return answer.status_code, answer.text


@pytest.mark.parametrize("how", WRONG)
def test_a_worker_with_a_wrong_ring_is_not_ready(
    make_app: MakeApp, cast: Cast, make_key: MakeKey, how: str
) -> None:
    make_key(cast.alice)

    assert ready(make_app, WRONG[how][0]) == WRONG_NOW


@pytest.mark.parametrize("how", RIGHT)
def test_a_right_ring_is_good(make_app: MakeApp, cast: Cast, make_key: MakeKey, how: str) -> None:
    created = make_key(cast.alice)
    app = make_app(PORTAL_PEPPERS=RIGHT[how])
    adopt_in(app)

    assert app.test_client().get("/readyz").text == "ready\n"
    assert app.test_client().get("/api/whoami/key", headers=created.headers).status_code == 200


def adopt_in(app: Flask) -> None:
    with app.app_context():
        adopt(app.config["PORTAL"].peppers.get_secret_value())


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("words", [("serve",), ("jobs", "run"), ("jobs", "run", "--once")], ids=" ".join)
def test_a_start_with_a_wrong_ring_is_refused_in_one_line(
    database: Database, cast: Cast, make_key: MakeKey, instance: Path, how: str, words: tuple[str, ...]
) -> None:
    make_key(cast.alice)
    ring, says = WRONG[how]
    settings = settings_for(database.url, instance, PORTAL_PEPPERS=ring, PORTAL_PORT=str(free_port()))
    with subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    told = [line for line in errors.splitlines() if not line.startswith("{")]
    assert process.returncode == 1
    assert len(told) == 1, errors
    assert says in told[0]
    assert "PORTAL_PEPPERS" in told[0]
    assert OTHER_VALUE not in errors


def test_no_key_is_created_with_a_pepper_that_goes_by_anothers_id(
    make_app: MakeApp, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    make_key(cast.alice)
    app = make_app(PORTAL_PEPPERS=f"p1:{OTHER_VALUE}")

    with app.app_context(), pytest.raises(WrongPepper):
        creation.create_key(cast.alice.actor, name="ci", level=1, life=timedelta(days=1))

    assert database.execute("SELECT count(*) FROM api_keys") == [(1,)]


def test_the_page_says_that_it_can_not_be_done_now(make_app: MakeApp, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    client = make_app(PORTAL_PEPPERS=f"{PEPPERS}").test_client()
    with client.application.app_context():
        object.__setattr__(
            client.application.config["PORTAL"], "peppers", Secret({"p1": OTHER_VALUE.encode()})
        )  # the verifier keeps the right one
    body = {"name": "x", "level": 1, "expiresIn": 60}

    assert client.post("/api/apikeys/key", json=body, headers=created.headers).status_code == 503


def test_of_two_machines_that_start_at_once_with_two_values_one_is_told(
    make_app: MakeApp, database: Database
) -> None:
    apps = [
        make_app(PORTAL_PEPPERS=f"p1:{OTHER_VALUE[number:]}{OTHER_VALUE[:number]}") for number in range(4)
    ]

    def start(app: Flask) -> bool:
        try:
            adopt_in(app)
        except WrongPepper:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(start, apps)) == [False, False, False, True]


def test_an_older_database_is_taken_as_it_is_once(
    make_app: MakeApp, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    """It has live keys and no check value: what nothing contradicts is believed, and from then on held."""
    make_key(cast.alice)
    database.execute("DELETE FROM pepper_checks")
    assert ready(make_app, NEW) == WRONG_NOW
    adopt_in(make_app())

    assert ready(make_app, PEPPERS) == (200, "ready\n")
    assert ready(make_app, f"p1:{OTHER_VALUE}") == WRONG_NOW


def test_a_pepper_that_no_live_key_needs_may_go(
    make_app: MakeApp, cast: Cast, make_key: MakeKey, app: Flask
) -> None:
    created = make_key(cast.alice)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(created.id))

    assert ready(make_app, NEW) == (200, "ready\n")


def test_the_check_value_tells_nothing_of_the_pepper(
    cast: Cast, make_key: MakeKey, database: Database
) -> None:
    created = make_key(cast.alice)
    [(value,)] = database.execute("SELECT check_value FROM pepper_checks")
    pepper = PEPPERS.partition(":")[2].encode()

    assert bytes(value) == peppers.check_value(pepper)
    assert pepper not in bytes(value)
    assert bytes(value) != peppers.check_value(pepper + b"x")
    assert created.secret


def test_a_worker_that_runs_notices(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    make_key(cast.alice)
    other = "zeroblob(32)" if database.kind == "sqlite" else "decode(repeat('00', 32), 'hex')"
    database.execute(f"UPDATE pepper_checks SET check_value = {other}")

    assert client.get("/readyz").text == WRONG_NOW[1]


class TestCommands:
    def test_the_peppers_are_listed_with_the_keys_that_need_them(
        self, make_app: MakeApp, cast: Cast, make_key: MakeKey
    ) -> None:
        for name in ("one", "two"):
            make_key(cast.alice, name=name)
        app = make_app(PORTAL_PEPPERS=f"{NEW},{PEPPERS}")
        with app.app_context():
            creation.create_key(cast.bob.actor, name="new", level=1, life=timedelta(days=1))
        listed = app.test_cli_runner().invoke(args=["key", "peppers"])
        assert listed.stdout.splitlines() == ["p2\tcurrent\t1", "p1\tkept\t2"]
        other = make_app(PORTAL_PEPPERS=f"p1:{OTHER_VALUE}").test_cli_runner().invoke(args=["key", "peppers"])
        assert other.stdout.splitlines() == ["p1\tcontradicted\t2", "p2\tlacking\t1"]

    def test_the_keys_of_a_lost_pepper_can_be_revoked_and_the_start_is_good(
        self, make_app: MakeApp, cast: Cast, make_key: MakeKey, database: Database
    ) -> None:
        for owner in (cast.alice, cast.bob, cast.bob):
            make_key(owner)
        app = make_app(PORTAL_PEPPERS=NEW)
        with app.app_context(), pytest.raises(Exception, match="revoke-pepper p1"):
            require_peppers(app.config["PORTAL"])
        words = ["key", "revoke-pepper", "p1", "--reason", "lost with a disk"]
        assert app.test_cli_runner().invoke(args=words).stdout == "p1\t3\n"
        with app.app_context():
            require_peppers(app.config["PORTAL"])
        told = database.execute("SELECT DISTINCT reason FROM audit_events WHERE action = 'key:revoked'")
        assert told == [("lost with a disk",)]
        mails = database.execute("SELECT count(*) FROM outbox WHERE kind = 'keys-revoked'")
        assert mails == [(2,)]
