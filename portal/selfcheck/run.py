"""Runs the promises, one after the other, and tells how each went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from flask import Flask

from portal import clock
from portal.promises import PROMISES, Promise
from portal.selfcheck import (
    access,
    at_once,
    audit_log,
    bounds,
    doors,
    ends,
    installation,
    keys,
    levels,
    lines,
    secret,
    sites,
    strangers,
)
from portal.selfcheck.answers import Broken
from portal.selfcheck.scratch import scratch
from portal.selfcheck.stage import Stage

T = TypeVar("T")
Check = Callable[[Stage], None]

ROOMS = (keys, secret, ends, at_once, lines, doors, bounds, levels, access, strangers, sites, audit_log)
CHECKS: dict[str, Check] = {name: check for room in ROOMS for name, check in room.CHECKS.items()}
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


def run(app: Flask, ids: Sequence[str] = ()) -> Iterator[Result]:
    """Run these promises, or all of them; yield each result as it comes.

    What they rest on is looked at in this installation; the rest is tried on a scratch one, where
    time stands still for this process until the last result was given, and only checks put it
    forward. Raises NoScratch, and DBAPIError when the database server is away.
    """
    chosen = [PROMISES[each] for each in ids or PROMISES]
    of_this = [promise for promise in chosen if promise.id in installation.CHECKS]
    with _silence():
        for promise in of_this:
            yield Result(promise, _why_broken(installation.CHECKS[promise.id], app))
        if len(of_this) == len(chosen):
            return
        with clock.freeze() as hands, scratch(app.config["PORTAL"]) as created:
            for promise in [each for each in chosen if each not in of_this]:
                hands.forward(hours=1)
                yield Result(promise, _why_broken(CHECKS[promise.id], Stage(created, hands)))


def _why_broken(check: Callable[[T], None], stage: T) -> str:
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
