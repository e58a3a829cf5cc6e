"""The lanes of a run that need more than locked packages; a plugin of pytest, and a program for make.

What no locked package brings, and what we run as Debian ships it, is marked ``from_debian``; what
counts calls in Redis, an extra of the portal, is marked ``with_redis``. Such tests are left out where
the program or the extra is not, and the run says so in its last line. In CI nothing is left out:
there they fail.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import pytest

from tests.support.programs import is_in_system

FROM_DEBIAN = ("nginx", "caddy", "haproxy", "pgbouncer", "prometheus", "promtool", "sqlite3", "curl")
EXTRA = "limits"
"""The package that only the extra brings."""
NEWEST = (3, 13)
LEFT_OUT = pytest.StashKey[str]()


def ways(table: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """The names of a table as parameters; each row begins with a class that says what it starts."""
    return [
        pytest.param(name, marks=pytest.mark.from_debian(row[0].from_debian)) for name, row in table.items()
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine can't start."""
    absent = missing({name for item in items for name in _started_by(item)})
    if out := [item for item in items if absent & _started_by(item)]:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if not absent & _started_by(item)]
        config.stash[LEFT_OUT] = f"Left out: {len(out)} tests. {' '.join(lanes_without(absent))}"
        if hasattr(config, "workeroutput"):
            config.workeroutput["left_out"] = config.stash[LEFT_OUT]


def _started_by(item: pytest.Item) -> set[str]:
    programs = {name for marker in item.iter_markers("from_debian") for name in marker.args if name}
    return programs | {EXTRA} if item.get_closest_marker("with_redis") else programs


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a process of the run what it left out; each of them collects all."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", "")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the last line what was left out."""
    if not hasattr(config, "workerinput") and (told := config.stash.get(LEFT_OUT, "")):
        print(told)


def missing(names: Iterable[str]) -> set[str]:
    """What this machine may lack, and lacks: programs, and the extra."""
    return set() if os.environ.get("CI") else {name for name in names if not _is_here(name)}


def _is_here(name: str) -> bool:
    return find_spec(EXTRA) is not None if name == EXTRA else is_in_system(name)


def lanes_without(absent: set[str]) -> list[str]:
    """Which lanes did not run, or not whole, without what is absent, and what to do."""
    told = []
    if EXTRA in absent:
        told.append("The lane with Redis did not run: requirements-redis.txt is not installed.")
    if programs := absent - {EXTRA}:
        told.append(
            "The lane of what Debian ships did not run whole: this machine lacks"
            f" {', '.join(sorted(programs))} (as root, scripts/setup.sh debian installs them)."
        )
    return told


def not_run() -> list[str]:
    """The lanes that a run of the whole suite on this machine has left to CI, and why."""
    told = lanes_without(missing({*FROM_DEBIAN, EXTRA}))
    if not os.environ.get("CI") and sys.version_info[:2] != NEWEST:
        here = ".".join(map(str, sys.version_info[:2]))
        told.append(
            f"The lane on Python 3.13 did not run: this was Python {here}"
            " (where there is a Python 3.13, make test-newest runs it)."
        )
    return told


if __name__ == "__main__":
    print("\n".join(not_run()))
