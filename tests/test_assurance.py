"""docs/assurance.md, docs/asvs.md and the suite hold each other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache

import pytest

from tests.support.databases import ROOT

PAGE = ROOT / "docs" / "assurance.md"
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \|$")
NAME = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")

ROWS = {
    int(row[1]): (row[2], [(path, name) for path, name in NAME.findall(row[3])])
    for line in PAGE.read_text("utf-8").splitlines()
    if (row := ROW.match(line))
}

NUMBERS = list(ROWS)

STANDARD = ROOT / "docs" / "asvs.md"
REQUIREMENT = re.compile(r"^\| V(\d+)\.(\d+)\.(\d+) \| ([12]) \| (.+?) \| (.+?) \| (.+) \|$")
STATES = ("met", "not applicable", "open")

REQUIREMENTS = [
    row.groups() for line in STANDARD.read_text("utf-8").splitlines() if (row := REQUIREMENT.match(line))
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


@pytest.mark.parametrize("number", NUMBERS)
def test_every_row_is_proved_by_tests_that_exist(number: int) -> None:
    sentence, proofs = ROWS[number]

    assert sentence.endswith(".")
    assert proofs, "nothing proves it"
    assert [f"{path}::{name}" for path, name in proofs if name not in names_in(path)] == []


def test_every_proof_is_written_so_that_it_is_found() -> None:
    text = PAGE.read_text("utf-8")

    assert text.count("::test_") == sum(len(proofs) for _sentence, proofs in ROWS.values())


def test_what_is_in_the_folder_of_assurance_proves_a_row() -> None:
    listed = {path for _sentence, proofs in ROWS.values() for path, _name in proofs}
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "assurance").glob("test_*.py")}

    assert files - listed == set()


def test_the_requirements_of_the_standard_are_unique_and_in_order() -> None:
    ids = [tuple(map(int, row[:3])) for row in REQUIREMENTS]
    lines = [line for line in STANDARD.read_text("utf-8").splitlines() if line.startswith("| V")]

    assert ids == sorted(set(ids))
    assert {chapter for chapter, _section, _number in ids} == set(range(1, 18))
    assert len(lines) == len(ids), "a row that is written otherwise is not held"


@pytest.mark.parametrize("row", REQUIREMENTS, ids=lambda row: "V" + ".".join(row[:3]))
def test_every_requirement_has_one_state_and_what_it_rests_on(row: tuple[str, ...]) -> None:
    *_id, _level, asked, state, what = row
    proofs = NAME.findall(what)

    assert asked.endswith(".")
    assert " | " not in what
    assert state in STATES
    assert what.endswith(".") or proofs
    assert bool(proofs) == (state == "met"), "tests prove what is met, and nothing else"
    assert what.count("::test_") == len(proofs), "a proof is written so that it is not found"
    assert [f"{path}::{name}" for path, name in proofs if name not in names_in(path)] == []


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
