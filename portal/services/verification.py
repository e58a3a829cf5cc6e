"""Is this key good, and for what? The one decision that every door asks for.

The checks stand in the order that costs a stranger the most and the portal the least:
shape and checksum first, which need no database; then the digest; then one indexed read.
What is revoked anywhere is refused here at the next check: PostgreSQL is read each time;
on SQLite rows are kept in memory only while ``PRAGMA data_version``, asked at each check,
says that no other connection has written since.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from enum import StrEnum
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from config import Settings
from portal import clock
from portal.extensions import SQLITE_BUSY_MS
from portal.models import Consent, KeyKind, Status
from portal.permissions import ROLE_LEVELS
from portal.services import networks, secrets

if TYPE_CHECKING:
    from portal.services.postgres_reader import PostgresReader

Reader: TypeAlias = "SqliteReader | PostgresReader"

CACHED_KEYS = 10_000
PAGES = 16
"""Of the database, that a connection keeps in memory."""
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LEVELS_BY_ROLE: dict[str, int] = {role.value: level for role, level in ROLE_LEVELS.items()}
NO_LEVEL = -1
"""Below every level that a door asks for: what a service key has."""

QUERY = """
SELECT k.id, k.name, k.level, k.digest, k.pepper_id, k.account_id, k.created_at, k.expires_at,
       k.revoked_at, a.role, a.status, a.consent, a.username, k.kind, k.networks, k.not_before,
       k.max_idle, k.retires_at, k.calls_per_minute, k.calls_per_day, u.last_used_at
FROM api_keys k JOIN accounts a ON a.id = k.account_id LEFT JOIN key_usage u ON u.key_id = k.id
WHERE k.digest = {}
"""


class Outcome(StrEnum):
    """What the decision is. All but ``GOOD`` and ``UNKNOWN`` are told only to a holder.

    The last three are said at a door, which knows its level and its terms, and counts.
    """

    GOOD = "good"
    UNKNOWN = "authenticationFailed"
    NOT_YET = "apikeyNotYetValid"
    ADDRESS = "addressNotAllowed"
    EXPIRED = "apikeyExpired"
    REVOKED = "apikeyRevoked"
    BLOCKED = "accountBlocked"
    LOCKED = "accountLocked"
    CONSENT_LACKING = "consentLacking"
    LEVEL = "insufficientAccessLevel"
    METHOD = "methodNotPermitted"
    THROTTLED = "tooManyRequests"


class KeyFacts(NamedTuple):
    """What a check reads of a key and its owner; times are milliseconds since the epoch.

    ``max_idle`` is in seconds, ``networks`` as :mod:`portal.services.networks` keeps them.
    """

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
    username: str = ""
    kind: str = KeyKind.ACCOUNT.value
    networks: str = ""
    not_before: int | None = None
    max_idle: int | None = None
    retires_at: int | None = None
    calls_per_minute: int | None = None
    calls_per_day: int | None = None
    last_used_at: int | None = None

    @property
    def is_service(self) -> bool:
        """Whether it introspects the keys of others, and opens nothing else."""
        return self.kind == KeyKind.SERVICE

    @property
    def ends_at(self) -> int:
        """When it ends, as things stand: by its expiry, for its successor, or unused."""
        ends = self.expires_at if self.retires_at is None else min(self.expires_at, self.retires_at)
        if self.max_idle is None:
            return ends
        awake = max(self.created_at, self.not_before or 0, self.last_used_at or 0)
        return min(ends, awake + self.max_idle * 1000)

    def __repr__(self) -> str:
        return f"<KeyFacts {self.id}>"


class Decision(NamedTuple):
    """The answer: the outcome, the level that counts, and the key for whoever holds it."""

    outcome: Outcome
    level: int = NO_LEVEL
    key: KeyFacts | None = None
    key_id: str = ""


UNKNOWN = Decision(Outcome.UNKNOWN)


class Verifier:
    """Decides about keys for one application; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._peppers = settings.peppers
        self._prefix = settings.key_prefix
        self._reader = reader_for(settings)

    def decide(self, key_id: str, secret: str, address: str | None = None) -> Decision:
        """Decide about a key and its secret, used from an address, at this moment.

        ``key_id`` is a UUID in its canonical form, in any case. Whoever lacks the secret gets
        ``UNKNOWN`` after the same work, one digest and one read that finds nothing, whether
        there is such a key or not. Raises OperationalError when the database can't be read.
        """
        canonical = key_id.lower()
        if not CANONICAL_UUID.fullmatch(canonical):
            return UNKNOWN
        decision = self.decide_secret(secret, address)
        return decision if decision.key_id == canonical else UNKNOWN

    def decide_secret(self, secret: str, address: str | None = None) -> Decision:
        """Decide about a secret alone, as :meth:`decide` does.

        The key is found by the digest, which nobody can make without the pepper: what an index
        tells by its time is nothing that a stranger could use.
        """
        if not secrets.is_well_formed(secret, self._prefix):
            return UNKNOWN
        facts = self._find(secret)
        if facts is None:
            return UNKNOWN
        level = NO_LEVEL if facts.is_service else min(facts.level, LEVELS_BY_ROLE[facts.role])
        return Decision(outcome_of(facts, clock.now_ms(), address), level, facts, facts.id)

    def _find(self, secret: str) -> KeyFacts | None:
        """The key that this is the secret of; each pepper of the ring is tried."""
        for pepper_id, pepper in self._peppers.items():
            digest = secrets.digest(pepper, secret)
            facts = self._reader.find(digest)
            if facts is not None and facts.pepper_id == pepper_id and compare_digest(facts.digest, digest):
                return facts
        return None

    def close(self) -> None:
        """Close every connection; whoever decides again opens a new one."""
        self._reader.close()


