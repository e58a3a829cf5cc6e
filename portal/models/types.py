"""Column types that both databases share."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Dialect, Integer, SmallInteger, String
from sqlalchemy.types import TypeDecorator

from portal.clock import from_ms, to_ms

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A growing number as primary key; SQLite counts only in INTEGER."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept as whole milliseconds since the epoch in UTC.

    A number means the same on both databases, in a CHECK and to a raw read.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Write a moment; ValueError for a naive one."""
        return None if value is None else to_ms(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """Read a moment."""
        return None if value is None else from_ms(value)


E = TypeVar("E", bound=Enum)


class _EnumType(TypeDecorator[E]):
    """A member of an enum, kept as its value."""

    def __init__(self, enum: type[E]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: E | str | int | None, _dialect: Dialect) -> Any:
        """Write the value; ValueError for one that the enum lacks."""
        return None if value is None else self.enum(value).value

    def process_result_value(self, value: str | int | None, _dialect: Dialect) -> E | None:
        """Read the member."""
        return None if value is None else self.enum(value)


class StrEnumType(_EnumType[E]):
    """A member of an enum of words."""

    impl = String(40)
    cache_ok = True


class IntEnumType(_EnumType[E]):
    """A member of an enum of small numbers."""

    impl = SmallInteger
    cache_ok = True
