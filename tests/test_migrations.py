"""Migrations go up and down, with data, and leave nothing over, on both databases (row 47)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

import portal.models  # noqa: F401  # fills the metadata
from portal import clock
from portal.app import create_app
from portal.extensions import Base
from portal.models import Action
from portal.models.guards import REVISION
from portal.services.core import audit
from tests.conftest import close_app
from tests.support.databases import KINDS, MIGRATIONS, Database, Databases, downgrade, upgrade
from tests.support.settings import settings_for

REVISIONS = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
NOW = 1_790_000_000_000
KEY = "01980000000070008000000000000001"
ACCOUNT = (
    "INSERT INTO accounts (id, email, lemail, username, lusername, bio, language, role, status, consent,"
    " mfa_enabled, created_at, updated_at) VALUES (1, 'a@example.org', 'a@example.org', 'Ann', 'ann', '',"
    f" 'en', 'user', 1, 1, false, {NOW}, {NOW})"
)
AN_API_KEY = (
    "INSERT INTO api_keys (id, account_id, name, level, digest, pepper_id, created_at, expires_at)"
    f" VALUES ('{KEY}', 1, 'ci', 4, {{digest}}, 'p1', {NOW}, {NOW + 1000})"
)
AUDIT_EVENT = (
    "INSERT INTO audit_events (at, action, actor_kind, account_id, details)"
    f" VALUES ({NOW}, 'account:created', 'system', 1, '{{}}')"
)
DATA = (ACCOUNT, AN_API_KEY, AUDIT_EVENT)


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Database]:
    """A database without a table."""
    with databases.empty(request.param) as created:
        yield created


def test_the_newest_is_the_one_that_the_code_wants() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [REVISION]


def fill(database: Database) -> None:
    digest = f"X'{'ab' * 32}'" if database.kind == "sqlite" else f"'\\x{'ab' * 32}'"
    with database.connect() as connection:
        for statement in DATA:
            connection.exec_driver_sql(statement.replace("{digest}", digest))


def shape(database: Database) -> dict[str, object]:
    """Tables, columns, constraints, indexes and triggers, as the database tells them."""
    with database.connect() as connection:
        look = sa.inspect(connection)
        triggers = (
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            if database.kind == "sqlite"
            else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        )
        found: dict[str, object] = {
            table: (
                [(each["name"], str(each["type"]), each["nullable"]) for each in look.get_columns(table)],
                sorted(str(each) for each in look.get_check_constraints(table)),
                sorted(str(each) for each in look.get_foreign_keys(table)),
                sorted(str(each) for each in look.get_unique_constraints(table)),
                sorted(str(each) for each in look.get_indexes(table)),
            )
            for table in look.get_table_names()
            if table != "alembic_version"
        }
        return {**found, "triggers": sorted(row[0] for row in connection.exec_driver_sql(triggers))}


def kept_of(before: dict[str, list[Any]], database: Database) -> dict[str, list[Any]]:
    """The rows as they are now, in the columns that they had; newer columns stand behind them."""
    after = database.rows()
    return {name: [row[: len(rows[0])] for row in after[name]] for name, rows in before.items()}


def test_each_revision_goes_up_and_down_and_up_again(empty: Database, tmp_path: Path) -> None:
    shapes = [shape(empty)]
    for revision in REVISIONS:
        upgrade(empty.url, tmp_path, revision)
        shapes.append(shape(empty))
    assert all(before != after for before, after in pairwise(shapes))

    for below in range(len(REVISIONS) - 1, -1, -1):
        downgrade(empty.url, tmp_path, REVISIONS[below - 1] if below else "base")
        assert shape(empty) == shapes[below]

    upgrade(empty.url, tmp_path)
    assert shape(empty) == shapes[-1]


def test_data_goes_along_from_each_revision_to_the_newest_and_back(empty: Database, tmp_path: Path) -> None:
    upgrade(empty.url, tmp_path, REVISIONS[0])
    fill(empty)
    before = {name: rows for name, rows in empty.rows().items() if rows and name != "alembic_version"}
    assert set(before) == {"accounts", "api_keys", "audit_events"}

    for revision in REVISIONS[1:]:
        upgrade(empty.url, tmp_path, revision)
        assert kept_of(before, empty) == before, revision
    for revision in REVISIONS[-2::-1]:
        downgrade(empty.url, tmp_path, revision)
        assert kept_of(before, empty) == before, revision


def test_the_way_down_opens_no_key_that_was_bound_or_rotated(empty: Database, tmp_path: Path) -> None:
    """Before 0003 the portal knew nothing of conditions, retirement and kinds."""
    upgrade(empty.url, tmp_path, "0003")
    digest = f"X'{'ab' * 32}'" if empty.kind == "sqlite" else f"'\\x{'ab' * 32}'"
    now = clock.now_ms()
    bound = {
        "free": {},
        "networks": {"networks": "'192.0.2.0/24'"},
        "rest": {"max_idle": "3600"},
        "later": {"not_before": str(now + 900_000)},
        "by now": {"not_before": str(now - 900_000)},
        "service": {"kind": "'service'"},
        "rotated": {},
    }
    empty.execute(ACCOUNT.replace("'user'", "'admin'"))
    for number, columns in enumerate([*bound.values(), {"replaces_id": f"'{KEY[:-1]}6'"}]):
        name = "rotated" if "replaces_id" in columns else list(bound)[number]
        values = {
            "id": f"'{KEY[:-1]}{number}'", "account_id": "1", "name": f"'{name}'", "level": "4",
            "digest": digest, "pepper_id": "'p1'", "created_at": str(now - 1_000_000),
            "expires_at": str(now + 1_000_000), **columns,
        }  # fmt: skip
        with empty.connect() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO api_keys ({', '.join(values)}) VALUES ({', '.join(values.values())})"
            )
    empty.execute(f"UPDATE api_keys SET retires_at = {now - 1000} WHERE id = '{KEY[:-1]}6'")

    downgrade(empty.url, tmp_path, "0002")

    left = empty.execute("SELECT name FROM api_keys WHERE revoked_at IS NULL ORDER BY name")
    assert [row[0] for row in left] == ["by now", "free", "rotated"]
    gone = empty.execute(f"SELECT revoked_at, revoked_reason FROM api_keys WHERE id = '{KEY[:-1]}6'")
    assert [tuple(row) for row in gone] == [(now - 1000, "replaced")]
    upgrade(empty.url, tmp_path)
    app = create_app(settings_for(empty.url, tmp_path))
    with app.app_context():
        told = audit.list_events(action=Action.KEY_REVOKED)
    close_app(app)
    assert [(event.details["name"], event.details["cause"], event.account_id) for event in told] == [
        ("service", "operator", 1),
        ("later", "operator", 1),
        ("rest", "operator", 1),
        ("networks", "operator", 1),
        ("rotated", "replaced", 1),
    ]
    assert [str(event.key_id)[-1] for event in told] == ["5", "3", "2", "1", "6"]
    assert ["older portal" in (event.reason or "") for event in told] == [True] * 4 + [False]


def test_the_way_down_opens_no_key_to_services_that_it_was_not_for(empty: Database, tmp_path: Path) -> None:
    """Before 0010 the portal knew nothing of audiences."""
    upgrade(empty.url, tmp_path, "0010")
    fill(empty)
    with empty.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO api_keys (id, account_id, name, level, digest, pepper_id, created_at, expires_at,"
            f" audiences) SELECT '{KEY[:-1]}2', account_id, 'orders', level, digest, pepper_id, created_at,"
            " expires_at, 'orders' FROM api_keys"
        )

    downgrade(empty.url, tmp_path, "0009")

    assert empty.execute("SELECT name FROM api_keys WHERE revoked_at IS NULL") == [("ci",)]
    told = empty.execute("SELECT action, reason FROM audit_events WHERE action = 'key:revoked'")
    assert [(action, "older portal" in reason) for action, reason in told] == [("key:revoked", True)]


BLOCKED = {
    "active": ("1000", ["active"], 1),
    "locked": ("1000", ["locked"], -1),
    "unconfirmed": ("NULL", ["inactive"], 0),
    "locked, and active at the last block": ("1000", ["locked", "active"], 1),
    "active, and locked at the last block": ("1000", ["active", "locked"], -1),
    "its line has ended": ("1000", [], -1),
    "its line has ended, and it never consented": ("NULL", [], 0),
    "a word that nobody knows": ("1000", ["asleep"], -1),
}
"""When each account consented, what the audit log says of its blocks, and what it was before the last."""


def block_in_the_way_of_0010(database: Database, number: int, consent_at: str, words: list[str]) -> None:
    values = f"VALUES ({number}, 'a{number}@example.org', 'a{number}@example.org', 'a{number}', 'a{number}'"
    account = ACCOUNT.replace("VALUES (1, 'a@example.org', 'a@example.org', 'Ann', 'ann'", values)
    database.execute(account)
    database.execute(f"UPDATE accounts SET status = -2, consent_at = {consent_at} WHERE id = {number}")
    for word in words:
        event = AUDIT_EVENT.replace("account:created", "account:blocked").replace("1, '{}'", "{}, '{}'")
        with database.connect() as connection:
            connection.exec_driver_sql(event.format(number, f'{{"before": "{word}"}}'))


def test_what_an_account_was_before_its_block_is_taken_from_the_record(
    empty: Database, tmp_path: Path
) -> None:
    """Before 0011 it stood there alone."""
    upgrade(empty.url, tmp_path, "0010")
    fill(empty)
    for number, (consent_at, words, _before) in enumerate(BLOCKED.values(), 2):
        block_in_the_way_of_0010(empty, number, consent_at, words)
    before = empty.execute("SELECT id, status, consent_at, updated_at FROM accounts ORDER BY id")

    upgrade(empty.url, tmp_path, "0011")

    filled = empty.execute("SELECT status_before_block FROM accounts ORDER BY id")
    assert [row[0] for row in filled] == [None, *(expected for *_rest, expected in BLOCKED.values())]
    downgrade(empty.url, tmp_path, "0010")
    assert empty.execute("SELECT id, status, consent_at, updated_at FROM accounts ORDER BY id") == before
    upgrade(empty.url, tmp_path, "0011")
    assert empty.execute("SELECT status_before_block FROM accounts ORDER BY id") == filled


def test_the_newest_tables_are_those_of_the_models(empty: Database, tmp_path: Path) -> None:
    upgrade(empty.url, tmp_path)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        drift = compare_metadata(context, Base.metadata)
        checks = {
            check["name"]
            for table in Base.metadata.tables
            for check in sa.inspect(connection).get_check_constraints(table)
        }

    assert drift == []
    assert checks == {
        str(constraint.name)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    }


def test_upgrading_twice_changes_nothing(empty: Database, tmp_path: Path) -> None:
    upgrade(empty.url, tmp_path)
    fill(empty)
    before = empty.rows()

    upgrade(empty.url, tmp_path)

    assert empty.rows() == before


def fail_at(revision: str) -> Callable[..., None]:
    """A listener that ends a migration where it writes this revision down."""

    def listener(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if f"SET version_num='{revision}'" in statement:
            raise OSError("the disk is full")

    return listener


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty: Database, tmp_path: Path) -> None:
    """All revisions are one transaction: no second process finds the lock free between two of them."""
    upgrade(empty.url, tmp_path, "0004")
    fill(empty)
    before = shape(empty), empty.rows()
    listener = fail_at("0008")

    sa.event.listen(sa.Engine, "before_cursor_execute", listener)
    try:
        with pytest.raises(OSError, match="the disk is full"):
            upgrade(empty.url, tmp_path)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listener)

    assert (shape(empty), empty.rows()) == before
    upgrade(empty.url, tmp_path)
    assert empty.rows()["alembic_version"] == [(REVISION,)]


def test_the_guards_are_there_after_the_way_down_and_up(empty: Database, tmp_path: Path) -> None:
    upgrade(empty.url, tmp_path)
    fill(empty)
    for revision in REVISIONS[-2::-1]:
        downgrade(empty.url, tmp_path, revision)
    upgrade(empty.url, tmp_path)

    for statement in (
        "UPDATE api_keys SET level = 9",
        "DELETE FROM api_keys",
        "DELETE FROM accounts",
        "UPDATE accounts SET role = 'user', status = -2",
        "UPDATE audit_events SET at = 0",
        "DELETE FROM audit_events",
    ):
        with pytest.raises(DBAPIError):
            empty.execute(statement)
