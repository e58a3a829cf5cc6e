"""The table of mutants fits the code as it is; ``make mutants`` runs it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache

import pytest

from portal.promises import PROMISES
from tests.mutants.__main__ import sum_up
from tests.mutants.copies import Verdict
from tests.mutants.table import Inapplicable, Mutant, choose, load_table, mutated
from tests.support.databases import KINDS, ROOT

LEAST = 400
MOST_EXPLAINED = 0.03
"""Of all mutants; the others are noticed."""
TABLE = load_table()
SUBJECTS = {
    "basic", "doors", "gate", "guards", "jwt", "keys", "leaks", "limits", "links", "mail", "outbox",
    "proxy", "ready", "record", "retention", "revocation", "rotation", "sessions", "settings", "text",
    "time", "transactions", "twice", "verification",
}  # fmt: skip
NODE = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+(?:::\w+)?))?")


@cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file, also those of its classes."""
    file = ROOT / path
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body if file.is_file() else ():
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def is_there(test: str) -> bool:
    found = NODE.fullmatch(test)
    return bool(found and (found[2] in names_in(found[1]) if found[2] else names_in(found[1])))


def test_there_are_many_and_each_has_its_own_name() -> None:
    assert len(TABLE) >= LEAST
    assert [name for name, number in Counter(each.id for each in TABLE).items() if number > 1] == []
    assert {each.id.partition("/")[0] for each in TABLE} == SUBJECTS


def test_few_are_explained_instead_of_noticed() -> None:
    assert sum(bool(each.equivalent) for each in TABLE) <= MOST_EXPLAINED * len(TABLE)


@pytest.mark.parametrize("mutant", TABLE, ids=lambda each: each.id)
def test_each_breaks_the_code_as_it_is_in_one_place(mutant: Mutant) -> None:
    for path, text in mutated(ROOT, mutant).items():
        if path.suffix == ".py":
            whole = ast.dump(ast.parse(path.read_text("utf-8")))
            assert ast.dump(ast.parse(text)) != whole, "it changes nothing"


@pytest.mark.parametrize("mutant", TABLE, ids=lambda each: each.id)
def test_each_names_tests_and_a_promise_that_there_are(mutant: Mutant) -> None:
    assert mutant.tests
    assert [test for test in mutant.tests if not is_there(test)] == []
    assert mutant.database in KINDS
    assert not mutant.promise or mutant.promise in PROMISES
    assert not mutant.equivalent or mutant.equivalent.endswith("."), "it is explained in a sentence"


def test_whatever_fits_no_longer_is_told_in_a_sentence() -> None:
    [first, *_] = TABLE
    for edit in (
        first.edits[0].__class__("portal/nowhere.py", "a", "b"),
        first.edits[0].__class__("portal/clock.py", "def there_is_none", "b"),
        first.edits[0].__class__("portal/clock.py", "def ", "b"),
    ):
        with pytest.raises(Inapplicable, match=r"^x/y: .+\. (Name|Write) .+\.$"):
            mutated(ROOT, Mutant("x/y", (edit,), ()))


def test_ten_tenths_are_all_and_a_subject_is_chosen_by_its_name() -> None:
    tenths = [choose(TABLE, tenth=number) for number in range(10)]

    assert sorted(each.id for tenth in tenths for each in tenth) == sorted(each.id for each in TABLE)
    assert {each.id.partition("/")[0] for each in choose(TABLE, only="jwt")} == {"jwt"}
    assert [each.id for each in choose(TABLE, only=TABLE[0].id)] == [TABLE[0].id]


@pytest.mark.parametrize("word", ["SURVIVED", "UNUSABLE", "TIMED OUT"])
def test_a_single_one_that_nobody_notices_fails_the_run(word: str) -> None:
    verdicts = [Verdict(each, "noticed", "a test", 1) for each in TABLE if not each.equivalent]
    assert sum_up(verdicts, selfcheck=False) == 0

    assert sum_up([*verdicts[1:], Verdict(verdicts[0].mutant, word, "", 1)], selfcheck=False) == 1


def test_one_that_is_explained_fails_the_run_when_it_is_noticed() -> None:
    [explained, *_] = [each for each in TABLE if each.equivalent]

    for word, code in (("SURVIVED", 0), ("noticed", 1)):
        assert sum_up([Verdict(explained, word, "", 1)], selfcheck=False) == code
