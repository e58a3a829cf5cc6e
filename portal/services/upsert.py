"""Inserts that change the row instead when there is one, as each database has them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine


def dialect_of(bind: Engine | Connection) -> Any:
    """The module that has the ``insert`` of a database; the other's would take 2 MB of each worker."""
    return import_module(f"sqlalchemy.dialects.{bind.dialect.name}")
