"""Behind PgBouncer in transaction mode: one setting, and every way to the database works (row 80)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from threading import Barrier

import psycopg
import pytest
from flask import Flask

from portal.app import create_app
from portal.extensions import db
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.core.errors import RuleError
from portal.services.keys import creation
from portal.services.operators import actions
from tests.conftest import close_app
from tests.support.cast import Cast, CreatedKey, Person, make_cast
from tests.support.databases import ROOT, Database, Databases
from tests.support.pooler import SESSIONS, Pooler
from tests.support.postgres import SUPERUSER
from tests.support.server import Server, make_server
from tests.support.wire import Wire

POOLED = {"PORTAL_DATABASE_POOLER": "transaction"}
THREADS, ROUNDS = 8, 20
pytestmark = pytest.mark.from_debian("pgbouncer")


def introspected(wire: Wire, key: CreatedKey, service: CreatedKey) -> int:
    """200 when the key is told to be active."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", **service.headers}
    answer = wire.ask("POST", "/api/introspect", f"token={key.secret}".encode(), headers)
    return answer.status if answer.status != 200 or answer.json["active"] else 401


DOORS: dict[str, Callable[[Wire, CreatedKey, CreatedKey], int]] = {
    "whoami": lambda wire, key, _: wire.get("/api/whoami/key", **key.headers).status,
    "forward auth": lambda wire, key, _: wire.get("/api/authorize", **key.headers).status + 200 - 204,
    "introspection": introspected,
}


@dataclass(frozen=True)
class Pooled:
    """A portal behind the pooler: the server, and an application to act with in this process."""

    server: Server
    app: Flask
    cast: Cast
    through: Database
    past: Database

    def key(self, owner: Person, *, level: int = 4) -> CreatedKey:
        """A key of theirs."""
        with self.app.app_context():
            key, secret = creation.create_key(owner.actor, name="ci", level=level, life=timedelta(days=1))
            return CreatedKey(str(key.id), secret)

    def command(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the portal with the server's settings."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *words],
            cwd=ROOT,
            env={**environment, **self.server.settings, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def pooler(databases: Databases) -> Iterator[Pooler]:
    created = Pooler(databases.postgres.port)
    created.start()
    yield created
    created.stop()


@pytest.fixture(scope="module")
def pooled(
    databases: Databases, pooler: Pooler, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pooled]:
    """Started on an empty database, so that the migrations go through the pooler too."""
    with databases.empty("postgresql") as past:
        through = Database("postgresql", pooler.url(past.url))
        server = make_server(through, tmp_path_factory.mktemp("pooled"), POOLED)
        try:
            server.start()
            app = create_app(server.settings)
            yield Pooled(server, app, make_cast(app), through, past)
            close_app(app)
        finally:
            server.finish()


def checks(pooled: Pooled, key: CreatedKey, service: CreatedKey) -> Counter[int]:
    """Ask at every door from many threads at once; how often was answered what."""
    begin = Barrier(THREADS)

    def ask() -> Counter[int]:
        found: Counter[int] = Counter()
        with Wire(pooled.server.port) as wire:
            begin.wait()
            for _ in range(ROUNDS):
                found.update(door(wire, key, service) for door in DOORS.values())
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        return sum((each.result() for each in [pool.submit(ask) for _ in range(THREADS)]), Counter())


def test_it_is_a_pooler_of_transactions(pooler: Pooler) -> None:
    """What the lane rests on: after each transaction a client may find itself in another session."""

    def connect() -> psycopg.Connection[tuple[int]]:
        way = {"host": "127.0.0.1", "port": pooler.port, "user": SUPERUSER, "dbname": "postgres"}
        return psycopg.connect(**way, autocommit=True, prepare_threshold=None)

    with connect() as one, connect() as other:
        with other.transaction():
            other.execute("SELECT 1")
            one.execute("SELECT 1")
        sessions = {one.execute("SELECT pg_backend_pid()").fetchone() for _ in range(4)}
    assert len(sessions) == SESSIONS


def test_every_check_is_answered(pooled: Pooled) -> None:
    key, service = pooled.key(pooled.cast.alice), pooled.key(pooled.cast.ada, level=6)

    assert checks(pooled, key, service) == {200: THREADS * ROUNDS * len(DOORS)}


def test_a_revocation_counts_at_once(pooled: Pooled) -> None:
    key = pooled.key(pooled.cast.alice)
    with Wire(pooled.server.port) as wire:
        assert wire.get("/api/whoami/key", **key.headers).status == 200
        assert wire.ask("DELETE", f"/api/apikeys/{key.id}/key", headers=key.headers).status == 204
        told = [wire.get("/api/whoami/key", **key.headers).json["error"] for _ in range(20)]
    assert told == ["apikeyRevoked"] * 20


def test_people_and_operators_do_their_work(pooled: Pooled) -> None:
    """Sessions, forms, locks of admins, the limits and the mail: on each of them statements come back."""
    alice, ada = pooled.cast.alice, pooled.cast.ada

    def story(number: int) -> list[int]:
        with Wire(pooled.server.port) as wire:
            signed = wire.submit("/signin", {"username": alice.email, "password": alice.password})
            told = [signed.status, wire.get("/account/keys").status]
            answer = wire.ask(
                "POST",
                "/api/signin",
                json.dumps({"username": alice.email, "password": alice.password}).encode(),
                {"Content-Type": "application/json"},
            )
            headers = {"Authorization": f"Bearer {answer.json['token']}", "Content-Type": "application/json"}
            for _ in range(4):
                wanted = json.dumps({"name": f"of {number}", "level": 1, "expiresIn": 600}).encode()
                told.append(wire.ask("POST", "/api/apikeys/jwt", wanted, headers).status)
            return told

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(story, range(4)))
    assert told == [[303, 200, 201, 201, 201, 201]] * 4
    with pooled.app.app_context():
        actions.set_role(ada.actor, pooled.cast.sue.account_id, Role.USER)
        actions.set_role(ada.actor, pooled.cast.sue.account_id, Role.SUPPORT)
    assert pooled.server.mailbox.last(to=alice.email).subject


def test_of_two_admins_who_end_each_other_one_is_left(pooled: Pooled) -> None:
    """The lock that holds admins is one of the transaction, and not of the session."""
    ada, bob = pooled.cast.ada, pooled.cast.bob
    with pooled.app.app_context():
        actions.set_role(ada.actor, bob.account_id, Role.ADMIN)
    begin = Barrier(2)

    def demote(who: Person, other: Person) -> bool:
        with pooled.app.app_context():
            actor = who.actor
            begin.wait()
            try:
                actions.set_role(actor, other.account_id, Role.USER)
            except RuleError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(demote, (ada, bob), (bob, ada)))
    assert sorted(done) == [False, True]
    assert len(pooled.past.execute("SELECT id FROM accounts WHERE role = 'admin'")) == 1
    pooled.past.execute("UPDATE accounts SET role = 'admin' WHERE id = :id", id=ada.account_id)


