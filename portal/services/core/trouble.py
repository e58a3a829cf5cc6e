"""When the database can't be used: what that means, what the driver says of it, and when it is over."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

STAYS_FULL = 30.0
"""Seconds for which a full disk is believed: in what is written already there may be room for a row."""
SWALLOWED_EVERY = 60.0
"""Seconds between two lines about the same failure at the same place, which a stranger may cause."""
_NO_WRITING = ("read-only", "readonly", "hot standby", "recovery")
_NO_ROOM = ("disk is full", "No space left")
_NO_TABLE = ("no such table", "no such column")
_DAMAGED = ("malformed", "not a database")

_HOME = Path(__file__).parents[3]

log = structlog.get_logger(__name__)


class Readiness(StrEnum):
    """What there is to say to a probe."""

    READY = "ready"
    NO_DATABASE = "database unreachable"
    OTHER_SCHEMA = "schema not at head"
    READ_ONLY = "database read-only"
    FULL = "database full"
    NO_RIGHTS = "database refuses the portal's user"
    DAMAGED = "database damaged"
    UNSAFE = "database settings unsafe"
    UNGUARDED = "guards of the database missing or changed"
    BROKEN_RULE = "a row breaks a rule"
    WRONG_PEPPER = "a pepper is wrong or missing"


@dataclass(slots=True)
class _Trouble:
    """What is wrong, since when, and when it was last seen; by the steady clock."""

    found: Readiness
    since: float
    seen_at: float


_troubles: WeakKeyDictionary[Engine, _Trouble] = WeakKeyDictionary()


def is_of_the_statement(error: DBAPIError) -> bool:
    """Whether a statement was refused for what it asks, so that the database itself is well."""
    return isinstance(error, IntegrityError | DataError)


def readiness_of(error: DBAPIError) -> Readiness:
    """What an error of the database means, by the driver's own words and PostgreSQL's codes."""
    told, state = str(error.orig), str(getattr(error.orig, "sqlstate", None) or "")
    if state == "25006" or any(word in told for word in _NO_WRITING):
        return Readiness.READ_ONLY
    if state == "53100" or any(word in told for word in _NO_ROOM):
        return Readiness.FULL
    if state == "42501":
        return Readiness.NO_RIGHTS
    if state[:2] in {"42", "3F"} or any(word in told for word in _NO_TABLE):
        return Readiness.OTHER_SCHEMA
    if state[:2] == "XX" or any(word in told for word in _DAMAGED):
        return Readiness.DAMAGED
    return Readiness.NO_DATABASE


def words_of(error: BaseException) -> str:
    """What the driver says, in one line: PostgreSQL's first sentence, without the rows that it shows."""
    said = getattr(error, "orig", None) or error
    sentence = getattr(getattr(said, "diag", None), "message_primary", None) or str(said)
    return " ".join(sentence.split()) or type(said).__name__


def note(engine: Engine, error: DBAPIError) -> Readiness:
    """Log what the driver says, and remember it until something can be written again."""
    found, now = readiness_of(error), time.monotonic()
    log.error("database.away", why=words_of(error), found=found.value)
    trouble = _troubles.setdefault(engine, _Trouble(found, now, now))
    trouble.found, trouble.seen_at = found, now
    return found


def lately(engine: Engine) -> Readiness | None:
    """A full disk that somebody met a moment ago; what else there may be is asked for anew."""
    trouble = _troubles.get(engine)
    if trouble is None or trouble.found is not Readiness.FULL:
        return None
    return Readiness.FULL if time.monotonic() - trouble.seen_at < STAYS_FULL else None


def watch(engine: Engine) -> None:
    """Tell, in the log, when something could be written again."""
    event.listen(engine, "commit", _written)


def _written(connection: Connection) -> None:
    trouble = _troubles.get(connection.engine)
    if trouble is None or not connection.get_execution_options().get("portal_writes"):
        return
    if lately(connection.engine) is None:
        del _troubles[connection.engine]
        seconds = round(time.monotonic() - trouble.since)
        log.warning("database.back", after=seconds, was=trouble.found.value)


@dataclass(slots=True)
class _Swallowed:
    """How often the same was swallowed since it was told, and when that was."""

    times: int = 0
    told_at: float = float("-inf")


_swallowed: dict[tuple[str, str], _Swallowed] = {}
"""By the kind of a failure and its place in the code, so that there are only so many."""


def tell_swallowed(error: Exception, instead: str) -> None:
    """Log that a failure is passed over, and what happens ``instead``.

    By its kind and place, never in its words, which may quote a secret; the same once a minute,
    with how often it was met since.
    """
    kind, place = type(error).__name__, _place_of(error)
    known = _swallowed.setdefault((kind, place), _Swallowed())
    known.times += 1
    now = time.monotonic()
    if now - known.told_at >= SWALLOWED_EVERY:
        log.warning("swallowed", error=kind, place=place, instead=instead, times=known.times)
        known.times, known.told_at = 0, now


def _place_of(error: Exception) -> str:
    """The last line of the portal's own code that the failure went through."""
    frames = traceback.walk_tb(error.__traceback__)
    places = [(Path(frame.f_code.co_filename), line) for frame, line in frames]
    own = [
        f"{path.relative_to(_HOME)}:{line}" for path, line in places if path.is_relative_to(_HOME / "portal")
    ]
    return own[-1] if own else "unknown"
