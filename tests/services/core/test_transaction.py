"""One use case, one transaction; and what each connection is made to keep (rows 23 and 26)."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text, update

from portal.extensions import db
from portal.models import Account, TokenPurpose
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.mail import tokens
from tests.support.cast import Cast
from tests.support.databases import Database


def test_one_use_case_holds_no_other(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(RuntimeError, match="does not hold another"), transaction(), transaction():
            pass
        with transaction():
            pass


def test_nothing_is_written_outside_of_a_transaction(app: Flask, cast: Cast, database: Database) -> None:
    before = database.rows()["accounts"]
    with app.app_context():
        account = db.session.get(Account, cast.alice.account_id)
        assert account
        account.bio = "written past the rules"
        with pytest.raises(RuntimeError, match="writes go through"):
            db.session.flush()
        db.session.rollback()
        with pytest.raises(RuntimeError, match="writes go through"):
            db.session.execute(update(Account).values(bio="written past the rules"))
    assert database.rows()["accounts"] == before


def test_an_account_is_read_anew_when_it_is_locked(app: Flask, cast: Cast, database: Database) -> None:
    """What somebody else has committed since the transaction's first look counts."""
    with app.app_context(), transaction() as session:
        if database.kind == "postgresql":
            known = session.get(Account, cast.alice.account_id)
            assert known
            assert known.bio == ""
            database.execute("UPDATE accounts SET bio = 'new' WHERE id = :id", id=cast.alice.account_id)
        else:  # whoever writes is alone, so the transaction itself goes past the session
            known = session.get(Account, cast.alice.account_id)
            assert known
            session.connection().exec_driver_sql(
                "UPDATE accounts SET bio = 'new' WHERE id = ?", (cast.alice.account_id,)
            )
        held = get_account_for_update(session, cast.alice.account_id)

        assert held is known
        assert held.bio == "new"


def test_whatever_fails_is_rolled_back(app: Flask, cast: Cast, database: Database) -> None:
    def begin_and_fail() -> None:
        with transaction() as session:
            account = get_account_for_update(session, cast.alice.account_id)
            assert account
            account.bio = "half done"
            tokens.mint(session, TokenPurpose.RESET, account_id=account.id, email=account.email)
            session.flush()
            raise KeyboardInterrupt

    before = database.rows()
    with app.app_context(), pytest.raises(KeyboardInterrupt):
        begin_and_fail()
    assert database.rows() == before


@pytest.mark.sqlite_only(reason="PostgreSQL is set up by those who run it")
def test_each_connection_of_sqlite_keeps_its_promises(app: Flask) -> None:
    """WAL, FULL (2), foreign keys, and a while to wait for the lock."""
    with app.app_context():
        for _ in range(2):
            kept = {
                name: db.session.execute(text(f"PRAGMA {name}")).scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
            db.session.rollback()
            db.engine.dispose()
            assert kept == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "busy_timeout": 10_000,
            }


@pytest.mark.sqlite_only(reason="on PostgreSQL rows are locked, and not the database")
def test_sqlite_begins_a_write_with_the_lock_in_hand(app: Flask, database: Database) -> None:
    """A reading transaction that turns into a writing one would fail, or lose what came between."""
    with app.app_context(), transaction(), database.connect() as other:
        other.exec_driver_sql("PRAGMA busy_timeout = 1")
        with pytest.raises(Exception, match="locked"):
            other.exec_driver_sql("UPDATE accounts SET bio = 'between'")


@pytest.mark.sqlite_only(reason="PostgreSQL always keeps them")
def test_foreign_keys_are_held(app: Flask, cast: Cast) -> None:
    with app.app_context(), pytest.raises(Exception, match="FOREIGN KEY"), transaction() as session:
        tokens.mint(session, TokenPurpose.RESET, account_id=987_654, email=None)
