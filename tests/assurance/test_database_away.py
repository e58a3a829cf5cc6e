"""A database that can't be used is told alike, whatever is wrong with it: 503, and not ready."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection

from portal.extensions import db
from portal.runtime import runtime_of
from portal.services.accounts import sign_in
from portal.services.core import ids, trouble
from portal.services.keys import secrets
from portal.services.system import readiness
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.server import wait_until

WRITTEN = ("accounts", "api_keys", "audit_events", "last_moments", "limit_counters", "sent_forms", "sessions")
"""The tables that the doors of these tests write to."""


def path_of(database: Database) -> Path:
    return Path(database.url.removeprefix("sqlite:///"))


def each_engine(app: Flask) -> list[object]:
    with app.app_context():
        return [db.engine, runtime_of(app).call_limits._store._engine]


@contextmanager
def prepared(app: Flask, name: str, listen: Callable[..., object]) -> Iterator[None]:
    """Let each new connection of the application be as ``listen`` makes it, while the block runs."""
    engines = each_engine(app)
    for engine in engines:
        event.listen(engine, name, listen)
        engine.dispose()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, name, listen)
            engine.dispose()  # type: ignore[attr-defined]


@contextmanager
def sqlite_read_only(app: Flask, database: Database) -> Iterator[None]:
    """A file system that was mounted read-only, as after a fault of the disk."""

    def open_it(_dialect: object, _record: object, _arguments: object, named: dict[str, object]) -> object:
        return sqlite3.connect(f"file:{path_of(database)}?mode=ro", uri=True, check_same_thread=False)

    with prepared(app, "do_connect", open_it):
        yield


class NoRoom(sqlite3.Cursor):
    """Writes nothing more, and says so in SQLite's own words."""

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Run what reads."""
        if statement.lstrip()[:6].upper() in {"INSERT", "UPDATE", "DELETE"}:
            statement, values = "CREATE TABLE no_room (x)", ()
            super().execute("PRAGMA max_page_count = 1")  # it goes no lower than what there is
        return super().execute(statement, *values)


class Full(sqlite3.Connection):
    """On a disk that is full."""

    def cursor(self, _factory: object = None) -> sqlite3.Cursor:  # type: ignore[override]
        """A cursor that finds no room."""
        return super().cursor(NoRoom)


@contextmanager
def sqlite_full(app: Flask, database: Database) -> Iterator[None]:
    def open_it(_dialect: object, _record: object, _arguments: object, _named: object) -> object:
        return sqlite3.connect(path_of(database), factory=Full, check_same_thread=False)

    with prepared(app, "do_connect", open_it):
        yield


@contextmanager
def sqlite_lost(app: Flask, database: Database) -> Iterator[None]:
    with closing(sqlite3.connect(path_of(database), isolation_level=None)) as connection:
        kept = list(connection.iterdump())
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if not name.startswith("sqlite_"):
                connection.execute(f"DROP TABLE {name}")
    yield
    with closing(sqlite3.connect(path_of(database), isolation_level=None)) as connection:
        connection.executescript("\n".join(line for line in kept if "sqlite_sequence" not in line))


@contextmanager
def sqlite_damaged(app: Flask, database: Database) -> Iterator[None]:
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path_of(database).read_bytes()
    for engine in each_engine(app):
        engine.dispose()  # type: ignore[attr-defined]
    runtime_of(app).verifier.close()
    path_of(database).write_bytes(b"this is no database" * 4096)
    yield
    for end in ("-wal", "-shm"):
        path_of(database).with_name(path_of(database).name + end).unlink(missing_ok=True)
    path_of(database).write_bytes(whole)


@contextmanager
def postgresql_read_only(app: Flask, database: Database) -> Iterator[None]:
    """The server is told to take no more writes; who is connected already stays so."""
    to_take_writes(database, "off")
    try:
        yield
    finally:
        to_take_writes(database, "on")


def to_take_writes(database: Database, wanted: str) -> None:
    """Have the server take writes, or none; it is told in its file, and reads that in its time."""
    value = "off" if wanted == "on" else "on"
    with database.connect() as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.exec_driver_sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    wait_until(
        lambda: database.execute("SHOW default_transaction_read_only") == [(value,)], 10, "it was not read"
    )


def refusing(code: str, words: str) -> Callable[[Flask, Database], object]:
    """The server's own answer to each new row."""

    @contextmanager
    def fault(_app: Flask, database: Database) -> Iterator[None]:
        database.execute(
            "CREATE FUNCTION no_row() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{words}' USING ERRCODE = '{code}'; END $$"
        )
        for table in WRITTEN:
            if table != "last_moments":  # a row that is there already has room for its next version
                database.execute(f"CREATE TRIGGER no_row BEFORE INSERT ON {table} EXECUTE FUNCTION no_row()")
        try:
            yield
        finally:
            database.execute("DROP FUNCTION no_row() CASCADE")

    return fault


@contextmanager
def postgresql_lost(_app: Flask, database: Database) -> Iterator[None]:
    database.execute("ALTER SCHEMA public RENAME TO gone")
    try:
        yield
    finally:
        database.execute("ALTER SCHEMA gone RENAME TO public")


