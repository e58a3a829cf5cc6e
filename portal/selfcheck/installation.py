"""This installation: what the promises rest on is there, as it must be. It is only read."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from portal.extensions import db
from portal.selfcheck.answers import hold
from portal.services.keys.peppers import WrongPepper, require_ring
from portal.services.system.broken_rules import broken_rules
from portal.services.system.guard_check import differences
from portal.services.system.readiness import is_at_newest, unsafe_settings

MOST_NAMED = 5


def guarded(app: Flask) -> None:
    """Compare settings, tables, triggers and constraints with what they must be."""
    with app.app_context(), db.engine.connect() as connection:
        unsafe = unsafe_settings(connection)
        hold(unsafe is None, unsafe.value if unsafe else "")
        hold(is_at_newest(connection), "its tables are of another version")
        found = differences(connection)
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        hold(not found, ", ".join(found[:MOST_NAMED]) + more)


def unbroken(app: Flask) -> None:
    """Look through all keys, their owners and the audit log for what no rule allows."""
    with app.app_context(), db.engine.connect() as connection:
        found = list(broken_rules(connection))
        hold(not found, "; ".join(found))


def peppers(app: Flask) -> None:
    """Hold the ring to the check values, and to the keys that need its peppers."""
    with app.app_context(), db.engine.connect() as connection:
        try:
            require_ring(connection, app.config["PORTAL"].peppers.get_secret_value())
        except WrongPepper as error:
            hold(False, str(error))  # it does not


CHECKS: dict[str, Callable[[Flask], None]] = {"guarded": guarded, "unbroken": unbroken, "peppers": peppers}
