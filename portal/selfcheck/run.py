"""Runs the promises, one after the other, and tells how each went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from config import Settings
from portal import clock
from portal.promises import PROMISES, Promise
from portal.selfcheck import doors, ends, keys, record, strangers
from portal.selfcheck.scratch import scratch
from portal.selfcheck.stage import Broken, Stage

Check = Callable[[Stage], None]

CHECKS: dict[str, Check] = {**keys.CHECKS, **ends.CHECKS, **doors.CHECKS, **strangers.CHECKS, **record.CHECKS}
"""How each promise is tried to be broken, by its id."""


@dataclass(frozen=True, slots=True)
class Result:
    """How it went: ``why`` says what was seen where a promise does not hold."""

    promise: Promise
    why: str = ""

    @property
    def held(self) -> bool:
        """Whether every attempt to break it failed."""
        return not self.why


def run(settings: Settings, ids: Sequence[str] = ()) -> Iterator[Result]:
    """Run these promises, or all of them, on a scratch installation; yield each result as it comes.

    Time stands still for this process until the last one was given, and only checks put it
    forward. Raises NoScratch, and DBAPIError when the database server is away.
    """
    chosen = [PROMISES[each] for each in ids or PROMISES]
    with _silence(), clock.taken_in_hand() as hands, scratch(settings) as made:
        for promise in chosen:
            hands.forward(hours=1)
            yield Result(promise, _why_broken(CHECKS[promise.id], Stage(made, hands)))


def _why_broken(check: Check, stage: Stage) -> str:
    """What was seen when a promise didn't hold; empty when it did.

    A check that can't be done to its end has proved nothing, so it counts as broken.
    """
    try:
        check(stage)
    except Broken as broken:
        return str(broken)
    except Exception as error:  # noqa: BLE001  # one that fails in an unforeseen way stops no other
        first = (str(error).splitlines() or [""])[0]
        return f"it could not be tried to the end: {type(error).__name__}: {first}"
    return ""


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing be logged meanwhile: what is refused on purpose is no news."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
