"""One word for one thing, in everything that a person reads: pages, mails, errors and the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from babel.messages.extract import extract_from_file
from flask import Flask

from tests.support.databases import ROOT
from tests.support.house_rules import assert_none, place, python_files

pytestmark = pytest.mark.sqlite_only(reason="nothing of this asks the database")

SAY_INSTEAD: dict[str, str] = {
    r"(ma(k|d)e|mak(es|ing))(?! (sure|up|([a-z]+ |%\(\w+\)s ){0,3}calls?)\b)": "create",
    r"successors?|overlaps?|retir(es?|ed|ing)": "new key, old secret",
    r"e?-?mail address(es)?|(?<!writes )mails?(?! (server|files?)\b)|mailed|e-mails?": "email",
    r"calls left": "rate limits, usage",
    r"bound to|conditions?": "restrictions",
    r"not before": "valid from",
    r"(has|have|had) rested|rest(s|ed)? for": "unused for",
    r"second factor": "two-step sign-in",
    r"what happened and what to do": "needs attention",
    r"length of life|time to live": "until when, expiry",
    r"for good": "permanently; immediately and permanently",
    r"won't do|(is|are) not valid|invalid": "isn't valid",
    r"give (a|an|the|your(?! consent)|one|whole|another)": "enter, choose, send",
    r"the record|(newest|these|old) acts": "the audit log, entries",
    r"whoever runs": "the people who run",
    r"asked for": "requested",
    r"is lacking|was lacking": "missing",
    r"excessive use|the use of": "usage",
    r"log ?in|logged in|register(ed)?": "sign in, sign up",
    r"shall|anew|somewhat|thereby|please": "plain words",
}
"""The glossary's other side: what is never said, and what is said instead."""

EXCLAMATION = re.compile(r"\w!")

ALLOWED: dict[str, str] = {}
"""A sentence that may keep its word, with the reason why."""


def words_in(text: str) -> Iterator[str]:
    """What of a sentence is never said, each with what to say instead."""
    said = re.sub(r"`[^`]*`", "", text)
    for banned, instead in SAY_INSTEAD.items():
        for found in re.finditer(rf"(?<![\w/.:-])({banned})(?![\w:-])", said, re.IGNORECASE):
            yield f"“{found[0]}”: say {instead}"
    if EXCLAMATION.search(text):
        yield "“!”: say it calmly"


KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("_", "N_", "_l", "gettext", "lazy_gettext")),
    **dict.fromkeys(("ngettext", "lazy_ngettext"), (1, 2)),
}


def sentences() -> Iterator[tuple[str, str]]:
    """Every sentence of pages, mails, forms, labels and errors, with its place."""
    templates = sorted(path for path in (ROOT / "templates").rglob("*.*"))
    for path in templates + python_files("portal"):
        if not path.is_relative_to(ROOT / "portal" / "cli"):
            method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
            for line, text, _, _ in extract_from_file(method, path, keywords=KEYWORDS):
                for said in (text,) if isinstance(text, str) else text:
                    yield place(path, line), str(said)


def helps(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """What each command says of itself, and of those below it."""
    with click.Context(command, info_name=path) as context:
        yield f"{path} --help", command.get_help(context)
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, f"{path} {name}")


def outputs(path: Path) -> Iterator[tuple[str, str]]:
    """What the code of the command line and of the settings says, without its docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    silent = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in silent else None
        if isinstance(text, str) and " " in text.strip():
            yield place(path, node.lineno), text


def faults(said: Iterator[tuple[str, str]]) -> Iterator[str]:
    for where, text in said:
        if text not in ALLOWED:
            yield from (f"{where}: {fault} in: {text}" for fault in words_in(text))


def test_pages_mails_and_errors_speak_as_the_glossary_does() -> None:
    assert len(list(sentences())) > 500
    assert_none(faults(sentences()))


def test_the_command_line_speaks_as_the_glossary_does(app: Flask) -> None:
    own = ("account", "record", "clock", "jobs", "key", "demo", "selfcheck", "serve")
    assert_none(faults(each for name in own for each in helps(app.cli.commands[name], name)))


def test_what_commands_and_settings_say_is_in_the_glossary() -> None:
    files = sorted((ROOT / "portal" / "cli").glob("*.py")) + sorted(ROOT.glob("config*.py"))
    assert len(files) > 10
    assert_none(faults(each for path in files for each in outputs(path)))


def test_no_exception_outlives_its_sentence() -> None:
    assert set(ALLOWED) <= {text for _, text in sentences()}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("This key was made by you", "“made”: say create"),
        ("Its successor is live", "“successor”: say new key, old secret"),
        ("Send a mail", "“mail”: say email"),
        ("Well done!", "“!”: say it calmly"),
    ],
)
def test_the_search_finds_what_is_never_said(text: str, fault: str) -> None:
    assert list(words_in(text)) == [fault]


def test_names_on_the_wire_and_paths_are_no_words() -> None:
    assert not list(words_in("mail:refused, /account/mail and overlap_of"))
