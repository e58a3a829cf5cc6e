"""The table of a run, and whether it reaches what it aims at."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.contestants import DOORS, PEERS, Contestant
from bench.load import Load
from bench.spells import Spell

LOWEST_RATIOS = {"bare": 0.75, "naive": 100.0, "drf_api_key": 3.5, "knox_tokens": 4.5}
HIGHEST_COST = 1.05
"""Of forward auth against whoami; the twentieth is what two spells differ by."""
P99_MS = 15.0
PAGE_P95_MS = 100.0
WORKER_MB = 90.0
"""Of PSS: what the workers share, the libraries above all, counts once."""


@dataclass(frozen=True)
class Row:
    """A contestant's figures: medians of its spells."""

    name: str
    rate: float
    p50: float
    p99: float
    cpu: float
    rss: float
    pss: float

    @classmethod
    def of(cls, contestant: Contestant) -> Row:
        """Sum a contestant up; its memory is read now."""
        loads = contestant.loads
        return cls(
            contestant.name,
            median(each.rate for each in loads),
            median(each.p50 for each in loads),
            median(each.p99 for each in loads),
            median(contestant.cpu),
            *contestant.server.megabytes(),
        )


@dataclass(frozen=True)
class Aim:
    """Something that a run has to reach."""

    sentence: str
    reached: bool


def main_table(portal: Contestant, peers: Sequence[Contestant]) -> tuple[str, list[Aim]]:
    """The table of the comparison, and the aims that it speaks of.

    A ratio is the median of the ratios of the rounds: what disturbs a whole round disturbs both.
    """
    row = Row.of(portal)
    head = "| contestant | requests/s | portal is | p50 ms | p99 ms | CPU µs/request | RSS MB | PSS MB |"
    lines = [head, "| --- " + "| ---: " * 7 + "|", _line(row, "1")]
    aims = []
    for peer in peers:
        ratio = median(own.rate / its.rate for own, its in zip(portal.loads, peer.loads, strict=True))
        lines.append(_line(Row.of(peer), f"{ratio:.2f} times"))
        lowest = LOWEST_RATIOS[peer.name]
        aims.append(Aim(f"{ratio:.2f} of at least {lowest:g} times {PEERS[peer.name]}", ratio >= lowest))
    aims.append(Aim(f"p99 {row.p99:.1f} of at most {P99_MS:g} ms", row.p99 < P99_MS))
    aims.append(Aim(f"{row.pss:.0f} of at most {WORKER_MB:g} MB a worker (PSS)", row.pss < WORKER_MB))
    return "\n".join(lines), aims


def doors_table(doors: Sequence[Contestant], bare: Contestant) -> tuple[str, list[Aim]]:
    """The table of the portal's doors with its limits on, and what forward auth has to reach."""
    head = "| the portal's door | requests/s | of the bare route | p50 ms | p99 ms | CPU µs/request |"
    lines = [head, "| --- " + "| ---: " * 5 + "|"]
    for door in doors:
        row = Row.of(door)
        ratio = median(own.rate / its.rate for own, its in zip(door.loads, bare.loads, strict=True))
        figures = f"{row.rate:,.0f} | {ratio:.2f} times | {row.p50:.1f} | {row.p99:.1f} | {row.cpu:.0f}"
        lines.append(f"| {DOORS[door.name][1]} | {figures} |")
    by_name = {door.name: door for door in doors}
    whoami, forward = by_name["whoami"], by_name["authorize"]
    cost = median(ours / its for ours, its in zip(forward.cpu, whoami.cpu, strict=True))
    sentence = f"forward auth takes {cost:.2f} of at most {HIGHEST_COST:g} times the processor time of whoami"
    return "\n".join(lines), [Aim(sentence, cost <= HIGHEST_COST)]


def spells_table(spells: dict[str, Sequence[Load]]) -> str:
    """The table of what else was asked of the portal."""
    lines = ["| the portal with | requests/s | p50 ms | p99 ms |", "| --- | ---: | ---: | ---: |"]
    for name, loads in spells.items():
        figures = (median(each.rate for each in loads), *_times(loads))
        lines.append(f"| {name} | {figures[0]:,.0f} | {figures[1]:.1f} | {figures[2]:.1f} |")
    return "\n".join(lines)


def pages_table(spells: Sequence[Spell], what: str, *, database: str, busy: float) -> str:
    """The table of the pages, and those that take too long; a ratio is against the quickest page."""
    quickest = min(spell.p50 for spell in spells)
    lines = ["| page | p50 ms | p95 ms | of the quickest | kB |", "| --- " + "| ---: " * 4 + "|"]
    for spell in spells:
        figures = f"{spell.p50:.1f} | {spell.p95:.1f} | {spell.p50 / quickest:.1f} times"
        lines.append(f"| `{spell.path}` | {figures} | {spell.size / 1000:.0f} |")
    slowest = max(spell.p95 for spell in spells)
    sentence = f"p95 of the slowest page {slowest:.0f} of at most {PAGE_P95_MS:g} ms"
    told = aims_list([Aim(sentence, slowest <= PAGE_P95_MS)])
    where = f"{_machine()}, Python {platform.python_version()}, {database}; load average {busy:.1f} before."
    return f"\n{where}\n{what}.\n\n" + "\n".join(lines) + f"\n\n{told}"


def aims_list(aims: Sequence[Aim]) -> str:
    """One line for each aim."""
    return "\n".join(f"- {'reached' if aim.reached else 'MISSED'}: {aim.sentence}" for aim in aims)


def circumstances(
    database: str, options: dict[str, str], *, workers: int, connections: int, rounds: str, busy: float
) -> str:
    """Where, when and how the run was made; ``busy`` is the load average before it began."""
    served = " ".join(f"{name} {value}" for name, value in options.items())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}, Python {platform.python_version()}, "
        f"{database}; the load average was {busy:.1f} before it began.\n"
        f"{workers} workers of granian each ({served}); wrk with {connections} connections; {rounds}."
    )


def _line(row: Row, ratio: str) -> str:
    name = PEERS.get(row.name, "**the portal**")
    return (
        f"| {name} | {row.rate:,.0f} | {ratio} | {row.p50:.1f} | {row.p99:.1f} | "
        f"{row.cpu:.0f} | {row.rss:.0f} | {row.pss:.0f} |"
    )


def _times(loads: Sequence[Load]) -> tuple[float, float]:
    return median(each.p50 for each in loads), median(each.p99 for each in loads)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} cores of {models[0] if models else platform.machine()}"
