"""The house: imports run one way, and only services commit."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.house_rules import assert_none, lines_with, place, python_files, tree_of

DOORS = {"web", "api", "cli", "jobs"}
MAY_IMPORT = {
    "extensions": set(),
    "clock": set(),
    "permissions": set(),
    "labels": {"permissions", "models"},
    "error_messages": {"extensions", "permissions"},
    "models": {"clock", "extensions", "permissions"},
    "transports": set(),
    "services": {"clock", "extensions", "models", "permissions", "services", "transports"},
}
FLOORS = (
    {"core", "ratelimits"},
    {"calls", "mail", "usage"},
    {"auth", "keys"},
    {"abuse", "accounts", "system", "verify"},
    {"operators"},
)
"""The rooms of the services, from the ground up: a room uses those below it."""
BESIDE = {("ratelimits", "core"), ("keys", "auth")}
"""The only arrows between two rooms of one floor."""
MOST_FILES, MOST_LINES = 12, 300
FRAMEWORKS = {"flask", "flask_login", "flask_wtf", "flask_babel", "wtforms", "werkzeug"}
CALLED_BY_COMMAND = {"selfcheck", "demo"}
COMMITTING = {"commit", "flush", "add_all"}
TIMES = ("datetime.now", "datetime.utcnow", "time.time(", "time_ns(", "date.today")


def name_of(path: Path) -> str:
    """The room that a file is in: a package or a module right below portal."""
    parts = path.parts
    return parts[len(parts) - parts[::-1].index("portal")].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the whole name of each import; one that is relative keeps its dots."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((alias.lineno, f"{module}.{alias.name}") for alias in node.names)


def rooms(path: Path) -> Iterator[tuple[int, str]]:
    for line, name in imports(path):
        if name.startswith("portal."):
            yield line, name.split(".")[1]


def may_import(own: str, room: str) -> bool:
    if room in CALLED_BY_COMMAND and own not in {room, "cli"}:
        return False  # what tries to break the rules, or makes things up, is called by its command only
    if own in {"web", "api"} and room in DOORS - {own}:
        return False  # two doors share the rules, and nothing else
    if own == "http" and room in DOORS:
        return False
    return own not in MAY_IMPORT or room in MAY_IMPORT[own] | {own}


def wrong_ways(path: Path) -> Iterator[str]:
    own = name_of(path)
    for line, room in rooms(path):
        if not may_import(own, room):
            yield f"{place(path, line)}: {own} may not import {room}"


def floor_of(room: str) -> int:
    """How high a room of the services is; the ground is 0."""
    floors = [number for number, floor in enumerate(FLOORS) if room in floor]
    assert floors, f"the room {room} is on no floor"
    return floors[0]


def upward(path: Path) -> Iterator[str]:
    """Imports of a room of the services that no arrow of the plan allows."""
    if name_of(path) != "services" or path.parent.name == "services":
        return
    own = path.parent.name
    for line, name in imports(path):
        if not name.startswith("portal.services.") or (room := name.split(".")[2]) == own:
            continue
        if floor_of(room) >= floor_of(own) and (own, room) not in BESIDE:
            yield f"{place(path, line)}: the room {own} may not use {room} ({name})"


def outside_of_rooms(path: Path) -> Iterator[str]:
    if path.parent.name == "services" and path.name != "__init__.py":
        yield place(path, 1)


def relative(path: Path) -> Iterator[str]:
    for line, name in imports(path):
        if name.startswith("."):
            yield f"{place(path, line)}: {name}"


def frameworks(path: Path) -> Iterator[str]:
    if name_of(path) == "services":
        for line, name in imports(path):
            if name.split(".")[0] in FRAMEWORKS:
                yield f"{place(path, line)}: {name}"


def commits(path: Path) -> Iterator[str]:
    if name_of(path) == "services":
        return
    for node in ast.walk(tree_of(path)):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in COMMITTING:
            yield f"{place(path, called.lineno)}: {called.attr}"
    for line, name in imports(path):
        if name == "portal.services.core.transaction.transaction":
            yield f"{place(path, line)}: {name}"


def application_code(path: Path) -> Iterator[str]:
    for line, name in imports(path):
        if name.split(".")[0] == "portal" or name.startswith("config"):
            yield f"{place(path, line)}: {name}"


def other_clocks(path: Path) -> Iterator[str]:
    if path.stem == "clock":
        return
    moving = () if name_of(path) in CALLED_BY_COMMAND else ("freeze",)
    for source in (*TIMES, *moving):
        yield from (f"{where}: {source}" for where in lines_with(path, source))


def test_imports_run_one_way() -> None:
    assert_none(found for path in python_files("portal") for found in wrong_ways(path))


def test_the_rooms_of_the_services_use_those_below_them() -> None:
    files = python_files("portal/services")
    assert_none(found for path in files for found in (*upward(path), *outside_of_rooms(path)))
    assert {path.parent.name for path in files} - {"services"} == set().union(*FLOORS)


def test_no_room_and_no_file_is_too_large() -> None:
    rooms_of = Counter(path.parent for path in python_files("portal/services"))
    assert_none(f"{room}: {files} files" for room, files in rooms_of.items() if files > MOST_FILES)
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in python_files("portal")}
    assert_none(f"{place(path, lines)}" for path, lines in lengths.items() if lines > MOST_LINES)


def test_imports_are_absolute() -> None:
    assert_none(found for path in python_files("portal") for found in relative(path))


def test_the_rules_know_no_flask_and_no_forms() -> None:
    assert_none(found for path in python_files("portal/services") for found in frameworks(path))


def test_only_services_commit() -> None:
    assert_none(found for path in python_files("portal") for found in commits(path))


def test_the_clock_is_the_only_source_of_time() -> None:
    assert_none(found for path in python_files("portal") for found in other_clocks(path))


def test_migrations_know_no_application_code() -> None:
    """What a revision once did stays as it was, whatever the portal's own code becomes."""
    files = [path for path in python_files("migrations") if path.name != "env.py"]
    assert_none(found for path in files for found in application_code(path))


