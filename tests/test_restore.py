"""The way back by restore: the documented commands, over each newer state, and up again (row 81).

The commands are those of docs/operations.md as they stand there; only the places of the files
and the words of systemd are others.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from portal.models.guards import plain
from portal.services.system import guard_check
from tests.support.databases import ROOT, Database, Databases, upgrade
from tests.support.postgres import programs
from tests.test_migrations import REVISIONS, fill

OPERATIONS = ROOT / "docs" / "operations.md"
OF_SQLITE = re.compile(r"^(sqlite3|rm|install) ")
OF_POSTGRESQL = re.compile(r"^(pg_dump|pg_restore|psql) ")
AS_ONCE_DOCUMENTED = 'pg_restore --clean --if-exists --no-owner --dbname="$DATABASE" /backup/portal.dump'


def newer_than(older: str) -> list[str]:
    """Each later revision, in its order."""
    return REVISIONS[REVISIONS.index(older) + 1 :]


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.from_debian("sqlite3")), "postgresql"])
def empty(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """A database without a table, where the commands look for it."""
    if request.param == "sqlite":
        yield Database("sqlite", f"sqlite:///{tmp_path}/portal.db")
        return
    with databases.empty("postgresql") as created:
        yield created


def documented(database: Database) -> tuple[list[str], list[str]]:
    """The commands that back up, and those that restore, for one kind of database."""
    section = OPERATIONS.read_text("utf-8").split("\n## Back up\n")[1].split("\n## ")[0]
    is_meant = OF_SQLITE if database.kind == "sqlite" else OF_POSTGRESQL
    backup, restore = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line for line in backup.splitlines() if is_meant.match(line)], [
        line for line in restore.splitlines() if is_meant.match(line)
    ]


def run(commands: list[str], database: Database, home: Path) -> subprocess.CompletedProcess[str]:
    """Run commands of the document, one after another, up to the first that fails."""
    (home / "backup").mkdir(exist_ok=True)
    script = "\n".join(commands).replace("-o chatelaine -g chatelaine ", "")
    script = script.replace("/backup", f"{home}/backup").replace("/var/lib/chatelaine", str(home))
    url = sa.make_url(database.url).set(drivername="postgresql").render_as_string(hide_password=False)
    environ = os.environ | {"PATH": f"{programs()}:{os.environ['PATH']}", "DATABASE": url}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )


def state(database: Database) -> dict[str, Any]:
    """All that is not a row: columns, constraints, triggers with what they do, indexes and defaults."""
    with database.connect() as connection:
        look = sa.inspect(connection)
        return {name: plain(told) for name, told in guard_check.read_guards(connection).items()} | {
            f"more of {table}": (
                sorted(str(each) for each in look.get_indexes(table)),
                {each["name"]: str(each["default"]) for each in look.get_columns(table)},
            )
            for table in look.get_table_names()
        }


@pytest.mark.parametrize("older", REVISIONS[:-1])
def test_a_restore_brings_back_the_older_state_and_the_way_up_is_open(
    empty: Database, tmp_path: Path, older: str
) -> None:
    backup, restore = documented(empty)
    upgrade(empty.url, tmp_path, older)
    fill(empty)
    before, rows = state(empty), empty.rows()
    assert run(backup, empty, tmp_path).returncode == 0

    for newer in newer_than(older):
        upgrade(empty.url, tmp_path, newer)
        empty.execute("UPDATE accounts SET language = 'nl'")
        done = run(restore, empty, tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), newer
        assert (state(empty), empty.rows()) == (before, rows), newer

    upgrade(empty.url, tmp_path)
    with empty.connect() as connection:
        assert guard_check.differences(connection) == []


@pytest.mark.parametrize("older", REVISIONS[:-1])
def test_what_an_older_restore_left_behind_stops_no_upgrade(
    databases: Databases, tmp_path: Path, older: str
) -> None:
    with databases.migrated("postgresql") as fresh:
        wanted = state(fresh)
    with databases.empty("postgresql") as risen:
        upgrade(risen.url, tmp_path, older)
        fill(risen)
        assert run(documented(risen)[0], risen, tmp_path).returncode == 0

        for newer in newer_than(older):
            upgrade(risen.url, tmp_path, newer)
            with databases.copy(risen) as restored:
                run([AS_ONCE_DOCUMENTED], restored, tmp_path)
                upgrade(restored.url, tmp_path)
                assert state(restored) == wanted, newer


def test_a_dump_that_was_cut_off_changes_nothing(empty: Database, tmp_path: Path) -> None:
    backup, restore = documented(empty)
    upgrade(empty.url, tmp_path)
    fill(empty)
    assert run(backup, empty, tmp_path).returncode == 0
    saved = tmp_path / "backup" / ("portal.db" if empty.kind == "sqlite" else "portal.dump")
    saved.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    before = empty.rows()

    done = run(restore, empty, tmp_path)

    assert done.returncode != 0
    assert empty.rows() == before
