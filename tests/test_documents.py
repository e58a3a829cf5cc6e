"""The documents say what the code does: settings, pages, errors, acts; and everything public says why."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from config import PREFIX, RawSettings
from portal.http.logs import LINKS
from portal.messages import SENTENCES
from portal.models import Action, ActorKind, AuditEvent
from portal.words import ACTIONS, ACTOR_KINDS, REASONS, ROLES, STATUSES
from tests.support.databases import ROOT

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


@pytest.mark.parametrize("field", fields(RawSettings), ids=lambda field: field.name)
def test_every_setting_stands_in_its_document(field: object) -> None:
    name = f"`{PREFIX}{field.name.upper()}`"  # type: ignore[attr-defined]
    found = [row for row in rows("settings.md") if row[0].strip("| ") == name]
    assert len(found) == 1, name
    _name, default, meaning = found[0]
    assert default == (f"`{field.default}`" if field.default else "–")  # type: ignore[attr-defined]
    secret = " Secret." if field.metadata["secret"] else ""  # type: ignore[attr-defined]
    assert meaning == field.metadata["meaning"] + secret  # type: ignore[attr-defined]


def test_no_setting_stands_there_that_is_not() -> None:
    known = {f"{PREFIX}{field.name.upper()}" for field in fields(RawSettings)}
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


@pytest.mark.parametrize(
    "path",
    sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target, _anchor in LINK.findall(path.read_text("utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (path.parent / target).exists(), target


def public(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """What a module offers: itself, its functions, its classes and their methods."""
    tree = ast.parse(path.read_text("utf-8"))
    if path.stat().st_size:
        yield path.name, tree
    places = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    for place in places:
        for node in place.body:  # type: ignore[attr-defined]  # modules and classes have one
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, node


@pytest.mark.parametrize(
    "path", sorted((ROOT / "portal").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_everything_public_says_why_it_is_there(path: Path) -> None:
    missing = [name for name, node in public(path) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert not missing
