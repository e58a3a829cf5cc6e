"""The files of an installation are for its own user, and the start sees to it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from config_values import ConfigurationError
from portal import private_files
from portal.app import create_app
from portal.extensions import prepare_engine
from tests.conftest import close_app
from tests.support.databases import ROOT
from tests.support.server import Server


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder.parent)): stat.S_IMODE(path.stat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }


def expected(found: dict[str, int], folder: Path) -> dict[str, int]:
    return {name: 0o700 if (folder.parent / name).is_dir() else 0o600 for name in found}


@pytest.mark.timeout(300)  # three starts of the command line
def test_what_a_new_installation_writes_is_private_whatever_the_umask_is(tmp_path: Path) -> None:
    home = tmp_path / "instance"
    environment = {**os.environ, "PORTAL_INSTANCE_PATH": str(home)}
    for words in (
        ("db", "upgrade"),
        ("account", "create", "ada@example.org", "--role", "admin", "--password-stdin"),
        ("jobs", "run", "--once"),
    ):
        with umask(0):
            subprocess.run(
                [sys.executable, "-m", "flask", "--app", "wsgi", *words],
                cwd=ROOT,
                env=environment,
                input="violet-harbour-and-a-kettle\n",
                text=True,
                check=True,
                capture_output=True,
            )

    found = modes(home)

    assert {"instance/portal.db", "instance/secret_key", "instance/peppers"} <= set(found)
    assert found == expected(found, home)


def test_a_database_is_private_from_its_first_moment(tmp_path: Path) -> None:
    """Not only once the next start has mended it."""
    engine = create_engine(f"sqlite:///{tmp_path / 'portal.db'}")
    prepare_engine(engine)

    with umask(0), engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE a (b)")
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert found == dict.fromkeys(("portal.db", "portal.db-wal", "portal.db-shm"), 0o600)


def test_the_files_of_a_server_that_runs_are_private(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/readyz") as answer:
        assert answer.status == 200
    found = modes(server.instance)
    assert found == expected(found, server.instance)
    if server.database.kind == "sqlite":
        path = Path(server.database.url.partition(":///")[2])
        beside = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob(f"{path.name}*")}
        assert len(beside) == 3, "the file, its log and its index"
        assert set(beside.values()) == {0o600}


def an_older_installation(home: Path) -> dict[str, str]:
    (home / "mail").mkdir(parents=True)
    for name in ("portal.db", "portal.db-wal", "secret_key", "peppers", "mail/1-reset.eml"):
        (home / name).write_text("")
    (home / "secret_key").write_text("0Ue4qPz7xW2nKc9RtLb5HsYv8JmDg3Af6")
    (home / "peppers").write_text("p1:Zr8TqLw2Xv6NcKe4PyHb9JsMd5Ug3Fa7")
    for path in (home, *home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return {"PORTAL_INSTANCE_PATH": str(home)}


def test_what_an_older_portal_left_open_is_mended_and_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "instance"

    close_app(create_app(an_older_installation(home)))

    found = modes(home)
    assert found == expected(found, home)
    told = capfd.readouterr().err
    assert told.count("file.made-private") == len(found)
    assert "0644" in told


def test_what_is_somebody_elses_is_a_start_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = an_older_installation(tmp_path / "instance")

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(private_files.Path, "chmod", refuse)

    with pytest.raises(ConfigurationError, match=r"chmod 700 .*instance, or give it") as refused:
        create_app(settings)
    assert "\n" not in str(refused.value)