FULL = 'could not extend file "base/16384/16422": No space left on device'
WELL_ENOUGH = ""
"""What the probe writes has room and rights; only other writes meet the fault."""
FAULTS: dict[tuple[str, str], tuple[Callable[..., object], str]] = {
    ("sqlite", "read-only file"): (sqlite_read_only, "database read-only"),
    ("sqlite", "full"): (sqlite_full, "database full"),
    ("sqlite", "lost tables"): (sqlite_lost, "schema not at head"),
    ("sqlite", "damaged"): (sqlite_damaged, "database damaged"),
    ("postgresql", "read-only"): (postgresql_read_only, "database read-only"),
    ("postgresql", "full"): (refusing("53100", FULL), "database full"),
    ("postgresql", "lost tables"): (postgresql_lost, "schema not at head"),
    ("postgresql", "damaged page"): (refusing("XX001", "invalid page in block 7"), WELL_ENOUGH),
    ("postgresql", "no rights"): (refusing("42501", "permission denied for table sessions"), WELL_ENOUGH),
}
READS_STILL = {"read-only file", "read-only", "full", "no rights", "damaged page"}
"""Where a key is checked as ever."""


def asked(client: PageChecker, cast: Cast, key: CreatedKey) -> dict[str, tuple[int, str | None]]:
    """What each door answers that has to write: its status, and when to come again."""
    who = cast.alice
    wanted = {"name": "new", "level": 1, "expiresIn": 600}
    answers = {
        "page": client.post("/password/forgot", data={"email": who.email}),
        "api": client.post("/api/signin", json={"username": who.email, "password": who.password}),
        "key": client.post("/api/apikeys/key", json=wanted, headers=key.headers),
        "leak": client.post("/api/leaks", json={"secrets": [key.secret]}),
    }
    for name in ("api", "key", "leak"):
        assert answers[name].json["error"] == "unavailable", (name, answers[name].text)
    return {name: (each.status_code, each.headers.get("Retry-After")) for name, each in answers.items()}


@pytest.fixture
def story(
    app: Flask,
    cast: Cast,
    client: PageChecker,
    make_key: MakeKey,
    database: Database,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], None]:
    """Break the database of a portal that runs, and mend it."""

    def tell(fault: str) -> None:
        said_and_recovered(app, cast, client, make_key(cast.alice), database, fault, capsys, monkeypatch)

    return tell


@pytest.mark.sqlite_only(reason="PostgreSQL has faults of its own")
@pytest.mark.parametrize("fault", [fault for kind, fault in FAULTS if kind == "sqlite"])
def test_every_door_says_so_and_recovers_on_sqlite(story: Callable[[str], None], fault: str) -> None:
    story(fault)


@pytest.mark.postgresql_only(reason="SQLite has faults of its own")
@pytest.mark.parametrize("fault", [fault for kind, fault in FAULTS if kind == "postgresql"])
def test_every_door_says_so_and_recovers_on_postgresql(story: Callable[[str], None], fault: str) -> None:
    story(fault)


def said_and_recovered(
    app: Flask,
    cast: Cast,
    client: PageChecker,
    key: CreatedKey,
    database: Database,
    fault: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaks, told = FAULTS[database.kind, fault]
    cast.alice.sign_in(client)
    assert client.get("/readyz").text == "ready\n"
    assert client.get("/api/whoami/key", headers=key.headers).status_code == 200
    monkeypatch.setattr(readiness, "WRITTEN_EVERY", 0.0)
    capsys.readouterr()

    with breaks(app, database):  # type: ignore[attr-defined]
        assert asked(client, cast, key) == dict.fromkeys(("page", "api", "key", "leak"), (503, "5"))
        probe = client.get("/readyz")
        assert (probe.status_code, probe.text) == ((503, f"{told}\n") if told else (200, "ready\n"))
        page = client.get("/account/keys")
        assert page.status_code == (200 if fault in READS_STILL else 503), page.text
        assert client.get("/no/such/page").status_code == 404, "which nobody has to be looked up for"
        check = client.get("/api/whoami/key", headers=key.headers)
        assert (check.status_code == 200) is (fault in READS_STILL)
        log = capsys.readouterr().err
        assert '"event": "database.away"' in log
        assert "unhandled failure" not in log

    monkeypatch.setattr(trouble, "STAYS_FULL", 0.0)
    monkeypatch.setattr(readiness, "GUARDS_EVERY", 0.0)
    assert client.get("/readyz").text == "ready\n"
    log = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "database.back" in line]
    assert [line["was"] for line in log] == ([told] if told else [])


def test_a_statement_that_breaks_a_rule_is_a_fault_of_ours(
    app: Flask, client: PageChecker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is sent to look after a database that is well."""

    def clash(*_words: object) -> None:
        raise IntegrityError("INSERT", {}, sqlite3.IntegrityError("CHECK constraint failed"))

    monkeypatch.setattr(runtime_of(app).verifier._reader, "find", clash)
    secret = secrets.create_secret("chk")
    answer = client.get("/api/whoami/key", headers=CreatedKey(str(ids.uuid7()), secret).headers)

    assert (answer.status_code, answer.json["error"]) == (500, "internalError")
    assert "database.away" not in capsys.readouterr().err


def test_a_process_whose_connections_are_all_at_work_is_busy(
    app: Flask, client: PageChecker, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_is_free(*_words: object) -> None:
        raise NoConnection("QueuePool limit of size 5 overflow 10 reached")

    monkeypatch.setattr(sign_in, "find_by_login", none_is_free)
    body = {"username": cast.alice.email, "password": cast.alice.password}
    answer = client.post("/api/signin", json=body)

    assert (answer.status_code, answer.json["error"]) == (503, "busy")
    assert answer.headers["Retry-After"] == "5"
