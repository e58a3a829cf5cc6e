"""Is this key good, and for what? The one decision that every door asks for.

The checks stand in the order that costs a stranger the most and the portal the least:
shape and checksum first, which need no database; then the digest; then one indexed read.
What is revoked anywhere is refused here at the next check: PostgreSQL is read each time;
on SQLite rows are kept in memory only while ``PRAGMA data_version``, asked at each check,
says that no other connection has written since.
"""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sqlalchemy.engine import make_url

from config import Settings
from portal import clock
from portal.models import AccountStatus, Consent
from portal.permissions import ROLE_LEVELS
from portal.services.core.outcomes import NO_LEVEL, Outcome
from portal.services.keys import networks, secrets
from portal.services.verify.key_record import VerifiedKey
from portal.services.verify.sqlite_reader import SqliteReader

if TYPE_CHECKING:
    from portal.services.verify.postgres_reader import PostgresReader

Reader: TypeAlias = "SqliteReader | PostgresReader"

CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LEVELS_BY_ROLE: dict[str, int] = {role.value: level for role, level in ROLE_LEVELS.items()}


class Decision(NamedTuple):
    """The answer: the outcome, the level that counts, and the key for whoever holds it."""

    outcome: Outcome
    level: int = NO_LEVEL
    key: VerifiedKey | None = None


UNKNOWN = Decision(Outcome.UNKNOWN)


class Verifier:
    """Decides about keys for one application; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._peppers = settings.peppers.get_secret_value()
        self._prefix = settings.key_prefix
        self._reader = reader_for(settings)

    def decide(self, key_id: str, secret: str, ip_address: str | None = None) -> Decision:
        """Decide about a key and its secret, used from an address, at this moment.

        ``key_id`` is a UUID in its canonical form, in any case. Whoever lacks the secret gets
        ``UNKNOWN`` after the same work, one digest and one read that finds nothing, whether
        there is such a key or not. Raises OperationalError when the database can't be read.
        """
        canonical = key_id.lower()
        if not CANONICAL_UUID.fullmatch(canonical):
            return UNKNOWN
        decision = self.decide_secret(secret, ip_address)
        return decision if decision.key is not None and decision.key.id == canonical else UNKNOWN

    def decide_secret(self, secret: str, ip_address: str | None = None) -> Decision:
        """Decide about a secret alone, as :meth:`decide` does.

        The key is found by the digest, which nobody can make without the pepper: what an index
        tells by its time is nothing that a stranger could use.
        """
        if not secrets.is_well_formed(secret, self._prefix):
            return UNKNOWN
        facts = self._find(secret)
        if facts is None:
            return UNKNOWN
        return Decision(outcome_of(facts, clock.now_ms(), ip_address), level_of(facts), facts)

    def read(self, digest: bytes) -> tuple[VerifiedKey | None, bool]:
        """The key of a digest, as every decision reads it; and whether its pepper is in the ring.

        Raises OperationalError when the database can't be read.
        """
        facts = self._reader.find(digest)
        return facts, facts is not None and facts.pepper_id in self._peppers

    def _find(self, secret: str) -> VerifiedKey | None:
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


def level_of(facts: VerifiedKey) -> int:
    """The level that counts: the lower of the key's own and its owner's; a service key has none."""
    return NO_LEVEL if facts.is_service else min(facts.level, LEVELS_BY_ROLE[facts.role])


def outcome_of(facts: VerifiedKey, now_ms: int, ip_address: str | None = None) -> Outcome:
    """What whoever holds the secret is told at this moment, at this address."""
    if facts.revoked_at is not None or (facts.retires_at is not None and now_ms >= facts.retires_at):
        return Outcome.REVOKED
    if now_ms >= facts.ends_at:
        return Outcome.EXPIRED
    if facts.status != AccountStatus.ACTIVE:
        return Outcome.LOCKED if facts.status == AccountStatus.LOCKED else Outcome.BLOCKED
    if facts.consent == Consent.NONE:
        return Outcome.CONSENT_LACKING
    if facts.not_before is not None and now_ms < facts.not_before:
        return Outcome.NOT_YET
    return Outcome.GOOD if networks.allows(facts.networks, ip_address) else Outcome.ADDRESS


def reader_for(settings: Settings) -> Reader:
    """What reads the configured database; safe to share between threads."""
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        return SqliteReader(url.database or "")
    from portal.services.verify.postgres_reader import PostgresReader  # noqa: PLC0415  # its driver takes 8 MB

    return PostgresReader(url.get_dialect()().create_connect_args(url)[1], is_pooled=settings.is_pooled)