@pytest.mark.parametrize(
    ("rule", "where", "line"),
    [
        (wrong_ways, "models/a.py", "from portal.services import keys"),
        (wrong_ways, "web/a.py", "import portal.api.body"),
        (wrong_ways, "api/keys/a.py", "from portal.jobs import run"),
        (wrong_ways, "http/a.py", "from portal.web import pages"),
        (wrong_ways, "web/a.py", "from portal import selfcheck"),
        (wrong_ways, "jobs.py", "from portal.demo.fill import fill"),
        (wrong_ways, "demo/a.py", "from portal.selfcheck import run"),
        (wrong_ways, "clock.py", "from portal.permissions import Role"),
        (upward, "services/core/a.py", "from portal.services.keys import revocation"),
        (upward, "services/auth/a.py", "from portal.services.keys.revocation import revoke_all"),
        (upward, "services/verify/a.py", "import portal.services.accounts.signup"),
        (relative, "web/a.py", "from . import forms"),
        (frameworks, "services/a.py", "from flask import request"),
        (frameworks, "services/keys/a.py", "import wtforms.validators"),
        (commits, "web/a.py", "db.session.commit()"),
        (commits, "jobs.py", "session().flush()"),
        (commits, "cli/a.py", "from portal.services.core.transaction import transaction"),
        (application_code, "../migrations/versions/0099_a.py", "from portal import clock"),
        (application_code, "../migrations/versions/0099_a.py", "import portal.models.key"),
        (application_code, "../migrations/leftovers.py", "from config import load_settings"),
        (other_clocks, "services/a.py", "now = datetime.now()"),
        (other_clocks, "web/a.py", "with freeze():"),
    ],
)
def test_each_rule_names_every_file_and_line_that_breaks_it(rule, where, line, tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "portal" / where
    file.parent.mkdir(parents=True)
    file.write_text(f"import ast\n{line}\n\n{line}\n")

    with pytest.raises(AssertionError) as told:
        assert_none(rule(file))

    assert f"{file}:2: " in str(told.value)
    assert f"{file}:4: " in str(told.value)
