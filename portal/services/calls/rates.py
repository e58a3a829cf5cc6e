"""How many calls a role's keys may make, and what a key's own limits leave of it."""

from __future__ import annotations

from typing import NamedTuple

from config import Settings
from portal.extensions import settings as current_settings
from portal.permissions import Role
from portal.services.core.errors import InvalidInput


class Rates(NamedTuple):
    """Calls in a minute and in a day."""

    per_minute: int
    per_day: int


def rates_by_role(settings: Settings) -> dict[str, Rates]:
    """What each role's keys may do."""
    return {role.value: Rates(settings.calls_per_minute[role], settings.calls_per_day[role]) for role in Role}


def narrowed(rates: Rates, per_minute: int | None, per_day: int | None) -> Rates:
    """The limits that count: the key's own where they are lower."""
    return Rates(
        min(rates.per_minute, per_minute or rates.per_minute), min(rates.per_day, per_day or rates.per_day)
    )


def check_asked(role: Role, per_minute: int | None, per_day: int | None) -> None:
    """Hold the limits that a new key shall have against its owner's role.

    None asks for the role's. Raises InvalidInput with callsPerMinuteInvalid or
    callsPerDayInvalid, and the ``maximum`` in its details.
    """
    rates = rates_by_role(current_settings)[role.value]
    for code, field, asked, highest in (
        ("callsPerMinuteInvalid", "calls_per_minute", per_minute, rates.per_minute),
        ("callsPerDayInvalid", "calls_per_day", per_day, rates.per_day),
    ):
        if asked is not None and not 1 <= asked <= highest:
            raise InvalidInput(code, field, maximum=highest)
