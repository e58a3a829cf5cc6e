"""What the server, its role or the address has for a default decides nothing (row 71)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from portal.extensions import db
from portal.services.calls import database_store
from portal.services.keys import creation
from portal.services.verify.postgres_reader import PostgresReader
from tests.conftest import MakeApp, MakeKey
from tests.services.test_races import ABOVE, FALLS, MAKERS, RISES, ROUNDS, together
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.ports import free_port

pytestmark = pytest.mark.postgresql_only(reason="SQLite has no such defaults")


@pytest.fixture(params=["database", "address", "role"])
def unlike(request: pytest.FixtureRequest, database: Database) -> Callable[[str, str], str]:
    """Set a default of the server in one of the ways that there are; the address to use."""

    def set_it(name: str, value: str) -> str:
        if request.param == "address":
            return f"{database.url}?options=-c%20{name}%3D{value.replace(' ', '%5C%20')}"
        where = f"DATABASE {database.url.rpartition('/')[2]}"
        if request.param == "role":
            where = f"ROLE portal IN {where}"
        database.execute(f"ALTER {where} SET {name} = '{value}'")
        return database.url

    return set_it


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_every_transaction_is_read_committed(
    make_app: MakeApp, unlike: Callable[[str, str], str], level: str
) -> None:
    app = make_app(PORTAL_DATABASE_URL=unlike("default_transaction_isolation", level))
    store = database_store.DatabaseStore(_engine(app))
    for engine in (_engine(app), store._engine):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        engine.dispose()
    assert app.test_client().get("/readyz").text == "ready\n"


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_check_sees_a_revocation_at_once(
    make_app: MakeApp,
    cast: Cast,
    make_key: MakeKey,
    database: Database,
    unlike: Callable[[str, str], str],
    level: str,
) -> None:
    created = make_key(cast.alice)
    client = make_app(PORTAL_DATABASE_URL=unlike("default_transaction_isolation", level)).test_client()
    assert client.get("/api/whoami/key", headers=created.headers).status_code == 200
    database.execute("UPDATE api_keys SET revoked_at = created_at + 1, revoked_reason = 'owner'")
    assert client.get("/api/whoami/key", headers=created.headers).status_code == 401


def test_a_server_that_takes_no_writes_is_not_ready(
    make_app: MakeApp, unlike: Callable[[str, str], str]
) -> None:
    url = unlike("default_transaction_read_only", "on")
    answer = make_app(PORTAL_DATABASE_URL=url).test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "database read-only\n")


def test_one_that_takes_none_from_now_on_is_not_ready(
    app: Flask, client: PageChecker, database: Database
) -> None:
    assert client.get("/readyz").status_code == 200
    with app.app_context():
        event.listen(
            db.engine, "begin", lambda connection: connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        )
    assert client.get("/readyz").text == "database read-only\n"


def test_triggers_that_a_default_switches_off_are_noticed(
    make_app: MakeApp, unlike: Callable[[str, str], str]
) -> None:
    url = unlike("session_replication_role", "replica")
    answer = make_app(PORTAL_DATABASE_URL=url).test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "database settings unsafe\n")


def test_what_is_written_is_utf8(make_app: MakeApp, cast: Cast, unlike: Callable[[str, str], str]) -> None:
    app = make_app(PORTAL_DATABASE_URL=unlike("client_encoding", "latin1"))
    with app.app_context():
        key, secret = creation.create_key(cast.alice.actor, name="Ключ – 鍵", level=1, life=timedelta(days=1))
        assert key.name == "Ключ – 鍵"
    told = app.test_client().get("/api/whoami/key", auth=(str(key.id), secret))
    assert told.status_code == 200


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_refused_at_the_start(
    make_app: MakeApp, database: Database, encoding: str
) -> None:
    url, _slash, _name = database.url.rpartition("/")
    name = f"portal_{encoding.lower()}"
    make = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(make)
        app = make_app(PORTAL_DATABASE_URL=f"{url}/{name}", PORTAL_PORT=str(free_port()))
        told = app.test_cli_runner().invoke(args=["serve"])
        with app.app_context():
            db.engine.dispose()
        connection.execute(f"DROP DATABASE {name}")

    assert told.exit_code == 1
    assert f"The database uses {encoding}" in told.output
    assert len(told.output.strip().splitlines()) == 1


def test_the_reader_connects_to_no_standby(database: Database) -> None:
    """Of several servers in the address it takes the one that writes; of none, none."""
    name = database.url.rpartition("/")[2]
    database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    arguments = psycopg.conninfo.conninfo_to_dict(database.url.replace("+psycopg", ""))
    reader = PostgresReader({**arguments, "target_session_attrs": "any"})
    with pytest.raises(DBAPIError, match="read-only"):
        reader.find(b"x" * 32)


def test_a_lease_leaves_its_session_as_it_was(
    app: Flask, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    """A pooler before the server may give the session to somebody else after each transaction."""
    store = database_store.DatabaseStore(_engine(app))
    names = ("synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout")
    with database.connect() as connection:
        usual = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
    store.take(make_key(cast.alice).id, [database_store.Ask(60, 10, 0)], 1)
    driver = store._engine.raw_connection()
    driver.driver_connection.autocommit = True  # type: ignore[union-attr]
    cursor = driver.cursor()
    assert [cursor.execute(f"SHOW {name}").fetchone()[0] for name in names] == usual
    cursor.close()
    driver.driver_connection.autocommit = False  # type: ignore[union-attr]
    driver.close()
    store.close()


@pytest.mark.parametrize("cause", FALLS)
def test_no_living_key_is_left_where_a_transaction_would_look_at_the_past(
    make_app: MakeApp, cast: Cast, database: Database, unlike: Callable[[str, str], str], cause: str
) -> None:
    app = make_app(PORTAL_DATABASE_URL=unlike("default_transaction_isolation", "repeatable read"))

    def make() -> object:
        return creation.create_key(cast.sue.actor, name="race", level=8, life=timedelta(days=1))

    for _ in range(ROUNDS):
        together(app, *[make] * MAKERS, lambda: FALLS[cause](cast.sue), *[make] * MAKERS)
        assert database.execute(ABOVE) == [(0,)]
        with app.app_context():
            RISES[cause](cast.sue)


def _engine(app: Flask) -> Engine:
    with app.app_context():
        return db.engine
