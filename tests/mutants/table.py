"""The table of mutants: one TOML file for each subject, one ``[[mutant]]`` for each broken line.

A mutant changes ``before`` to ``after`` in ``file``; ``before`` stands there exactly once.
Where a rule has two layers, ``[[mutant.also]]`` takes the other one away as well. ``tests``
are the tests that must notice, as few as do. ``database`` is sqlite unless it is said.
``promise`` is the id in ``portal/promises.py`` of a promise that is broken in its words, which
``selfcheck`` must notice too. ``equivalent`` says why nobody could notice.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FIELDS = frozenset({"id", "file", "before", "after", "also", "tests", "database", "promise", "equivalent"})


class Inapplicable(Exception):
    """A mutant does not fit the code any more; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A way to break the code, and the tests that must notice."""

    id: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    database: str = "sqlite"
    promise: str = ""
    equivalent: str = ""


def load_table() -> list[Mutant]:
    """Every mutant, subject after subject; ``id`` begins with the subject. Raises ValueError."""
    return [
        _read(path.stem, row)
        for path in sorted(HERE.glob("*.toml"))
        for row in tomllib.loads(path.read_text("utf-8"))["mutant"]
    ]


def choose(mutants: Sequence[Mutant], *, only: str = "", tenth: int | None = None) -> list[Mutant]:
    """Those of subjects or patterns (``sessions */*expiry*``), or every tenth from one on."""
    chosen = list(mutants) if tenth is None else list(mutants)[tenth % 10 :: 10]
    patterns = [pattern for word in only.split() for pattern in (word, f"{word}/*")]
    return [each for each in chosen if not only or any(fnmatchcase(each.id, one) for one in patterns)]


def mutated(root: Path, mutant: Mutant) -> dict[Path, str]:
    """The files of a mutant with their broken text; raises Inapplicable."""
    texts: dict[Path, str] = {}
    for edit in mutant.edits:
        path = root / edit.file
        if not path.is_file():
            raise Inapplicable(f"{mutant.id}: there is no {edit.file}. Name the file that has the rule now.")
        text = texts.get(path) or path.read_text("utf-8")
        found = text.count(edit.before)
        if found != 1:
            raise Inapplicable(
                f"{mutant.id}: {edit.before!r} stands {found} times in {edit.file}, and not once. "
                "Write what stands there now, with as much around it as makes it unique."
            )
        texts[path] = text.replace(edit.before, edit.after)
    return texts


def _read(subject: str, row: dict[str, Any]) -> Mutant:
    if unknown := row.keys() - FIELDS:
        raise ValueError(f"{subject}/{row.get('id')}: unknown fields {sorted(unknown)}")
    edits = [row, *row.get("also", ())]
    return Mutant(
        id=f"{subject}/{row['id']}",
        edits=tuple(Edit(each["file"], each["before"], each["after"]) for each in edits),
        tests=tuple(row["tests"]),
        database=row.get("database", "sqlite"),
        promise=row.get("promise", ""),
        equivalent=row.get("equivalent", ""),
    )
