"""docs/assurance.md, docs/asvs.md and the suite hold each other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.databases import ROOT
from tests.support.house_rules import assert_none, place

PAGE = ROOT / "docs" / "assurance.md"
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \|$")
NAME = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")

ROWS = {
    int(row[1]): (number, row[2], NAME.findall(row[3]))
    for number, line in enumerate(PAGE.read_text("utf-8").splitlines(), 1)
    if (row := ROW.match(line))
}

NUMBERS = list(ROWS)

STANDARD = ROOT / "docs" / "asvs.md"
REQUIREMENT = re.compile(r"^\| V(\d+)\.(\d+)\.(\d+) \| ([12]) \| (.+?) \| (.+?) \| (.+) \|$")
STATES = ("met", "not applicable", "open")

REQUIREMENTS = [
    (number, *row.groups())
    for number, line in enumerate(STANDARD.read_text("utf-8").splitlines(), 1)
    if (row := REQUIREMENT.match(line))
]


@cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file, as pytest would collect them: functions, and methods of classes."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            methods = (each.name for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{node.name}::{name}" for name in methods if name.startswith("test_")}
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.add(node.name)
    return frozenset(found)


def test_every_number_has_its_row_in_order() -> None:
    assert sorted(NUMBERS) == NUMBERS
    assert {*range(1, 56), *range(69, 79), 80, 81, *range(86, 89)} <= set(NUMBERS)


def unproved(line: int, sentence: str, proofs: list[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with a row."""
    if not sentence.endswith("."):
        yield f"{place(PAGE, line)}: no sentence: {sentence}"
    if not proofs:
        yield f"{place(PAGE, line)}: nothing proves it: {sentence}"
    yield from (f"{place(PAGE, line)}: there is no {path}::{name}" for path, name in missing(proofs))


def missing(proofs: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    yield from ((path, name) for path, name in proofs if name not in names_in(path))


def test_every_row_is_proved_by_tests_that_exist() -> None:
    assert_none(found for row in ROWS.values() for found in unproved(*row))


def test_every_proof_is_written_so_that_it_is_found() -> None:
    text = PAGE.read_text("utf-8")

    assert text.count("::test_") == sum(len(proofs) for _line, _sentence, proofs in ROWS.values())


def test_what_is_in_the_folder_of_assurance_proves_a_row() -> None:
    listed = {path for _line, _sentence, proofs in ROWS.values() for path, _name in proofs}
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "assurance").glob("test_*.py")}

    assert files - listed == set()


def test_the_requirements_of_the_standard_are_unique_and_in_order() -> None:
    ids = [tuple(map(int, row[1:4])) for row in REQUIREMENTS]
    lines = [line for line in STANDARD.read_text("utf-8").splitlines() if line.startswith("| V")]

    assert ids == sorted(set(ids))
    assert {chapter for chapter, _section, _number in ids} == set(range(1, 18))
    assert len(lines) == len(ids), "a row that is written otherwise is not held"


def unfounded(line: int, *row: str) -> Iterator[str]:
    """What is wrong with a requirement."""
    *_id, _level, asked, state, what = row
    proofs = NAME.findall(what)
    where = f"{place(STANDARD, line)}: V{'.'.join(row[:3])}"
    if not asked.endswith(".") or not (what.endswith(".") or proofs):
        yield f"{where} has half a sentence"
    if " | " in what:
        yield f"{where} has too many cells"
    if state not in STATES:
        yield f"{where} is {state}, which is no state"
    if bool(proofs) != (state == "met"):
        yield f"{where}: tests prove what is met, and nothing else"
    if what.count("::test_") != len(proofs):
        yield f"{where}: a proof is written so that it is not found"
    yield from (f"{where}: there is no {path}::{name}" for path, name in missing(proofs))


def test_every_requirement_has_one_state_and_what_it_rests_on() -> None:
    assert_none(found for row in REQUIREMENTS for found in unfounded(*row))


NOWHERE = "`tests/test_mail.py::test_nowhere`"
HERE = "`tests/test_assurance.py::test_every_row_is_proved_by_tests_that_exist`"


def test_every_fault_of_a_row_is_named_with_its_line() -> None:
    rows = [(7, "Half a sentence", []), (8, "A sentence.", NAME.findall(NOWHERE))]
    assert [found.split(" ")[0] for row in rows for found in unproved(*row)] == [
        "docs/assurance.md:7:", "docs/assurance.md:7:", "docs/assurance.md:8:",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "cells",
    [
        ("Half a sentence", "open", "Nothing yet."),
        ("A sentence.", "open", "Half a sentence"),
        ("A sentence.", "met", f"One | {HERE}"),
        ("A sentence.", "done", "It is."),
        ("A sentence.", "met", "Nothing proves it."),
        ("A sentence.", "open", HERE),
        ("A sentence.", "met", f"{HERE} tests/test_mail.py::test_x"),
        ("A sentence.", "met", NOWHERE),
    ],
)
def test_every_fault_of_a_requirement_is_named_with_its_line(cells: tuple[str, ...]) -> None:
    [found] = unfounded(9, "1", "2", "3", "1", *cells)
    assert found.startswith("docs/asvs.md:9: V1.2.3")
    assert list(unfounded(9, "1", "2", "3", "1", "A sentence.", "met", HERE)) == []


def test_the_counts_of_the_standard_are_those_of_its_rows() -> None:
    counted = Counter((level, state) for *_id, level, _asked, state, _what in REQUIREMENTS)
    told = {
        (level, state): int(figure)
        for level, *figures in re.findall(
            r"^\| level ([12]) \| (\d+) \| (\d+) \| (\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE
        )
        for state, figure in zip(STATES, figures, strict=True)
    }

    assert told == dict(counted)