def outcome_of(facts: KeyFacts, now_ms: int, address: str | None = None) -> Outcome:
    """What whoever holds the secret is told at this moment, at this address."""
    if facts.revoked_at is not None or (facts.retires_at is not None and now_ms >= facts.retires_at):
        return Outcome.REVOKED
    if now_ms >= facts.ends_at:
        return Outcome.EXPIRED
    if facts.status != Status.ACTIVE:
        return Outcome.LOCKED if facts.status == Status.LOCKED else Outcome.BLOCKED
    if facts.consent == Consent.NONE:
        return Outcome.CONSENT_LACKING
    if facts.not_before is not None and now_ms < facts.not_before:
        return Outcome.NOT_YET
    return Outcome.GOOD if networks.allows(facts.networks, address) else Outcome.ADDRESS


def reader_for(settings: Settings) -> Reader:
    """What reads the configured database; safe to share between threads."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        return SqliteReader(url.database or "")
    from portal.services.postgres_reader import PostgresReader  # noqa: PLC0415  # its driver takes 8 MB

    return PostgresReader(url.get_dialect()().create_connect_args(url)[1])


class SqliteReader:
    """Reads through a connection of its own, which never writes and which all threads share.

    What it has read it keeps until another connection has committed anything. Threads take
    turns: a read is shorter than a turn of the interpreter's own lock, and each further
    connection would keep the schema, the pages and the keys once more.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._kept: dict[bytes, KeyFacts] = {}

    def find(self, digest: bytes) -> KeyFacts | None:
        """The facts of the key with this digest; those read before, if nobody has written since.

        Raises OperationalError when the database can't be read.
        """
        with self._turn:
            try:
                connection = self._connection or self._open()
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != self._version:
                    self._kept.clear()
                    self._version = version
                return self._kept.get(digest) or self._read(connection, digest)
            except sqlite3.Error as error:
                self._close()
                raise OperationalError(None, None, error) from error

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        with self._turn:
            self._close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MS}")
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = {PAGES}")
        self._connection, self._version = connection, -1
        return connection

    def _read(self, connection: sqlite3.Connection, digest: bytes) -> KeyFacts | None:
        row = connection.execute(QUERY.format("?"), (digest,)).fetchone()
        if row is None:
            return None
        if len(self._kept) >= CACHED_KEYS:
            self._kept.clear()
        facts = self._kept[digest] = KeyFacts(str(UUID(row[0])), *row[1:])
        return facts

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
