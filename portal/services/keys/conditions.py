"""The conditions of a key: what may be asked for, and what a key hands on to those that it makes.

They are fixed at creation; :mod:`portal.services.verify.verifier` holds them at every door.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime

from portal.models import ApiKey, Environment
from portal.models.key import LONGEST_LIFE_MS, NOTE_LENGTH, SHORTEST_IDLE
from portal.permissions import Role
from portal.services.calls import rates
from portal.services.core import free_text
from portal.services.core.errors import InvalidInput
from portal.services.keys import audiences, networks

LONGEST_IDLE = LONGEST_LIFE_MS // 1000
"""Seconds; a longer rest than the longest life would be no condition."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a key is bound to; ``networks`` and ``audiences`` as they are kept, ``max_idle`` in seconds.

    The note is no condition, but private to the owner, and fixed as they are.
    """

    networks: str = ""
    audiences: str = ""
    not_before: datetime | None = None
    max_idle: int | None = None
    environment: Environment | None = None
    calls_per_minute: int | None = None
    calls_per_day: int | None = None
    note: str = ""


NONE = Conditions()
LIMITS = ("max_idle", "calls_per_minute", "calls_per_day")
"""Those that are numbers: the lower one binds to more."""


def check(asked: Conditions, role: Role) -> None:
    """Hold what was asked for against the rules; raises InvalidInput. Networks were read already."""
    if asked.max_idle is not None and not SHORTEST_IDLE <= asked.max_idle <= LONGEST_IDLE:
        raise InvalidInput("maxIdleInvalid", "max_idle")
    if len(asked.note) > NOTE_LENGTH:
        raise InvalidInput("noteTooLong", "note", maximum=NOTE_LENGTH)
    free_text.check(asked.note, "noteNotPrintable", "note", lines=True)
    rates.check_asked(role, asked.calls_per_minute, asked.calls_per_day)


def clean_note(text: str) -> str:
    """A note as it is kept: its ends trimmed, its lines ended alike."""
    return "\n".join(text.strip().splitlines())


def inherited(asked: Conditions, maker: ApiKey) -> Conditions:
    """What was asked for, and the maker's own where nothing was."""
    handed_on = ("networks", "audiences", *LIMITS)
    return replace(asked, **{name: getattr(asked, name) or getattr(maker, name) for name in handed_on})


def refuse_looser(asked: Conditions, maker: ApiKey) -> None:
    """Raise InvalidInput when a key would be bound to less than the one that makes it."""
    within = (
        networks.are_within(asked.networks, maker.networks)
        and audiences.are_within(asked.audiences, maker.audiences)
        and all(
            bound is None or (value is not None and value <= bound)
            for value, bound in ((getattr(asked, name), getattr(maker, name)) for name in LIMITS)
        )
    )
    if not within:
        raise InvalidInput("conditionsExceedKey", "conditions")


def like(old: ApiKey, now: datetime) -> Conditions:
    """The conditions of a key's successor; a first moment that has passed is not carried over."""
    kept = Conditions(**{each.name: getattr(old, each.name) for each in fields(Conditions)})
    return kept if kept.not_before and kept.not_before > now else replace(kept, not_before=None)
