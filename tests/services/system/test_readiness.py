"""The proof is of this installation (row 71): what is not as it must be makes it not ready."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import event

from portal.extensions import db
from portal.models.guards import expected_guards
from portal.services.core.actor import Actor
from portal.services.keys import revocation, rotation
from portal.services.operators import actions
from portal.services.system import readiness
from portal.services.system.broken_rules import broken_rules
from portal.services.system.guard_check import differences
from tests.conftest import MakeApp, MakeKey, close_app
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import KINDS, Database
from tests.support.past_guards import write_past_guards

UNGUARDED = "guards of the database missing or changed\n"
BROKEN = "a row breaks a rule\n"
TABLES = ("accounts", "api_keys", "audit_events")
TRIGGERS = {
    kind: [name.partition(" ")[2] for name in expected_guards(kind) if name.startswith("trigger ")]
    for kind in KINDS
}


AS_MADE = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE name = 'api_keys_revoked'",
    "postgresql": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'api_keys_revoked'",
}
"""How a trigger was made, to be made again."""


def ready(make_app: MakeApp) -> tuple[int, str]:
    """What a worker that has just begun says."""
    app = make_app()
    answer = app.test_client().get("/readyz")
    close_app(app)
    return answer.status_code, answer.text


def table_of(trigger: str) -> str:
    return max((table for table in TABLES if trigger.startswith(table)), key=len)


def test_the_guards_are_what_is_written_down(app: Flask, database: Database) -> None:
    """After every migration. ``make guards`` writes them down anew; read what changed."""
    with database.connect() as connection:
        assert differences(connection) == []


@pytest.mark.sqlite_only(reason="each database has triggers of its own")
@pytest.mark.parametrize("trigger", TRIGGERS["sqlite"])
def test_a_trigger_that_is_gone_is_noticed_on_sqlite(
    make_app: MakeApp, database: Database, trigger: str
) -> None:
    database.execute(f"DROP TRIGGER {trigger}")

    assert ready(make_app) == (503, UNGUARDED)


@pytest.mark.postgresql_only(reason="each database has triggers of its own")
@pytest.mark.parametrize("trigger", TRIGGERS["postgresql"])
def test_a_trigger_that_is_gone_is_noticed_on_postgresql(
    make_app: MakeApp, database: Database, trigger: str
) -> None:
    database.execute(f"DROP TRIGGER {trigger} ON {table_of(trigger)}")

    assert ready(make_app) == (503, UNGUARDED)


CONSTRAINTS = [
    *(name for name in expected_guards("postgresql") if name.startswith("constraint ck_")),
    "constraint uq_accounts_lemail",
    "constraint fk_api_keys_account_id",
]


@pytest.mark.postgresql_only(reason="SQLite can't drop a constraint of a table")
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_constraint_that_is_gone_is_noticed(make_app: MakeApp, database: Database, constraint: str) -> None:
    [(table,)] = database.execute(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE conname = :name",
        name=constraint.split()[1],
    )
    database.execute(f"ALTER TABLE {table} DROP {constraint}")

    assert ready(make_app) == (503, UNGUARDED)


NOTHING = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
CHANGES = {
    "sqlite": {
        "replaced": (
            "DROP TRIGGER api_keys_immutable",
            (
                "CREATE TRIGGER api_keys_immutable BEFORE UPDATE ON api_keys WHEN 1 = 0"
                " BEGIN SELECT RAISE(ABORT, 'a key is immutable'); END"
            ),
        ),
        "joined by another": (
            "CREATE TRIGGER more AFTER UPDATE ON accounts BEGIN DELETE FROM sessions; END",
        ),
        "constraint rewritten": (
            "PRAGMA writable_schema = ON",
            (
                "UPDATE sqlite_master SET sql = replace(sql, 'level BETWEEN 0 AND 9', 'level < 99')"
                " WHERE name = 'api_keys'"
            ),
        ),
        "foreign key rewritten": (
            "PRAGMA writable_schema = ON",
            (
                "UPDATE sqlite_master SET sql = replace(sql, 'REFERENCES accounts (id)',"
                " 'REFERENCES accounts (id) ON DELETE CASCADE') WHERE name = 'api_keys'"
            ),
        ),
        "nothing allowed": (  # no CHECK refuses a level of NULL
            "PRAGMA writable_schema = ON",
            (
                "UPDATE sqlite_master SET sql = replace(sql, 'level SMALLINT NOT NULL', 'level SMALLINT')"
                " WHERE name = 'api_keys'"
            ),
        ),
        "constraint put into a comment": (
            "PRAGMA writable_schema = ON",
            (
                "UPDATE sqlite_master SET sql = replace(replace(sql, 'CONSTRAINT ck_api_keys_level',"
                " '/* CONSTRAINT ck_api_keys_level'), 'BETWEEN 0 AND 9),', 'BETWEEN 0 AND 9), */')"
                " WHERE name = 'api_keys'"
            ),
        ),
    },
    "postgresql": {
        "replaced": (f"CREATE OR REPLACE FUNCTION api_keys_owner() {NOTHING}",),
        "disabled": ("ALTER TABLE api_keys DISABLE TRIGGER api_keys_immutable",),
        "all disabled": ("ALTER TABLE key_usage DISABLE TRIGGER ALL",),
        "for replicas only": ("ALTER TABLE api_keys ENABLE REPLICA TRIGGER api_keys_kept",),
        "joined by another": (
            f"CREATE FUNCTION more() {NOTHING}",
            "CREATE TRIGGER more BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION more()",
        ),
        "a function elsewhere": (
            "CREATE SCHEMA elsewhere",
            f"CREATE FUNCTION elsewhere.api_keys_owner() {NOTHING}",
            (
                "CREATE OR REPLACE TRIGGER api_keys_owner BEFORE INSERT ON api_keys"
                " FOR EACH ROW EXECUTE FUNCTION elsewhere.api_keys_owner()"
            ),
        ),
        "nothing allowed": ("ALTER TABLE api_keys ALTER COLUMN level DROP NOT NULL",),
        "another type": ("ALTER TABLE accounts ALTER COLUMN username TYPE varchar(900)",),
        "a rule": ("CREATE RULE quiet AS ON INSERT TO audit_events DO INSTEAD NOTHING",),
        "row security": ("ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY",),
        "constraint not valid": (
            "ALTER TABLE api_keys DROP CONSTRAINT ck_api_keys_level",
            "ALTER TABLE api_keys ADD CONSTRAINT ck_api_keys_level CHECK (level BETWEEN 0 AND 9) NOT VALID",
        ),
    },
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", sorted({*CHANGES["sqlite"], *CHANGES["postgresql"]}))
def test_a_guard_that_is_there_by_name_only_is_noticed(
    make_app: MakeApp, database: Database, kind: str, change: str
) -> None:
    if kind != database.kind or change not in CHANGES[kind]:
        return
    with database.connect() as connection:
        for statement in CHANGES[kind][change]:
            connection.exec_driver_sql(statement)

    assert ready(make_app) == (503, UNGUARDED)


LONGER = "UPDATE api_keys SET expires_at = created_at + 31536000001"
BREACHES: dict[str, tuple[str, ...]] = {
    "above its role": ("UPDATE api_keys SET level = 9",),
    "a role that fell": ("UPDATE accounts SET role = 'user' WHERE lusername = 'sue'",),
    "a service key of a user": ("UPDATE api_keys SET kind = 'service'",),
    "longer than a year": (LONGER,),
    "a life to come": (
        "UPDATE api_keys SET created_at = created_at + 1000000000, expires_at = expires_at + 1000000000",
    ),
    "blocked": ("UPDATE accounts SET status = -2 WHERE lusername = 'sue'",),
    "locked": ("UPDATE accounts SET status = -1 WHERE lusername = 'sue'",),
    "no consent": ("UPDATE accounts SET consent = 0 WHERE lusername = 'sue'",),
    "removed": ("UPDATE accounts SET removed_at = 1 WHERE lusername = 'sue'",),
    "removed, and emptied": (
        "UPDATE accounts SET removed_at = 1, email = NULL, status = 0 WHERE lusername = 'sue'",
    ),
    "an owner who is gone": ("UPDATE api_keys SET account_id = 4711",),
    "above its maker": ("UPDATE api_keys SET level = 5 WHERE made_by_key_id IS NOT NULL",),
    "longer than its maker": (
        (
            "UPDATE api_keys SET expires_at = (SELECT k.expires_at + 1 FROM api_keys k WHERE k.name = 'two')"
            " WHERE made_by_key_id IS NOT NULL"
        ),
    ),
    "made with another's key": (
        (
            "UPDATE api_keys SET made_by_key_id = (SELECT k.id FROM api_keys k WHERE k.name = 'two'),"
            " expires_at = created_at + 60000 WHERE name = 'a new one'"
        ),
    ),
    "revoked by hand": (
        "UPDATE api_keys SET revoked_at = created_at + 5, revoked_reason = 'owner' WHERE name = 'one'",
    ),
    "revoked by hand, long after a mass revocation": (
        (
            "UPDATE api_keys SET revoked_at = created_at + 120000, revoked_reason = 'owner'"
            " WHERE name = 'a new one'"
        ),
    ),
    "one brought back": (
        "UPDATE api_keys SET revoked_at = NULL, revoked_reason = NULL WHERE name = 'ended'",
    ),
    "brought back": ("UPDATE api_keys SET revoked_at = NULL, revoked_reason = NULL",),
    "not recorded": (
        (
            "DELETE FROM audit_events WHERE action = 'key:created' AND key_id ="
            " (SELECT id FROM api_keys WHERE name = 'two')"
        ),
    ),
}


@pytest.fixture
def furnished(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    """Keys in the states that there are, all by the rules."""
    one, two = make_key(cast.sue, level=8, name="one"), make_key(cast.sue, level=4, name="two")
    ended, rotated = (make_key(cast.sue, level=1, name=name) for name in ("ended", "rotated"))
    for name in ("bob's", "bob's other"):
        make_key(cast.bob, level=1, name=name)
    client = app.test_client()
    body = {"name": "by a key", "level": 4, "expiresIn": 60}
    assert client.post("/api/apikeys/key", json=body, headers=two.headers).status_code == 201
    assert one.id
    with app.app_context():
        revocation.revoke_key(cast.sue.actor, UUID(ended.id))
        rotation.rotate_key(cast.sue.actor, UUID(rotated.id), overlap=timedelta(hours=1))
        actions.block(Actor.command_line(), cast.bob.account_id, why="spam")
        actions.unblock(Actor.command_line(), cast.bob.account_id, why="was a mistake")
    make_key(cast.bob, level=1, name="a new one")


def test_what_the_rules_allow_is_no_breach(furnished: None, make_app: MakeApp) -> None:
    assert ready(make_app) == (200, "ready\n")


@pytest.mark.parametrize("breach", BREACHES)
def test_a_row_that_breaks_a_rule_is_noticed(
    furnished: None, make_app: MakeApp, database: Database, breach: str
) -> None:
    write_past_guards(database, *BREACHES[breach])

    assert ready(make_app) == (503, BROKEN)
    with database.connect() as connection:
        assert list(broken_rules(connection))


def test_a_mass_revocation_that_was_taken_back_is_noticed(
    furnished: None, make_app: MakeApp, database: Database
) -> None:
    """Also one from before each key had a line of its own."""
    write_past_guards(
        database,
        "UPDATE api_keys SET revoked_at = NULL, revoked_reason = NULL WHERE name LIKE 'bob_s'",
        "DELETE FROM audit_events WHERE action = 'key:revoked' AND account_id ="
        " (SELECT account_id FROM api_keys WHERE name = 'a new one')",
    )

    assert ready(make_app) == (503, BROKEN)


def test_too_many_rows_are_left_to_the_self_check(
    furnished: None, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe is answered in its time."""
    from portal.services.system import broken_rules as rules

    many = ", ".join(f"api_keys k{number}" for number in range(8))
    forever = f"FROM api_keys k, {many} WHERE k.level + k1.level + k7.level < 0"
    monkeypatch.setattr(rules, "LIVING", {"never": forever})
    monkeypatch.setattr(readiness, "within", lambda connection: rules.within(connection, 0.001))
    monkeypatch.setattr(rules, "STEPS", 10)

    assert ready(make_app) == (200, "ready\n")


