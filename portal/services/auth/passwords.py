"""Passwords: which ones are taken, and how they are kept.

The rules are those of NIST SP 800-63B-4: length and a block list, no composition rules,
nothing cut off, no forced change. They are kept as argon2id, with the parameters of the
OWASP password storage cheat sheet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
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
_SHORTEST_COMMON = 8
_SHORTEST_CONTEXT = 3
_SHORTEST_RUN = 4
_COMMON_IS_WORTH = 3
_RUN_IS_WORTH = 1
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "0123456789" * 2,
    "1234567890" * 2,
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
    "qwertzuiopü+asdfghjklöä#yxcvbnm,.-",
    "azertyuiopqsdfghjklmwxcvbn,;:!",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "qazwsxedcrfvtgbyhnujmikolp",
    "q1w2e3r4t5y6u7i8o9p0",
    "!@#$%^&*()_+",
)
_RUNS = tuple(row[::step] for row in _ROWS for step in (1, -1))

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
    """Refuse a password that is too short, too long or easy to guess.

    Lengths are code points after normalisation. ``context`` are words that a guesser knows:
    the address, the user's name; the portal's own is always among them. Raises InvalidInput with the code
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
    if folded in common_passwords():
        raise InvalidInput("passwordTooCommon", _FIELD)
    piece = _piece(folded)
    worth, found = _worth(piece, frozenset(_words([_PORTAL, *context])))
    if worth < _needed(shortest):
        raise InvalidInput(found or "passwordTooSimple", _FIELD)
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


def _needed(shortest: int) -> int:
    """How much a password must be worth in characters that nobody guesses: half its length."""
    return (shortest + 1) // 2


def _piece(text: str) -> str:
    """The shortest piece that the text is repetitions of (the last one may be cut short)."""
    for size in range(1, len(text) // 2 + 1):
        if text[size:] == text[:-size]:
            return text[:size]
    return text


def _words(context: Iterable[str]) -> Iterator[str]:
    for entry in context:
        folded = normalize("NFKC", entry).casefold()
        for word in {folded, *re.split(r"[^\w]+|_", folded)}:
            if len(word) >= _SHORTEST_CONTEXT:
                yield word


def _worth(text: str, words: frozenset[str]) -> tuple[int, str | None]:
    """Count the characters that have to be guessed, and tell what was easy to guess.

    What a guesser tries first counts little: a context word nothing, a run of the alphabet
    or the keyboard one character, a common password three; a second time nothing.
    """
    worth, position = 0, 0
    seen: set[str] = set()
    found: list[str] = []
    while position < len(text):
        size, value, code = _guessable(text, position, words)
        chunk = text[position : position + size]
        worth += 0 if code and chunk in seen else value
        if code:
            seen.add(chunk)
            found.append(code)
        position += size
    order = ("passwordHasContext", "passwordTooCommon", "passwordTooSimple")
    return worth, min(found, key=order.index, default=None)


def _guessable(text: str, start: int, words: frozenset[str]) -> tuple[int, int, str | None]:
    """The longest guessable chunk at ``start``: its size, its worth and its code."""
    chunks: list[tuple[int, int, str | None]] = [(1, 1, None)]
    if context := max((len(word) for word in words if text.startswith(word, start)), default=0):
        chunks.append((context, 0, "passwordHasContext"))
    if (run := _run(text, start)) >= _SHORTEST_RUN:
        chunks.append((run, _RUN_IS_WORTH, "passwordTooSimple"))
    common = common_passwords()
    for size in range(min(len(text) - start, 32), _SHORTEST_COMMON - 1, -1):
        if text[start : start + size] in common:
            chunks.append((size, _COMMON_IS_WORTH, "passwordTooCommon"))
            break
    return max(chunks, key=lambda chunk: (chunk[0], -chunk[1]))


def _run(text: str, start: int) -> int:
    """How many characters from ``start`` on are one character again and again, or a row."""
    same = 1
    while start + same < len(text) and text[start + same] == text[start]:
        same += 1
    longest = same
    for row in _RUNS:
        size = longest + 1
        while start + size <= len(text) and text[start : start + size] in row:
            longest, size = size, size + 1
    return longest
