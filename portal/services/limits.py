"""Limits as named questions: may this be done now, and if not, when?

They slow the source, never the owner: see docs/decisions/0004-limits.md. A question
counts what it allows, exactly across workers and machines, in one short transaction of
its own, so that the count stays when the act fails. Ask before the use case's own
transaction begins, never inside it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from unicodedata import normalize
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, TextClause, text

from portal import clock
from portal.extensions import db, settings

MINUTE = 60
HOUR = 60 * MINUTE


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

# The figures, all of them. The first of each group is the source's own.
SIGN_IN_OWN = Limit("sign-in by name and source", 10, 15 * MINUTE)
SIGN_IN_SOURCE = Limit("sign-in by source", 50, 15 * MINUTE)
SIGN_IN_NAME = Limit("sign-in by name", 100, 15 * MINUTE, spares=3)
SIGN_IN_ALL = Limit("sign-in", 3000, 15 * MINUTE, spares=3)
PROVE_OWN = Limit("proof by account and source", 10, 15 * MINUTE)
SIGN_UP_OWN = Limit("sign-up by address and source", 5, HOUR)
SIGN_UP_SOURCE = Limit("sign-up by source", 20, HOUR)
SIGN_UP_ALL = Limit("sign-up", 1000, HOUR, spares=1)
RESET_OWN = Limit("reset by address and source", 5, HOUR)
RESET_SOURCE = Limit("reset by source", 20, HOUR)
RESET_ALL = Limit("reset", 1000, HOUR, spares=1)
MAIL_RECIPIENT = Limit("mail by recipient", 6, HOUR)
CONFIRM_SOURCE = Limit("confirm by source", 60, HOUR)
CONFIRM_ALL = Limit("confirm", 3000, HOUR, spares=5)
ISSUE_ACCOUNT = Limit("issue by account", 60, HOUR)
LEAK_SOURCE = Limit("leak report by source", 60, HOUR)
LEAK_ALL = Limit("leak report", 3000, HOUR, spares=5)
SIGNATURE_SOURCE = Limit("wrong signature by source", 60, MINUTE)
KEY_CHECK_SOURCE = Limit("failed key check by source", 60, MINUTE)
KEY_CHECK_ALL = Limit("failed key check", 6000, MINUTE, spares=10)

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


def may_sign_in(address: str, username: str) -> Answer:
    """Count a try to sign in; call :func:`signed_in` when it was a good one."""
    return _ask(_sign_in_counters(address, username))


def signed_in(address: str, username: str) -> None:
    """Give back the try that :func:`may_sign_in` counted: only failures slow a source."""
    _give_back(_sign_in_counters(address, username))


def may_prove(address: str, account_id: int) -> Answer:
    """Count a try to prove the current password in a session; :func:`proved` gives it back."""
    return _ask([_counter(PROVE_OWN, account_id, source(address))])


def proved(address: str, account_id: int) -> None:
    """Give back the try that :func:`may_prove` counted."""
    _give_back([_counter(PROVE_OWN, account_id, source(address))])


def may_sign_up(address: str, email: str) -> Answer:
    """Count a sign-up, for a free address as for a taken one."""
    origin = source(address)
    return _ask(
        [
            _counter(SIGN_UP_OWN, _folded(email), origin),
            _counter(SIGN_UP_SOURCE, origin),
            _counter(SIGN_UP_ALL),
        ]
    )


def may_reset(address: str, email: str) -> Answer:
    """Count a request for a link by mail, for a known address as for an unknown one."""
    origin = source(address)
    return _ask(
        [
            _counter(RESET_OWN, _folded(email), origin),
            _counter(RESET_SOURCE, origin),
            _counter(RESET_ALL),
        ]
    )


def may_send_mail(recipient: str) -> Answer:
    """Count a mail that a stranger can cause.

    When it may not be sent, send none and answer as ever: the links of the mails that
    were sent in this hour still work, so nobody is locked out.
    """
    return _ask([_counter(MAIL_RECIPIENT, _folded(recipient))])


def may_confirm(address: str) -> Answer:
    """Count the use of a mailed link."""
    return _ask([_counter(CONFIRM_SOURCE, source(address)), _counter(CONFIRM_ALL)])


def may_issue_key(account_id: int) -> Answer:
    """Count a key that an account makes."""
    return _ask([_counter(ISSUE_ACCOUNT, account_id)])


def may_report_leaks(address: str) -> Answer:
    """Count a report of leaked secrets, whatever it finds."""
    return _ask([_counter(LEAK_SOURCE, source(address)), _counter(LEAK_ALL)])


def failed_signature(address: str) -> Answer:
    """Count a report whose signature is not GitHub's; a good one passes from a slow source too."""
    return _failed(_counter(SIGNATURE_SOURCE, source(address)))


def failed_key_check(address: str) -> Answer:
    """Count a failed key check. Once a source is slow, nothing is written until it no longer is.

    Ask only after a failure: a good secret passes from a slow source too.
    """
    return _failed(_counter(KEY_CHECK_SOURCE, source(address)), _counter(KEY_CHECK_ALL))


def forget_expired() -> int:
    """Delete the counters whose window is over and tell how many; for the jobs."""
    with _connect() as connection:
        deleted = connection.execute(text(_FORGET), {"now": clock.now_ms()}).rowcount
        connection.commit()
    return deleted


def source(address: str) -> str:
    """What a limit takes for one source: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


_Counter = tuple[Limit, str]


def _sign_in_counters(address: str, username: str) -> list[_Counter]:
    origin, name = source(address), _folded(username)
    return [
        _counter(SIGN_IN_OWN, name, origin),
        _counter(SIGN_IN_SOURCE, origin),
        _counter(SIGN_IN_NAME, name),
        _counter(SIGN_IN_ALL),
    ]


def _counter(limit: Limit, *subject: object) -> _Counter:
    """Name a counter. Its subject is digested: the table tells no address and no name."""
    digest = blake2b(digest_size=16, key=settings.secret_key.encode()[:64])
    for part in (limit.name, *subject):
        digest.update(f"{part}\0".encode("utf-8", "replace"))
    return limit, f"{limit.name}:{digest.hexdigest()}"


def _failed(own: _Counter, *others: _Counter) -> Answer:
    """Count a failure; a source that this process knows to be slow costs no look at the database."""
    known = _slowed.get(db.engine) or {}
    answer = _no_until(known.get(own[1], 0), clock.now_ms())
    if not answer and settings.limits_enabled:
        return answer
    answer = _ask([own, *others])
    if not answer:
        _remember(own[1], clock.now_ms() + answer.retry_after * 1000)
    return answer


def _folded(text_: str) -> str:
    return normalize("NFKC", text_.strip()).casefold()


def _ask(counters: list[_Counter]) -> Answer:
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


def _upsert(counters: Iterable[_Counter], now: int) -> tuple[TextClause, dict[str, object]]:
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


def _give_back(counters: list[_Counter]) -> None:
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