def test_probes_and_figures_are_right(pooled: Pooled) -> None:
    scraper = pooled.key(pooled.cast.ada, level=6)
    with Wire(pooled.server.port) as wire:
        assert [wire.get("/readyz").text for _ in range(10)] == ["ready\n"] * 10
        assert b"chatelaine_keys" in wire.get("/metrics", **scraper.headers).data


@pytest.mark.parametrize(
    "words",
    [("account", "list"), ("key", "list"), ("key", "peppers"), ("jobs", "run", "--once"), ("db", "upgrade")],
)
def test_commands_work(pooled: Pooled, words: tuple[str, ...]) -> None:
    done = pooled.command(*words)

    assert done.returncode == 0, done.stderr


def test_no_session_is_left_with_anything_of_ours(pooled: Pooled, databases: Databases) -> None:
    """Locks, prepared statements, settings: whoever gets the session next finds none of it."""
    name = pooled.past.url.rpartition("/")[2]
    held = pooled.past.execute(
        "SELECT locktype FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE d.datname = :name AND locktype = 'advisory'",
        name=name,
    )
    assert held == []
    assert pooled.through.execute("SELECT name FROM pg_prepared_statements") == []
    for setting in ("lock_timeout", "statement_timeout", "synchronous_commit"):
        asked = f"SELECT setting = reset_val FROM pg_settings WHERE name = '{setting}'"
        assert {pooled.through.execute(asked)[0][0] for _ in range(4)} == {True}


def test_selfcheck_goes_past_it(pooled: Pooled) -> None:
    refused = pooled.command("selfcheck", "immutable")
    assert refused.returncode == 1
    assert "Run this past the pooler" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1

    done = pooled.command(
        "selfcheck", "immutable", PORTAL_DATABASE_URL=pooled.past.url, PORTAL_DATABASE_POOLER="none"
    )
    assert done.returncode == 0, done.stderr


def test_both_engines_prepare_nothing(pooled: Pooled) -> None:
    with pooled.app.app_context():
        engines = [db.engine, runtime_of(pooled.app).call_limits._store._engine]
    for engine in engines:
        with engine.connect() as connection:
            assert connection.connection.driver_connection.prepare_threshold is None