def test_a_worker_that_runs_notices_within_a_minute_and_recovers_at_once(
    app: Flask, client: PageChecker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(readiness.time, "monotonic", lambda: now[0])
    [(again,)] = database.execute(AS_MADE[database.kind])
    assert client.get("/readyz").status_code == 200
    database.execute(f"DROP TRIGGER api_keys_revoked{'' if database.kind == 'sqlite' else ' ON api_keys'}")

    now[0] += readiness.GUARDS_EVERY
    assert client.get("/readyz").text == UNGUARDED
    assert client.get("/readyz").text == UNGUARDED
    with database.connect() as connection:
        connection.exec_driver_sql(again)
    assert client.get("/readyz").text == "ready\n"


def test_a_row_that_was_broken_since_is_noticed_in_ten_minutes_and_told_until_it_is_mended(
    furnished: None, app: Flask, client: PageChecker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(readiness.time, "monotonic", lambda: now[0])
    assert client.get("/readyz").text == "ready\n"
    write_past_guards(database, "UPDATE api_keys SET level = 9 WHERE name = 'one'")

    now[0] += readiness.ROWS_EVERY
    assert client.get("/readyz").text == BROKEN
    assert client.get("/readyz").text == BROKEN
    write_past_guards(database, "UPDATE api_keys SET level = 8 WHERE name = 'one'")
    assert client.get("/readyz").text == "ready\n"


def test_what_was_written_while_a_guard_was_gone_is_looked_for_as_soon_as_it_is_back(
    furnished: None, app: Flask, client: PageChecker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(readiness.time, "monotonic", lambda: now[0])
    [(again,)] = database.execute(AS_MADE[database.kind])
    assert client.get("/readyz").text == "ready\n"
    database.execute(f"DROP TRIGGER api_keys_revoked{'' if database.kind == 'sqlite' else ' ON api_keys'}")
    now[0] += readiness.GUARDS_EVERY
    assert client.get("/readyz").text == UNGUARDED

    write_past_guards(database, "UPDATE api_keys SET level = 9 WHERE name = 'one'")
    with database.connect() as connection:
        connection.exec_driver_sql(again)

    assert client.get("/readyz").text == BROKEN


def test_who_asks_while_another_looks_is_told_what_was_found_last(
    app: Flask, client: PageChecker, database: Database
) -> None:
    database.execute(f"DROP TRIGGER api_keys_revoked{'' if database.kind == 'sqlite' else ' ON api_keys'}")
    assert client.get("/readyz").text == UNGUARDED

    with app.app_context(), readiness._looks[db.engine].lock:
        assert client.get("/readyz").text == UNGUARDED


def test_a_probe_in_between_asks_next_to_nothing(app: Flask, client: PageChecker) -> None:
    client.get("/readyz")
    asked: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        client.get("/readyz")

    assert len(asked) <= 8, asked
    assert not any("api_keys" in statement for statement in asked)


@pytest.mark.sqlite_only(reason="PostgreSQL has no pragmas")
@pytest.mark.parametrize(
    ("pragma", "told"),
    [
        ("journal_mode = DELETE", "database settings unsafe\n"),
        ("foreign_keys = OFF", "database settings unsafe\n"),
        ("synchronous = NORMAL", "database settings unsafe\n"),
        ("ignore_check_constraints = ON", "database settings unsafe\n"),
        ("query_only = ON", "database read-only\n"),
    ],
)
def test_pragmas_that_promises_rest_on_are_asked_for(
    app: Flask, client: PageChecker, pragma: str, told: str
) -> None:
    from portal import extensions

    prepare = extensions._prepare_sqlite

    def forgetful(connection: object, record: object) -> None:
        prepare(connection, record)  # type: ignore[arg-type]
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]

    with app.app_context():
        event.listen(db.engine, "connect", forgetful)
        db.engine.dispose()
    assert client.get("/readyz").text == told
