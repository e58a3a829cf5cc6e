"""What a caller asks of a new key, read field by field; the rules are held by the services."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal import clock
from portal.api import body
from portal.models import Environment, KeyKind
from portal.permissions import HIGHEST_LEVEL, LONGEST_LIFE
from portal.services.core.errors import InvalidInput
from portal.services.keys.audiences import parse_audiences
from portal.services.keys.conditions import Conditions, clean_note
from portal.services.keys.issuing import NO_ACCESS
from portal.services.keys.networks import parse_networks


def read_basics(found: dict[str, Any]) -> tuple[str, int, int]:
    """Name, level and seconds of life, in the order in which the contract checks them.

    A service key has no level of its own, so there it may be left out.
    """
    name = body.text(found, "name")
    if name is None or not name.strip():
        raise InvalidInput("nameMissing", "name")
    if found.get("level") is None and found.get("kind") == KeyKind.SERVICE:
        return name, NO_ACCESS, _seconds(found)
    if found.get("level") is None:
        raise InvalidInput("levelMissing", "level")
    level = body.number(found, "level")
    if level is None:
        raise InvalidInput("levelNotNumeric", "level")
    if not isinstance(level, int) or not 0 <= level <= HIGHEST_LEVEL:
        raise InvalidInput("invalidLevel", "level")
    return name, level, _seconds(found)


def read_kind(found: dict[str, Any]) -> KeyKind:
    """What the key is for; for its owner's access, unless it is said."""
    text = body.text(found, "kind") or KeyKind.ACCOUNT
    if text not in set(KeyKind):
        raise InvalidInput("kindInvalid", "kind")
    return KeyKind(text)


def read_conditions(found: dict[str, Any]) -> Conditions:
    """What the key shall be bound to; all of it may be left out, or be null."""
    return Conditions(
        networks=parse_networks(_texts(found, "networks")),
        audiences=parse_audiences(_texts(found, "audiences")),
        not_before=_moment(found),
        max_idle=_whole(found, "maxIdle", "maxIdleInvalid"),
        environment=_environment(found),
        note=clean_note(body.text(found, "note") or ""),
        calls_per_minute=_calls(found, "callsPerMinute"),
        calls_per_day=_calls(found, "callsPerDay"),
    )


def _seconds(found: dict[str, Any]) -> int:
    if found.get("expiresIn") is None:
        raise InvalidInput("expiresInMissing", "expires")
    seconds = body.number(found, "expiresIn")
    if not isinstance(seconds, int) or seconds <= 0:
        raise InvalidInput("expiresInNotNumeric", "expires")
    if seconds > LONGEST_LIFE.total_seconds():
        raise InvalidInput("expiresInHigherThanMaximum", "expires", days=LONGEST_LIFE.days)
    return seconds


def _texts(found: dict[str, Any], name: str) -> list[str]:
    given = found.get(name)
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidInput("fieldInvalid", name)
    return given


def _moment(found: dict[str, Any]) -> datetime | None:
    text = body.text(found, "notBefore")
    if text is None:
        return None
    try:
        return clock.from_ms(clock.to_ms(datetime.fromisoformat(text)))
    except (ValueError, OverflowError) as error:
        raise InvalidInput("notBeforeInvalid", "notBefore") from error


def _environment(found: dict[str, Any]) -> Environment | None:
    text = body.text(found, "environment")
    if text is not None and text not in set(Environment):
        raise InvalidInput("environmentInvalid", "environment")
    return None if text is None else Environment(text)


def _calls(found: dict[str, Any], name: str) -> int | None:
    """A limit of calls; what is no whole number is asked for as 0, which the rules refuse."""
    if found.get(name) is None:
        return None
    calls = body.number(found, name)
    return calls if isinstance(calls, int) else 0


def _whole(found: dict[str, Any], name: str, code: str) -> int | None:
    if found.get(name) is None:
        return None
    number = body.number(found, name)
    if not isinstance(number, int):
        raise InvalidInput(code, name)
    return number
