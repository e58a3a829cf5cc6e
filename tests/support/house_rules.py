"""A rule over many files is one test: it names every place that breaks it, with file and line."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tests.support.databases import ROOT


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def python_files(*folders: str) -> list[Path]:
    """The Python files below the folders, which are named from the top of the project."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found, "nothing to check: has the folder another name now?"
    return found


def place(path: Path, line: int) -> str:
    """Where an editor finds it."""
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{line}"


def lines_with(path: Path, text: str) -> Iterator[str]:
    """Each place where a file holds the text."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if text in line:
            yield place(path, number)


def assert_none(offenders: Iterable[str]) -> None:
    """Fail with a line for each of the offenders, in order."""
    found = list(dict.fromkeys(offenders))
    assert not found, f"{len(found)} found:\n" + "\n".join(found)
