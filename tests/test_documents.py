"""The documents say what the code does: settings, pages, errors, acts; and everything public says why."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from flask import Flask

from config import variables
from portal.error_messages import SENTENCES
from portal.labels import ACTIONS, ACTOR_KINDS, REASONS, ROLES, STATUSES
from portal.models import Action, ActorKind, AuditEvent
from portal.redaction import LINKS
from tests.support.databases import ROOT
from tests.support.house_rules import assert_none, place, python_files, tree_of

DOCS = ROOT / "docs"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


@cache
def document(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def rows(name: str) -> list[list[str]]:
    """The cells of every row of every table in a document."""
    lines = [line for line in document(name).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def first_words(name: str) -> list[str]:
    return [row[0].strip("`| ") for row in rows(name)]


def unlike_their_documents() -> Iterator[str]:
    lines = document("settings.md").splitlines()
    for variable, field in variables().items():
        name = f"`{variable}`"
        default = f"`{field.default}`" if field.default else "–"
        meaning = f"{field.description}{' Secret.' if hasattr(field.annotation, 'get_secret_value') else ''}"
        asked = f"| {name} | {default} | {meaning} |"
        told = [number for number, line in enumerate(lines, 1) if line.startswith(f"| {name} |")]
        if len(told) != 1:
            yield f"{place(DOCS / 'settings.md', 1)}: {name} stands there {len(told)} times, and not once"
        elif lines[told[0] - 1] != asked:
            yield f"{place(DOCS / 'settings.md', told[0])}: {name} is not told as config.py has it: {asked}"


def test_every_setting_stands_in_its_document() -> None:
    assert_none(unlike_their_documents())


def test_no_setting_stands_there_that_is_not() -> None:
    known = set(variables())
    for name in ("settings.md", "operations.md"):
        told = set(re.findall(r"PORTAL_[A-Z_]+[A-Z]", document(name)))
        assert told <= known | {f"{each}_FILE" for each in known}, name


def test_every_error_code_stands_in_its_document() -> None:
    told = {row[0].strip("`| "): row[1] for row in rows("errors.md") if row[0].strip("| ").startswith("`")}
    assert told == SENTENCES


def test_every_act_stands_in_its_document_and_nothing_else() -> None:
    told = [word for word in first_words("audit.md") if ":" in word]
    assert sorted(told) == sorted(action.value for action in Action)


def test_every_column_of_the_record_and_every_kind_of_actor_is_explained() -> None:
    text = document("audit.md")
    for word in [*AuditEvent.__table__.columns.keys(), *(kind.value for kind in ActorKind)]:
        assert f"`{word}`" in text, word


def test_every_page_stands_in_its_document(app: Flask) -> None:
    told = {path for row in rows("pages.md") for path in re.findall(r"`(/[^`]*)`", row[0])}
    there = {
        re.sub(r"<[^>]*_id>", "<id>", rule.rule).replace("<path:filename>", "<file>")
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith("/api/")
    }
    assert told == there


def test_everything_the_database_keeps_as_a_word_has_its_words() -> None:
    for words in (ACTIONS, ACTOR_KINDS, REASONS, ROLES, STATUSES):
        assert all(words.values())
    assert set(ACTIONS) == set(Action)
    assert set(ACTOR_KINDS) == set(ActorKind)


def test_the_files_that_are_handed_out_hide_the_token_of_each_link(app: Flask) -> None:
    nginx, caddy = ((ROOT / "deploy" / name).read_text("utf-8") for name in ("nginx.conf", "Caddyfile"))
    servers = [part for part in nginx.split("\nserver {")[1:] if "ssl_reject_handshake on;" not in part]
    hidden = [
        re.search(r'"~(\^\(\?<before>[^"]+)"', nginx),
        re.search(r'location ~ "(/[^"]+)" \{\n +error_log /dev/null;', nginx),
        re.search(r"request>uri regexp (/\S+)", caddy),
    ]
    patterns = [each[1].replace("?<", "?P<") for each in hidden if each]

    assert len(patterns) == 3
    for rule in app.url_map.iter_rules():
        if "<token>" in rule.rule:
            path = rule.rule.replace("<token>", "aDolmEvVy02ehKwK2XSq")
            for begins in ("", "/keys", "/a/b"):
                assert all(re.search(pattern, begins + path) for pattern in patterns), path
            assert re.search(f"/({LINKS})/[^/]+$", path), path
    assert len(servers) == 2
    assert all("access_log /var/log/nginx/chatelaine.log chatelaine;" in part for part in servers)


def dead_links(path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for target, _anchor in LINK.findall(line):
            if not target.startswith(("http:", "https:", "mailto:")) and not (path.parent / target).exists():
                yield f"{place(path, number)}: {target}"


def test_links_between_documents_lead_somewhere() -> None:
    assert_none(
        found for path in sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")]) for found in dead_links(path)
    )


def public(path: Path) -> Iterator[tuple[int, str, ast.AST]]:
    """What a module offers: itself, its functions, its classes and their methods."""
    tree = tree_of(path)
    if path.stat().st_size:
        yield 1, path.name, tree
    scopes: list[ast.Module | ast.ClassDef] = [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef))]
    for scope in scopes:
        for node in scope.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield node.lineno, node.name, node


def unexplained(path: Path) -> Iterator[str]:
    for line, name, node in public(path):
        if not ast.get_docstring(node):  # type: ignore[arg-type]
            yield f"{place(path, line)}: {name} has no docstring"


def test_everything_public_says_why_it_is_there() -> None:
    assert_none(found for path in python_files("portal") for found in unexplained(path))


def test_these_rules_name_every_file_and_line(tmp_path: Path) -> None:
    page, module = tmp_path / "a.md", tmp_path / "a.py"
    page.write_text("[one](nowhere.md)\n[self](a.md#b), [net](https://a.test)\n[two](../no/where)\n")
    module.write_text("class Key:\n    def revoke(self):\n        pass\n\n\ndef _own():\n    pass\n")

    assert list(dead_links(page)) == [f"{page}:1: nowhere.md", f"{page}:3: ../no/where"]
    assert [found.removeprefix(f"{module}:").split()[:2] for found in unexplained(module)] == [
        ["1:", "a.py"], ["1:", "Key"], ["2:", "revoke"],
    ]  # fmt: skip
