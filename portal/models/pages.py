"""Lists, a page at a time: counted pages, to leaf through, and slices, to go on from where one was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func
from sqlalchemy.orm import Session

PAGE_SIZE = 25

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of a list, counted from 1; ``total`` are the rows of all pages, ``first`` its first one."""

    items: Sequence[Row]
    number: int
    pages: int
    total: int
    first: int = 1


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """Some rows of a list; ``next`` is the id to go on from, None where the list ends."""

    items: Sequence[Row]
    next: Any
    is_first: bool


def read_page(session: Session, query: Select[Row], number: int, size: int = PAGE_SIZE) -> Page[Row]:
    """The page of this number, or the nearest that there is."""
    count = query.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    total = session.scalar(count) or 0
    pages = max(1, -(-total // size))
    number = min(max(1, number), pages)
    items = session.scalars(query.limit(size).offset((number - 1) * size)).all()
    return Page(items, number, pages, total, (number - 1) * size + 1)


def read_slice(session: Session, query: Select[Any], size: int, *, is_first: bool) -> Slice[Any]:
    """The first rows of a query, which have an id and stand in the order of it."""
    found = session.scalars(query.limit(size + 1)).all()
    shown = found[:size]
    return Slice(shown, shown[-1].id if len(found) > size else None, is_first)
