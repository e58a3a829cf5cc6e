"""What limits rest on: counters in the database, counted all together or not at all.

A count is exact across workers and machines: one upsert in one short transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, TextClause, text

from portal import clock
from portal.extensions import db, settings


@dataclass(frozen=True, slots=True)
class Limit:
    """``amount`` times in ``seconds``, counted from the first time.

    With ``spares`` the limit is shared by many sources. When it is used up, it refuses only
    a source that has used that many of its own tries, so a stranger can't use up the owner's.
    """

    name: str
    amount: int
    seconds: int
    spares: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether it may be done; if not, in how many whole seconds it may."""

    allowed: bool
    retry_after: int = 0

    def __bool__(self) -> bool:
        return self.allowed


YES = Answer(True)

_COUNT = """
INSERT INTO limit_counters (name, hits, expires_at) VALUES {rows}
ON CONFLICT (name) DO UPDATE SET
  hits = CASE WHEN limit_counters.expires_at <= :now THEN 1 ELSE limit_counters.hits + 1 END,
  expires_at = CASE WHEN limit_counters.expires_at <= :now
                    THEN excluded.expires_at ELSE limit_counters.expires_at END
RETURNING name, hits, expires_at
"""
_GIVE_BACK = "UPDATE limit_counters SET hits = hits - 1 WHERE name = :name AND hits > 0"
_FORGET = "DELETE FROM limit_counters WHERE expires_at <= :now"

_MOST_REMEMBERED = 20_000
_slowed: WeakKeyDictionary[Engine, dict[str, int]] = WeakKeyDictionary()
_lock = Lock()

Counter = tuple[Limit, str]
"""A limit, and the name of the row that counts for one subject of it."""


def counter(limit: Limit, *subject: object) -> Counter:
    """Name a counter. Its subject is digested: the table tells no address and no name."""
    digest = blake2b(digest_size=16, key=settings.secret_key.get_secret_value().encode()[:64])
    for part in (limit.name, *subject):
        digest.update(f"{part}\0".encode("utf-8", "replace"))
    return limit, f"{limit.name}:{digest.hexdigest()}"


def ask_failed(own: Counter, *others: Counter) -> Answer:
    """Count a failure; a source that this process knows to be slow costs no look at the database."""
    known = _slowed.get(db.engine) or {}
    answer = _no_until(known.get(own[1], 0), clock.now_ms())
    if not answer and settings.limits_enabled:
        return answer
    answer = ask([own, *others])
    if not answer:
        _remember(own[1], clock.now_ms() + answer.retry_after * 1000)
    return answer


def ask(counters: list[Counter]) -> Answer:
    """Count one more on all counters, or on none of them when one says no."""
    if not settings.limits_enabled:
        return YES
    now = clock.now_ms()
    with _connect() as connection:
        found = {
            name: (hits, expires_at) for name, hits, expires_at in connection.execute(*_upsert(counters, now))
        }
        until = _refused_until([(limit, *found[name]) for limit, name in counters])
        if not until:
            connection.commit()
    return _no_until(until, now)


@contextmanager
def _connect() -> Iterator[Connection]:
    """Open a connection of its own for a short write.

    The session's is given back first: were every thread to hold one and wait for a second,
    none would get it.
    """
    if db.session.info.get("portal_writing"):
        raise RuntimeError("limits are asked before a transaction, not inside it")
    db.session.rollback()
    with db.engine.connect().execution_options(portal_writes=True) as connection:
        try:
            yield connection
        except BaseException:
            connection.rollback()  # after a commit that failed, closing alone keeps the transaction open
            raise


def _upsert(counters: Iterable[Counter], now: int) -> tuple[TextClause, dict[str, object]]:
    """One upsert for all counters, in the order of their names so that no two of them deadlock."""
    values: dict[str, object] = {"now": now}
    rows = []
    for index, (limit, name) in enumerate(sorted(counters, key=lambda each: each[1])):
        rows.append(f"(:name{index}, 1, :end{index})")
        values |= {f"name{index}": name, f"end{index}": now + limit.seconds * 1000}
    return text(_COUNT.format(rows=", ".join(rows))), values


def _refused_until(counted: list[tuple[Limit, int, int]]) -> int:
    """When the last of the limits that refuse lets the source pass again; 0 when none does."""
    own_hits, own_end = counted[0][1:]
    until = 0
    for limit, hits, end in counted:
        if hits <= limit.amount:
            continue
        if limit.spares is None:
            until = max(until, end)
        elif own_hits > limit.spares:
            until = max(until, min(end, own_end))
    return until


def _no_until(until: int, now: int) -> Answer:
    return Answer(False, -(-(until - now) // 1000)) if until > now else YES


def give_back(counters: list[Counter]) -> None:
    """Count one less on all counters."""
    if not settings.limits_enabled:
        return
    with _connect() as connection:
        for _limit, name in sorted(counters, key=lambda each: each[1]):
            connection.execute(text(_GIVE_BACK), {"name": name})
        connection.commit()


def _remember(name: str, until: int) -> None:
    with _lock:
        known = _slowed.setdefault(db.engine, {})
        if len(known) >= _MOST_REMEMBERED:
            now = clock.now_ms()
            for old in [each for each, end in known.items() if end <= now]:
                del known[old]
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
        known[name] = until


def forget_expired() -> int:
    """Delete the counters whose window is over and tell how many; for the jobs."""
    with _connect() as connection:
        deleted = connection.execute(text(_FORGET), {"now": clock.now_ms()}).rowcount
        connection.commit()
    return deleted
