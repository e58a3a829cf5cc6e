"""Rows that break a rule: what somebody did past the portal, and past the guards of the database.

Each question is about keys that live, or ends of keys in a span of time, so that it stays
bearable on a large installation, and stops at the first row that it finds.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from portal import clock
from portal.models.key import LONGEST_LIFE_MS
from portal.permissions import ROLE_LEVELS

PATIENCE = 5.0
"""Seconds for one look by a worker; a self-check takes the time that it takes."""
AHEAD = timedelta(days=1)
"""How far the clocks of two machines never are apart."""
STEPS = 100_000
"""Of SQLite's own machine, between two looks at the time."""

_CASES = " ".join(f"WHEN '{role}' THEN {level}" for role, level in ROLE_LEVELS.items())
_LEVEL = f"CASE a.role {_CASES} END"
_LIVING = "FROM api_keys k LEFT JOIN accounts a ON a.id = k.account_id WHERE k.revoked_at IS NULL"
_KNOWN_SINCE = "(SELECT at FROM audit_events ORDER BY id LIMIT 1)"
_CREATED = "SELECT c.id FROM audit_events c WHERE c.key_id = k.id AND c.action = 'key:created'"

LIVING: dict[str, str] = {
    "a living key is above the role of its owner": f"{_LIVING} AND k.level > {_LEVEL}",
    "a living service key is not an admin's": f"{_LIVING} AND k.kind = 'service' AND a.role <> 'admin'",
    "a living key has an owner who is gone, shut out, or has not agreed": (
        f"{_LIVING} AND (a.id IS NULL OR a.status <> 1 OR a.consent = 0 OR a.removed_at IS NOT NULL)"
    ),
    "a living key lives longer than 365 days": (
        f"{_LIVING} AND (k.expires_at > k.created_at + {LONGEST_LIFE_MS} OR k.created_at > :soon)"
    ),
    "a living key exceeds the key that created it": (
        "FROM api_keys k JOIN api_keys m ON m.id = k.made_by_key_id WHERE k.revoked_at IS NULL"
        " AND (k.level > m.level OR k.expires_at > m.expires_at OR k.account_id <> m.account_id)"
    ),
    "a living key was revoked, as the audit log knows": (
        f"{_LIVING} AND (EXISTS (SELECT 1 FROM audit_events e WHERE e.key_id = k.id"  # noqa: S608  # constants
        " AND e.action = 'key:revoked') OR EXISTS (SELECT 1 FROM audit_events e"
        " WHERE e.account_id = k.account_id AND e.action = 'key:all-revoked' AND e.id > ("
        f"{_CREATED})))"
    ),
    "a living key was created without the audit log": (
        f"{_LIVING} AND k.created_at > {_KNOWN_SINCE} AND NOT EXISTS ({_CREATED})"
    ),
}
ENDED: dict[str, str] = {
    "a key was revoked without the audit log": (
        f"FROM api_keys k WHERE k.revoked_at > :since AND k.revoked_at > {_KNOWN_SINCE}"  # noqa: S608  # constants
        " AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.key_id = k.id AND e.action = 'key:revoked')"
        " AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.account_id = k.account_id"
        " AND e.action = 'key:all-revoked' AND abs(e.at - k.revoked_at) < 60000)"
    )
}


def broken_rules(connection: Connection, *, since_ms: int = 0) -> Iterator[str]:
    """The rules that rows break, in a sentence each, with a key for an example.

    Revocations are looked at from ``since_ms`` on. Raises DBAPIError.
    """
    values = {"soon": clock.now_ms() + int(AHEAD.total_seconds()) * 1000, "since": since_ms}
    for rule, query in {**LIVING, **ENDED}.items():
        bound = {name: value for name, value in values.items() if f":{name}" in query}
        found = connection.scalar(text(f"SELECT k.id {query} LIMIT 1"), bound)
        if found is not None:
            yield f"{rule}, such as {found}"


@contextmanager
def within(connection: Connection, seconds: float = PATIENCE) -> Iterator[None]:
    """End each question of the block that takes longer, with DBAPIError; then the transaction is over."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
        yield
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    end = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def is_too_slow(error: DBAPIError) -> bool:
    """Whether a question took longer than it may."""
    return "interrupted" in str(error.orig) or "statement timeout" in str(error.orig)
