"""Passwords: which ones are taken, and how they are kept.

The rules are those of NIST SP 800-63B-4: length, a block list that the whole password is looked up
in, and words of its context (decision 30); no composition rules, no forced change, nothing cut off.
They are kept as argon2id, with the parameters of the
OWASP password storage cheat sheet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import TypeVar
from unicodedata import normalize

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from portal.services.core.errors import InvalidInput, RuleError

SHORTEST = 15
SHORTEST_WITH_SECOND_FACTOR = 8
LONGEST = 256

HASHES_AT_ONCE = 2
LONGEST_WAIT = 5.0
"""Seconds that a hash waits for its turn before the portal says that it is busy."""

_FIELD = "password"
_PORTAL = "chatelaine"
_LIST = Path(__file__).parents[2] / "data" / "common_passwords.txt"
_SHORTEST_CONTEXT = 3

_hasher = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
_NOBODYS = f"$argon2id$v=19$m={_hasher.memory_cost},t=2,p=1${'A' * 22}${'A' * 43}"
"""A hash that no password has: checking against it takes as long as against a real one."""

_turns = BoundedSemaphore(HASHES_AT_ONCE)
_threads = ThreadPoolExecutor(HASHES_AT_ONCE, "hashes")
"""Nothing else hashes: the C library keeps a hash's memory for the thread that made it, so the
threads of the server would hold 19 MiB each."""

Result = TypeVar("Result")


def check_password(password: str, *, second_factor: bool, context: Iterable[str] = ()) -> None:
    """Refuse a password that is too short, too long or among the first that are guessed.

    Lengths are code points after normalisation. ``context`` are words that a guesser knows:
    the email, the user's name; the portal's own is always among them. Raises InvalidInput with the code
    passwordTooShort or passwordTooLong (``limit`` in its details), passwordTooCommon,
    passwordHasContext or passwordTooSimple.
    """
    shortest = SHORTEST_WITH_SECOND_FACTOR if second_factor else SHORTEST
    normal = _normal(password)
    if len(normal) < shortest:
        raise InvalidInput("passwordTooShort", _FIELD, limit=shortest)
    if len(normal) > LONGEST:
        raise InvalidInput("passwordTooLong", _FIELD, limit=LONGEST)
    folded = normal.casefold()
    piece = _piece(folded)
    own = _without_context(piece, context)
    if {folded, piece} & common_passwords():
        raise InvalidInput("passwordTooCommon", _FIELD)
    if own != piece and (len(own) < SHORTEST_WITH_SECOND_FACTOR or own in common_passwords()):
        raise InvalidInput("passwordHasContext", _FIELD)
    if len(piece) < shortest:
        raise InvalidInput("passwordTooSimple", _FIELD)


def hash_password(password: str) -> str:
    """Make the argon2id hash that is kept. RuleError ``busy`` when too many are being made."""
    return _in_turn(lambda: _hasher.hash(_normal(password)))


def verify_password(kept: str | None, password: str) -> bool:
    """Whether the password is the one. It takes as long when none is kept.

    RuleError ``busy`` when too many are being checked.
    """
    normal = _normal(password)
    try:
        _in_turn(lambda: _hasher.verify(kept or _NOBODYS, normal))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None and len(normal) <= LONGEST


def needs_rehash(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@cache
def common_passwords() -> frozenset[str]:
    """The block list, read once, when it is first needed."""
    lines = _LIST.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("# "))


def _in_turn(work: Callable[[], Result]) -> Result:
    if not _turns.acquire(timeout=LONGEST_WAIT):
        raise RuleError("busy")
    try:
        return _threads.submit(work).result()
    finally:
        _turns.release()


def _normal(password: str) -> str:
    """NFKC, so that one password is one, whatever keyboard it is typed on; no lone surrogates."""
    return normalize("NFKC", password).encode("utf-8", "replace").decode()


def _piece(text: str) -> str:
    """The shortest piece that the text is repetitions of (the last one may be cut short)."""
    for size in range(1, len(text) // 2 + 1):
        if text[size:] == text[:-size]:
            return text[:size]
    return text


def _without_context(text: str, context: Iterable[str]) -> str:
    """The text without the words that a guesser knows: each entry whole, and its parts."""
    words: set[str] = set()
    for entry in (_PORTAL, *context):
        folded = _normal(entry).casefold()
        words |= {folded, *re.split(r"[\W_]+", folded)}
    known = sorted((each for each in words if len(each) >= _SHORTEST_CONTEXT), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, known)), "", text)
