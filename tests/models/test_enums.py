"""What is one of a few things is an enum in the code, and its plain value in the database."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy.exc import StatementError

from portal.extensions import db
from portal.models import Account, AccountStatus, Consent
from portal.services.core.transaction import transaction
from tests.support.cast import Cast
from tests.support.databases import ROOT, Database

COLUMNS = [
    *(("status", status) for status in AccountStatus),
    *(("consent", consent) for consent in Consent),
    *(
        ("status_before_block", status)
        for status in (AccountStatus.ACTIVE, AccountStatus.INACTIVE, AccountStatus.LOCKED)
    ),
]
A_NUMBER = re.compile(r"\|\s*int\s*[=!<>]=|\b(status|consent)\s*[=!]=\s*-?\d|\{-?\d+:")


@pytest.mark.parametrize(("column", "member"), COLUMNS)
def test_it_is_stored_as_its_value_and_read_as_its_member(
    app: Flask, database: Database, cast: Cast, column: str, member: AccountStatus | Consent
) -> None:
    alice = cast.alice.account_id
    if column == "status_before_block":
        database.execute(f"UPDATE accounts SET status = -2 WHERE id = {alice}")
    with app.app_context():
        with transaction() as session:
            setattr(session.get_one(Account, alice), column, member)
        db.session.expire_all()
        assert getattr(db.session.get_one(Account, alice), column) is member
        assert [each.id for each in db.session.query(Account).where(getattr(Account, column) == member)]

    assert database.execute(f"SELECT {column} FROM accounts WHERE id = {alice}") == [(member.value,)]


@pytest.mark.parametrize("column", ["status", "consent", "status_before_block", "role"])
def test_what_the_enum_lacks_is_not_written(app: Flask, cast: Cast, column: str) -> None:
    with (
        app.app_context(),
        pytest.raises(StatementError, match="7 is not a valid"),
        transaction() as session,
    ):
        setattr(session.get_one(Account, cast.alice.account_id), column, 7)


def test_no_template_reads_an_enum_as_a_number() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "templates").rglob("*.html"))
        for line in path.read_text("utf-8").splitlines()
        if A_NUMBER.search(line)
    ]

    assert found == []
