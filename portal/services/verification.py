"""Is this key good, and for what? The one decision that every door asks for.

The checks stand in the order that costs a stranger the most and the portal the least:
shape and checksum first, which need no database; then one indexed read; then the digest.
What is revoked anywhere is refused here at the next check: PostgreSQL is read each time;
on SQLite rows are kept in memory only while ``PRAGMA data_version``, asked at each check,
says that no other connection has written since.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from config import Settings
from portal import clock
from portal.extensions import SQLITE_BUSY_MS
from portal.models import Consent, Status
from portal.permissions import ROLE_LEVELS
from portal.services import secrets

if TYPE_CHECKING:
    from portal.services.postgres_reader import PostgresReader

CACHED_KEYS = 10_000
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LEVELS_BY_ROLE: dict[str, int] = {role.value: level for role, level in ROLE_LEVELS.items()}
NO_DIGEST = bytes(32)

QUERY = """
SELECT k.name, k.level, k.digest, k.pepper_id, k.account_id, k.created_at, k.expires_at,
       k.revoked_at, a.role, a.status, a.consent
FROM api_keys k JOIN accounts a ON a.id = k.account_id
WHERE k.id = {}
"""


class Outcome(StrEnum):
    """What the decision is. All but ``GOOD`` and ``UNKNOWN`` are told only to a holder."""

    GOOD = "good"
    UNKNOWN = "authenticationFailed"
    EXPIRED = "apikeyExpired"
    REVOKED = "apikeyRevoked"
    BLOCKED = "accountBlocked"
    LOCKED = "accountLocked"
    CONSENT_LACKING = "consentLacking"


class KeyFacts(NamedTuple):
    """What a check reads of a key and its owner; times are milliseconds since the epoch."""

    id: str
    name: str
    level: int
    digest: bytes
    pepper_id: str
    account_id: int
    created_at: int
    expires_at: int
    revoked_at: int | None
    role: str
    status: int
    consent: int

    def __repr__(self) -> str:
        return f"<KeyFacts {self.id}>"


class Decision(NamedTuple):
    """The answer: the outcome, the level that counts, and the key for whoever holds it."""

    outcome: Outcome
    level: int = -1
    key: KeyFacts | None = None
    key_id: str = ""


UNKNOWN = Decision(Outcome.UNKNOWN)


class Verifier:
    """Decides about keys for one application; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._peppers = settings.peppers
        self._prefix = settings.key_prefix
        self._dummy_pepper = settings.current_pepper
        self._readers = threading.local()
        self._opened: WeakSet[SqliteReader | PostgresReader] = WeakSet()
        self._make_reader = reader_for(settings)

    def decide(self, key_id: str, secret: str) -> Decision:
        """Decide about a key and its secret, at this moment.

        ``key_id`` is a UUID in its canonical form, in any case. Whoever lacks the secret gets
        ``UNKNOWN`` after the same work, one read and one digest, whether there is such a key
        or not. Raises OperationalError when the database can't be read.
        """
        canonical = key_id.lower()
        if not (secrets.is_well_formed(secret, self._prefix) and CANONICAL_UUID.fullmatch(canonical)):
            return UNKNOWN
        try:
            facts = self._find(canonical, secret)
        except (sqlite3.Error, OperationalError) as error:
            self._readers = threading.local()
            if isinstance(error, sqlite3.Error):
                raise OperationalError(None, None, error) from error
            raise
        if facts is None:
            return UNKNOWN
        level = min(facts.level, LEVELS_BY_ROLE[facts.role])
        return Decision(outcome_of(facts, clock.now_ms()), level, facts, facts.id)

    def _find(self, key_id: str, secret: str) -> KeyFacts | None:
        """The key that this is the secret of."""
        reader = self._reader()
        facts = reader.kept(key_id)
        if facts is not None:
            if secrets.matches(self._peppers, facts.pepper_id, facts.digest, secret):
                return facts
            reader.read(key_id)
            return None
        facts = reader.read(key_id)
        if facts is None:
            secrets.matches(self._peppers, self._dummy_pepper, NO_DIGEST, secret)
            return None
        return facts if secrets.matches(self._peppers, facts.pepper_id, facts.digest, secret) else None

    def _reader(self) -> SqliteReader | PostgresReader:
        reader: SqliteReader | PostgresReader | None = getattr(self._readers, "reader", None)
        if reader is None:
            reader = self._readers.reader = self._make_reader()
            self._opened.add(reader)
        return reader

    def close(self) -> None:
        """Close the connections of every thread; a thread that decides again opens a new one."""
        for reader in list(self._opened):
            reader.close()
        self._readers = threading.local()


def outcome_of(facts: KeyFacts, now_ms: int) -> Outcome:
    """What whoever holds the secret is told at this moment."""
    if facts.revoked_at is not None:
        return Outcome.REVOKED
    if now_ms >= facts.expires_at:
        return Outcome.EXPIRED
    if facts.status == Status.ACTIVE and facts.consent != Consent.NONE:
        return Outcome.GOOD
    if facts.status == Status.LOCKED:
        return Outcome.LOCKED
    if facts.status == Status.ACTIVE:
        return Outcome.CONSENT_LACKING
    return Outcome.BLOCKED


def reader_for(settings: Settings) -> Callable[[], SqliteReader | PostgresReader]:
    """What makes a reader for the configured database; each thread has its own."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        path = url.database or ""
        return lambda: SqliteReader(path)
    from portal.services.postgres_reader import PostgresReader  # noqa: PLC0415  # its driver takes 8 MB

    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return lambda: PostgresReader(conninfo)


class SqliteReader:
    """Reads through a connection of its own, which never writes.

    What it has read it keeps until another connection has committed anything.
    """

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
        self._connection.execute("PRAGMA query_only = ON")
        self._execute = self._connection.cursor().execute
        self._query = QUERY.format("?")
        self._version = -1
        self._kept: dict[str, KeyFacts] = {}

    def kept(self, key_id: str) -> KeyFacts | None:
        """The facts that were read before, if nobody has written since."""
        version = self._execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._kept.clear()
            self._version = version
        return self._kept.get(key_id)

    def read(self, key_id: str) -> KeyFacts | None:
        """The facts, read now, or None for a key that is not there."""
        row = self._execute(self._query, (key_id.replace("-", ""),)).fetchone()
        if row is None:
            return None
        if len(self._kept) >= CACHED_KEYS:
            self._kept.clear()
        facts = self._kept[key_id] = KeyFacts(key_id, *row)
        return facts

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
