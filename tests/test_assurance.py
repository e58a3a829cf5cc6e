"""docs/assurance.md and the suite hold each other."""

from __future__ import annotations

import ast
import re
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
    assert set(range(1, 56)) <= set(NUMBERS)


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
