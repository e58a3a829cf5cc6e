"""The database is the last guard: raw SQL can't break a rule either (rows 29 and 46)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import DBAPIError

from portal.extensions import Base
from portal.services.core.sent_forms import Form
from portal.services.keys import creation, rotation
from portal.services.keys.conditions import Conditions
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.databases import Database

IMMUTABLE = {
    "name": "'other'",
    "level": "0",
    "expires_at": "expires_at - 1",
    "created_at": "created_at - 1",
    "account_id": "(SELECT max(id) FROM accounts)",
    "pepper_id": "'p9'",
    "made_by_key_id": "id",
    "replaces_id": "id",
    "counted_with_id": "id",
    "nonce": "id",
    "kind": "'service'",
    "environment": "'test'",
    "networks": "'192.0.2.0/24'",
    "not_before": "created_at",
    "max_idle": "3600",
    "calls_per_minute": "1",
    "calls_per_day": "1",
    "note": "'other'",
    "audiences": "'orders'",
}


@pytest.fixture
def key(cast: Cast, make_key: MakeKey) -> str:
    return make_key(cast.alice, level=4).id


def refused(database: Database, statement: str) -> str:
    with pytest.raises(DBAPIError) as caught:
        database.execute(statement)
    return str(caught.value.orig)


@pytest.mark.parametrize("column", IMMUTABLE)
def test_nothing_of_a_key_can_be_changed(database: Database, key: str, column: str) -> None:
    assert "immutable" in refused(database, f"UPDATE api_keys SET {column} = {IMMUTABLE[column]}")


def test_the_digest_can_not_be_changed(database: Database, key: str) -> None:
    other = "zeroblob(32)" if database.kind == "sqlite" else "decode(repeat('00', 32), 'hex')"

    assert "immutable" in refused(database, f"UPDATE api_keys SET digest = {other}")


def test_the_id_can_not_be_changed(database: Database, key: str) -> None:
    other = f"'{'0' * 31}1'"

    assert "immutable" in refused(database, f"UPDATE api_keys SET id = {other}")


def test_a_revoked_key_stays_revoked(database: Database, key: str) -> None:
    database.execute("UPDATE api_keys SET revoked_at = created_at + 1, revoked_reason = 'owner'")

    for change in (
        "revoked_at = NULL, revoked_reason = NULL",
        "revoked_at = revoked_at + 1",
        "revoked_reason = 'blocked'",
    ):
        assert "for good" in refused(database, f"UPDATE api_keys SET {change}")


def test_a_key_is_not_revoked_without_a_reason(database: Database, key: str) -> None:
    assert re.search("(?i)check", refused(database, "UPDATE api_keys SET revoked_at = created_at"))


def test_a_key_is_never_deleted(database: Database, key: str) -> None:
    assert "revoked, not deleted" in refused(database, "DELETE FROM api_keys")


def copy_of_key(*, maker: str = "NULL", **changes: str) -> str:
    same = ("account_id", "name", "level", "digest", "pepper_id", "created_at", "expires_at", "kind")
    columns = {**dict(zip(same, same, strict=True)), "made_by_key_id": maker, **changes}
    return f"""
        INSERT INTO api_keys (id, {", ".join(columns)})
        SELECT '{"a" * 32}', {", ".join(columns.values())} FROM api_keys"""


@pytest.mark.parametrize("after", ["created_at", "created_at - 1", "created_at + 31536000001"])
def test_a_key_lives_and_at_most_365_days(database: Database, key: str, after: str) -> None:
    assert re.search("(?i)check", refused(database, copy_of_key(expires_at=after)))


def test_the_longest_life_itself_is_fine(database: Database, key: str) -> None:
    database.execute(copy_of_key(expires_at="created_at + 31536000000"))

    assert database.execute("SELECT count(*) FROM api_keys") == [(2,)]


@pytest.mark.parametrize("level", ["-1", "5", "9", "10"])
def test_a_key_is_never_inserted_above_its_owner(database: Database, key: str, level: str) -> None:
    refused(database, copy_of_key(level=level))


@pytest.mark.parametrize("change", ["consent = 0", "status = -2", "status = -1", "status = 0"])
def test_a_key_is_never_inserted_for_an_owner_in_bad_standing(
    database: Database, key: str, change: str
) -> None:
    database.execute("UPDATE api_keys SET revoked_at = created_at, revoked_reason = 'owner'")
    database.execute(f"UPDATE accounts SET {change} WHERE id = (SELECT account_id FROM api_keys)")

    assert "owner's rights" in refused(database, copy_of_key())


BOUND = Conditions(
    networks="192.0.2.0/24", max_idle=7200, calls_per_minute=20, calls_per_day=200, audiences="orders billing"
)


@pytest.mark.parametrize(
    "change",
    [
        {"level": "level + 1"},
        {"expires_at": "expires_at + 1"},
        {"networks": "''"},
        {"audiences": "''"},
        {"audiences": "'orders stock'"},
        {"audiences": "'order'"},
        {"audiences": "'_illing'"},
        {"audiences": "'orders  billing'"},
        {"max_idle": "NULL"},
        {"max_idle": "7201"},
        {"calls_per_minute": "NULL"},
        {"calls_per_minute": "21"},
        {"calls_per_day": "NULL"},
        {"calls_per_day": "201"},
    ],
)
def test_a_key_made_with_a_key_stays_within_it(
    app: Flask, database: Database, cast: Cast, change: dict[str, str]
) -> None:
    with app.app_context():
        creation.create_key(cast.ada.actor, name="ci", level=4, life=timedelta(days=30), conditions=BOUND)
    kept = {name: name for name in ("networks", "max_idle", "calls_per_minute", "calls_per_day")}
    kept["audiences"] = "'billing'"

    database.execute(copy_of_key(maker="id", **kept))
    database.execute(
        "UPDATE api_keys SET revoked_at = created_at, revoked_reason = 'owner'"
        " WHERE made_by_key_id IS NOT NULL"
    )
    statement = (
        copy_of_key(maker="id", **(kept | change)).replace("a" * 32, "b" * 32)
        + " WHERE made_by_key_id IS NULL"
    )

    assert "maker's rights" in refused(database, statement)


def test_a_revoked_key_makes_no_key(database: Database, key: str) -> None:
    database.execute("UPDATE api_keys SET revoked_at = created_at, revoked_reason = 'owner'")

    assert "maker's rights" in refused(database, copy_of_key(maker="id"))


@pytest.mark.parametrize("change", ["role = 'king'", "status = 7", "consent = 3"])
def test_an_account_is_only_what_there_is(database: Database, cast: Cast, change: str) -> None:
    assert re.search("(?i)check", refused(database, f"UPDATE accounts SET {change}"))


@pytest.mark.parametrize(
    "change",
    [
        "status_before_block = 1",
        "status_before_block = 0",
        "status = -1, status_before_block = 1",
        "status = -2, status_before_block = -2",
        "status = -2, status_before_block = 7",
    ],
)
def test_only_a_blocked_account_was_something_before_its_block(
    database: Database, cast: Cast, change: str
) -> None:
    assert re.search("(?i)check", refused(database, f"UPDATE accounts SET {change}"))


@pytest.mark.parametrize("before", [1, 0, -1])
def test_a_block_can_not_go_and_leave_behind_what_was_before(
    database: Database, cast: Cast, before: int
) -> None:
    database.execute(f"UPDATE accounts SET status = -2, status_before_block = {before}")

    assert re.search("(?i)check", refused(database, "UPDATE accounts SET status = 1"))
    database.execute("UPDATE accounts SET status = 1, status_before_block = NULL")


def test_a_key_made_with_a_key_does_not_outlive_its_retirement(database: Database, key: str) -> None:
    database.execute(copy_of_key(replaces_id="id"))
    database.execute("UPDATE api_keys SET retires_at = created_at + 5 WHERE replaces_id IS NULL")
    created = copy_of_key(maker="id", expires_at="created_at + {}").replace("a" * 32, "b" * 32)
    created += " WHERE replaces_id IS NULL"

    assert "maker's rights" in refused(database, created.format(6))
    database.execute(created.format(5))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "'other'"},
        {"level": "level - 1"},
        {"networks": "'192.0.2.0/24'"},
        {"audiences": "'orders'"},
        {"max_idle": "3600"},
        {"calls_per_minute": "1"},
        {"calls_per_day": "1"},
        {"account_id": "(SELECT max(id) FROM accounts)"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_successor_is_as_the_key_that_it_replaces_and_there_is_one(
    database: Database, key: str, change: dict[str, str]
) -> None:
    assert "as the key that it replaces" in refused(database, copy_of_key(replaces_id="id", **change))
    database.execute(copy_of_key(replaces_id="id"))
    second = copy_of_key(replaces_id="id").replace("a" * 32, "b" * 32) + " WHERE replaces_id IS NULL"
    assert re.search("(?i)unique", refused(database, second))


def test_a_service_key_has_one_audience(database: Database, cast: Cast, key: str) -> None:
    database.execute("UPDATE accounts SET role = 'admin'")
    two = copy_of_key(kind="'service'", audiences="'orders billing'")

    assert re.search("(?i)check", refused(database, two))
    database.execute(two.replace(" billing", ""))


def test_a_key_retires_once_for_its_successor_and_not_after_its_expiry(database: Database, key: str) -> None:
    retire = "UPDATE api_keys SET retires_at = {} WHERE replaces_id IS NULL"
    assert "retires once" in refused(database, retire.format("created_at + 1"))
    database.execute(copy_of_key(replaces_id="id"))
    assert re.search("(?i)check", refused(database, retire.format("expires_at + 1")))

    database.execute(retire.format("created_at + 1"))

    for later in ("NULL", "created_at + 2"):
        assert "retires once" in refused(database, retire.format(later))


@pytest.mark.parametrize("change", [{"kind": "'service'"}, {"kind": "'other'"}, {"environment": "'staging'"}])
def test_a_key_of_a_kind_that_its_owner_may_not_have_is_not_inserted(
    database: Database, key: str, change: dict[str, str]
) -> None:
    refused(database, copy_of_key(**change))


@pytest.mark.parametrize(
    "change", ["status = 0", "status = -1", "status = -2", "consent = 0", "role = 'user'"]
)
def test_an_account_can_not_fall_while_it_has_keys(
    database: Database, cast: Cast, make_key: MakeKey, change: str
) -> None:
    make_key(cast.sue, level=2)

    statement = f"UPDATE accounts SET {change} WHERE id = {cast.sue.account_id}"

    assert "revoked first" in refused(database, statement)
    database.execute("UPDATE api_keys SET revoked_at = created_at, revoked_reason = 'operator'")
    database.execute(statement)


@pytest.mark.parametrize("change", ["role = 'admin'", "bio = 'x'", "consent = 2"])
def test_an_account_may_rise_and_change_while_it_has_keys(
    database: Database, cast: Cast, make_key: MakeKey, change: str
) -> None:
    make_key(cast.sue, level=8)

    database.execute(f"UPDATE accounts SET {change} WHERE id = {cast.sue.account_id}")


def test_an_account_is_never_deleted(database: Database, cast: Cast) -> None:
    assert "emptied, not deleted" in refused(
        database, f"DELETE FROM accounts WHERE id = {cast.bob.account_id}"
    )


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET reason = 'x'", "DELETE FROM audit_events"])
def test_the_record_is_append_only(database: Database, cast: Cast, statement: str) -> None:
    before = database.execute("SELECT count(*) FROM audit_events")

    assert "append-only" in refused(database, statement)
    assert database.execute("SELECT count(*) FROM audit_events") == before


@pytest.mark.postgresql_only(reason="SQLite has no TRUNCATE")
def test_the_record_can_not_be_truncated(database: Database, cast: Cast) -> None:
    assert "append-only" in refused(database, "TRUNCATE audit_events")


@pytest.mark.postgresql_only(reason="SQLite has no TRUNCATE")
@pytest.mark.parametrize(("table", "said"), [("api_keys", "revoked, not"), ("accounts", "emptied, not")])
def test_keys_and_accounts_can_not_be_truncated(database: Database, key: str, table: str, said: str) -> None:
    assert said in refused(database, f"TRUNCATE {table} CASCADE")


def replaced(table: str, where: str = "true", **changes: str) -> str:
    """A statement that writes rows over themselves, with some columns changed."""
    columns = {each.name: each.name for each in Base.metadata.tables[table].columns} | changes
    return f"""
        INSERT OR REPLACE INTO {table} ({", ".join(columns)})
        SELECT {", ".join(columns.values())} FROM {table} WHERE {where}"""


ANOTHER = {"id": f"'{'a' * 32}'"}
SAME_ROW = {"nonce": "NULL", "rowid": "rowid", **ANOTHER}


@pytest.mark.sqlite_only(reason="PostgreSQL has no REPLACE")
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (replaced("api_keys", level="0", revoked_at="NULL", revoked_reason="NULL"), "takes its place"),
        (replaced("api_keys", "nonce IS NOT NULL", **ANOTHER), "takes its place"),
        (replaced("api_keys", "replaces_id IS NOT NULL", **ANOTHER), "takes its place"),
        (
            replaced("api_keys", "nonce IS NOT NULL", **SAME_ROW),
            "takes its place",
        ),
        ("UPDATE OR REPLACE api_keys SET rowid = (SELECT max(rowid) FROM api_keys)", "immutable"),
        (replaced("accounts", role="'admin'"), "takes its place"),
        (replaced("accounts", id="id + 100"), "takes its place"),
        ("UPDATE OR REPLACE accounts SET lemail = (SELECT max(lemail) FROM accounts)", "unique"),
        ("UPDATE OR REPLACE accounts SET lusername = (SELECT max(lusername) FROM accounts)", "unique"),
        (replaced("audit_events", reason="'forged'"), "append-only"),
    ],
)
def test_nothing_is_written_over(
    app: Flask, database: Database, cast: Cast, statement: str, said: str
) -> None:
    with app.app_context():
        key, _ = creation.create_key(
            replace(cast.alice.actor, form=Form.of("", "", "x" * 43, [])),
            name="ci",
            level=4,
            life=timedelta(days=30),
        )
        rotation.rotate_key(cast.alice.actor, key.id)
    before = database.rows()

    assert said in refused(database, statement)

    assert database.rows() == before


def test_an_account_keeps_its_number(database: Database, cast: Cast) -> None:
    said = refused(database, f"UPDATE accounts SET id = 77 WHERE id = {cast.ada.account_id}")

    assert "keeps its number" in said


@pytest.mark.sqlite_only(reason="PostgreSQL has no hidden rowid")
def test_a_record_without_a_number_is_still_appended(database: Database, cast: Cast) -> None:
    columns = [each.name for each in Base.metadata.tables["audit_events"].columns if each.name != "id"]
    [(before,)] = database.execute("SELECT count(*) FROM audit_events")

    database.execute(
        f"INSERT INTO audit_events ({', '.join(columns)}) SELECT {', '.join(columns)} FROM audit_events"
    )

    assert database.execute("SELECT count(*) FROM audit_events") == [(2 * before,)]
