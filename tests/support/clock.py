"""The time, which a test may move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

from portal import clock


class Clock:
    """Moves the time of this process; it goes on ticking unless it is stopped."""

    def __init__(self, travel: time_machine.Traveller) -> None:
        self._travel = travel

    def forward(self, **span: float) -> None:
        """Go forward by so many days, hours, minutes or seconds."""
        self._travel.shift(timedelta(**span))

    def back(self, **span: float) -> None:
        """Set the wall clock back, as a wrong time server does; the portal has seen the later moment."""
        self._travel.shift(-timedelta(**span))

    def to(self, moment: datetime) -> None:
        """Go to an aware moment, and stop there; what the portal has seen is forgotten."""
        clock.forget()
        assert moment.tzinfo, "a naive time has no place here"
        self._travel.move_to(moment, tick=False)

    def stop(self) -> None:
        """Stand still from now on."""
        self._travel.move_to(self.now(), tick=False)

    @staticmethod
    def now() -> datetime:
        """What time it is."""
        return datetime.now(UTC)


def travel() -> Any:
    """Start at the true time, ticking."""
    return time_machine.travel(datetime.now(UTC), tick=True)
