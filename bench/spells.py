"""What asking for a page gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Spell:
    """What asking for a page again and again gave; milliseconds, and bytes before compression."""

    path: str
    times: Sequence[float]
    size: int

    @property
    def p50(self) -> float:
        """Half of the answers took no longer."""
        return median(self.times)

    @property
    def p95(self) -> float:
        """Nineteen of twenty answers took no longer."""
        return quantiles(self.times, n=20)[-1]
