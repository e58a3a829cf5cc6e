"""Inserts that change the row instead when there is one, as each database has them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy import Engine


def dialect_of(engine: Engine) -> Any:
    """The module that has the ``insert`` of an engine's database; the other's would take 2 MB."""
    return import_module(f"sqlalchemy.dialects.{engine.dialect.name}")
