"""Pages of lists: their bounds, whatever number is asked for."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from portal.extensions import db
from portal.models import Account
from portal.models.pages import read_page, read_slice
from tests.support.cast import Cast

IN_ORDER = select(Account).order_by(Account.id.desc())


@pytest.mark.parametrize(
    ("number", "shown", "items"),
    [(-(10**30), 1, 3), (0, 1, 3), (1, 1, 3), (2, 2, 1), (3, 2, 1), (10**30, 2, 1)],
)
def test_a_page_that_is_not_there_is_the_nearest_that_is(
    app: Flask, cast: Cast, number: int, shown: int, items: int
) -> None:
    with app.app_context():
        page = read_page(db.session(), IN_ORDER, number, 3)

    assert (page.number, page.pages, page.total, len(page.items)) == (shown, 2, 4, items)


def test_an_empty_list_has_one_page_and_no_next(app: Flask, cast: Cast) -> None:
    with app.app_context():
        page = read_page(db.session(), IN_ORDER.where(Account.id < 0), 7)
        part = read_slice(db.session(), IN_ORDER.where(Account.id < 0), 7, is_first=True)

    assert (page.items, page.number, page.pages, page.total) == ([], 1, 1, 0)
    assert (part.items, part.next) == ([], None)


@pytest.mark.parametrize(("size", "goes_on"), [(1, True), (3, True), (4, False), (5, False)])
def test_a_slice_goes_on_only_where_there_is_more(app: Flask, cast: Cast, size: int, goes_on: bool) -> None:
    with app.app_context():
        part = read_slice(db.session(), IN_ORDER, size, is_first=True)
        rest = db.session.scalars(IN_ORDER.where(Account.id < part.next)).all() if goes_on else []

        assert (part.next is not None) is goes_on
        assert {each.id for each in (*part.items, *rest)} == {each.account_id for each in cast}
