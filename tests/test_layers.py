"""The house: imports run one way, and only services commit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PORTAL = Path(__file__).resolve().parents[1] / "portal"
DOORS = {"web", "api", "cli", "jobs"}
MAY_IMPORT = {
    "extensions": set(),
    "clock": set(),
    "permissions": set(),
    "words": {"permissions", "models"},
    "messages": {"permissions"},
    "models": {"clock", "extensions", "permissions"},
    "transports": set(),
    "services": {"clock", "extensions", "models", "permissions", "services", "transports"},
}
FILES = sorted(PORTAL.rglob("*.py"))


def name_of(path: Path) -> str:
    """The room that a file is in: a package or a module right below portal."""
    return path.relative_to(PORTAL).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("portal.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PORTAL)))
def test_imports_run_one_way(path: Path) -> None:
    own = name_of(path)
    allowed = MAY_IMPORT.get(own)

    if allowed is not None:
        assert rooms(path) - {own} <= allowed
    if own in {"web", "api"}:
        assert not rooms(path) & (DOORS - {own}), "two doors share the rules, and nothing else"
    if own == "http":
        assert not rooms(path) & DOORS
    if "selfcheck" in rooms(path):
        assert own in {"selfcheck", "cli"}, "what tries to break the rules is called by its command only"


@pytest.mark.parametrize("path", sorted((PORTAL / "services").glob("*.py")), ids=lambda path: path.stem)
def test_the_rules_know_no_flask_and_no_forms(path: Path) -> None:
    found = {name.split(".")[0] for name in imports(path)}

    assert not found & {"flask", "flask_login", "flask_wtf", "flask_babel", "wtforms", "werkzeug"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PORTAL)))
def test_only_services_commit(path: Path) -> None:
    if name_of(path) == "services":
        return
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }

    assert not calls & {"commit", "flush", "add_all"}
    assert "portal.services.transaction.transaction" not in set(imports(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PORTAL)))
def test_the_clock_is_the_only_source_of_time(path: Path) -> None:
    if path.stem == "clock":
        return
    text = path.read_text()

    if name_of(path) != "selfcheck":
        assert "taken_in_hand" not in text, "only the self-check moves the time"
    for source in ("datetime.now", "datetime.utcnow", "time.time(", "time_ns(", "date.today"):
        assert source not in text
