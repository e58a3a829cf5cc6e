"""The table of mutants fits the code as it is; ``make mutants`` runs it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from portal.promises import PROMISES
from tests.mutants.__main__ import sum_up
from tests.mutants.copies import Verdict
from tests.mutants.table import HERE, Inapplicable, Mutant, choose, load_table, mutated
from tests.support.databases import KINDS, ROOT
from tests.support.house_rules import assert_none, lines_with, tree_of

LEAST = 400
MOST_EXPLAINED = 0.03
"""Of all mutants; the others are noticed."""
TABLE = load_table()
SUBJECTS = {
    "basic", "doors", "request_guard", "guards", "jwt", "keys", "leaks", "limits", "links", "mail", "outbox",
    "proxy", "ready", "audit_log", "retention", "revocation", "rotation", "sessions", "settings", "text",
    "time", "transactions", "twice", "verification", "overview", "promises",
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


def test_none_names_what_is_not_defined(tmp_path: Path) -> None:
    """Such a mutant can't be run, and only the day on which its turn comes would tell."""
    for each in TABLE:
        for number, (path, broken) in enumerate(mutated(ROOT, each).items()):
            if path.suffix == ".py":
                (tmp_path / f"{each.id.replace('/', '--')}--{number}.py").write_text(broken, "utf-8")
    ruff = (sys.executable, "-m", "ruff", "check", "--isolated", "--select=F821", "--output-format=concise")

    checked = subprocess.run([*ruff, str(tmp_path)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_few_are_explained_instead_of_noticed() -> None:
    assert sum(bool(each.equivalent) for each in TABLE) <= MOST_EXPLAINED * len(TABLE)


def place_of(mutant: Mutant) -> str:
    """The line of the table that the mutant begins on."""
    subject, _, name = mutant.id.partition("/")
    return next(lines_with(HERE / f"{subject}.toml", f'id = "{name}"'))


def misfit(mutant: Mutant) -> Iterator[str]:
    """Why the code can't be broken like this any more."""
    try:
        texts = mutated(ROOT, mutant)
    except Inapplicable as error:
        yield str(error)
        return
    for path, text in texts.items():
        if path.suffix == ".py" and ast.dump(ast.parse(text)) == ast.dump(tree_of(path)):
            yield f"{mutant.id}: it changes nothing"


def untold(mutant: Mutant) -> Iterator[str]:
    """What is wrong with the tests and the promise that it names."""
    if not mutant.tests:
        yield f"{mutant.id}: no test must notice it"
    yield from (f"{mutant.id}: there is no {test}" for test in mutant.tests if not is_there(test))
    if mutant.database not in KINDS:
        yield f"{mutant.id}: there is no database {mutant.database}"
    if mutant.promise and mutant.promise not in PROMISES:
        yield f"{mutant.id}: there is no promise {mutant.promise}"
    if mutant.equivalent and not mutant.equivalent.endswith("."):
        yield f"{mutant.id}: it is not explained in a sentence"


def test_each_breaks_the_code_as_it_is_in_one_place() -> None:
    assert_none(f"{place_of(each)}: {why}" for each in TABLE for why in misfit(each))


def test_each_names_tests_and_a_promise_that_there_are() -> None:
    assert_none(f"{place_of(each)}: {why}" for each in TABLE for why in untold(each))


def test_each_that_is_wrong_is_named_with_what_is_wrong() -> None:
    [first, *_] = TABLE
    [edit, *_] = first.edits
    bad = "x"

    assert list(misfit(replace(first, edits=(replace(edit, after=edit.before),)))) == [
        f"{first.id}: it changes nothing"
    ]
    assert len(list(misfit(replace(first, edits=(replace(edit, before="nowhere at all"),))))) == 1
    assert len(list(untold(replace(first, tests=(), database=bad, promise=bad, equivalent=bad)))) == 4
    assert len(list(untold(replace(first, tests=("tests/test_mail.py::test_x", "tests/x.py"))))) == 2
    assert re.fullmatch(r"tests/mutants/\w+\.toml:\d+", place_of(first))


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
