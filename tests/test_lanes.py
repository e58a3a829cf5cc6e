"""What a machine can't run is told and never passes for tested; the tests ask for no package of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import lanes
from tests.support.databases import ROOT

TESTS = """
import pytest

@pytest.mark.from_debian("{0}")
def test_one(): pass

@pytest.mark.parametrize("way", [pytest.param("new", marks=pytest.mark.from_debian("")),
                                 pytest.param("old", marks=pytest.mark.from_debian("{0}"))])
def test_ways(way): pass

def test_other(): pass
"""
BASE = ("bash", "cat", "cmp", "cut", "dirname", "env", "grep", "id", "mkdir", "rm", "sha256sum", "sh")
"""Of a machine with nothing on it but what every system has."""


def run_pytest(folder: Path, ci: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder with none of our plugins but those that are named."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, "."],
        cwd=folder,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize(
    ("program", "ci", "passed", "left_out"),
    [
        ("no-such-program", "", 2, 2),
        ("no-such-program", "true", 4, 0),
        ("sh", "", 4, 0),
    ],
)
def test_a_lane_that_cannot_run_is_left_out_and_told_but_not_in_ci(
    tmp_path: Path, program: str, ci: str, passed: int, left_out: int, processes: str
) -> None:
    """A test that runs in CI without its program fails by itself: nothing skips it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = from_debian(programs): see pyproject.toml\n")
    (tmp_path / "test_it.py").write_text(TESTS.format(program), "utf-8")
    done = run_pytest(tmp_path, ci, "-p", "xdist", "-p", "tests.support.lanes", "-n", processes)

    assert (done.returncode, f"{passed} passed" in done.stdout) == (0, True), done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Left out: ") == bool(left_out), done.stdout
    if left_out:
        assert f"{left_out} tests" in last
        assert f"lacks {program} (as root, scripts/setup.sh debian installs them)" in last


@pytest.mark.parametrize(("ci", "passed"), [("", 1), ("true", 2)])
def test_the_lane_with_redis_is_left_out_without_the_extra(tmp_path: Path, ci: str, passed: int) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = with_redis: see pyproject.toml\n")
    (tmp_path / "conftest.py").write_text(
        "from tests.support import lanes\nlanes.find_spec = lambda name: None\n"
        "pytest_collection_modifyitems = lanes.pytest_collection_modifyitems\n"
        "pytest_unconfigure = lanes.pytest_unconfigure\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.with_redis\ndef test_it(): pass\n\ndef test_other(): pass\n"
    )
    done = run_pytest(tmp_path, ci)

    assert f"{passed} passed" in done.stdout, done.stdout
    assert ("requirements-redis.txt is not installed" in done.stdout.splitlines()[-1]) == (passed == 1)


@pytest.mark.parametrize(
    ("ci", "absent", "version", "told"),
    [
        ("", {"caddy", "nginx"}, (3, 11), ["this machine lacks caddy, nginx (", "this was Python 3.11"]),
        ("", {"curl"}, (3, 13), ["this machine lacks curl ("]),
        ("", set(), (3, 12), ["this was Python 3.12"]),
        ("", set(), (3, 13), []),
        ("", {"limits", "curl"}, (3, 13), ["requirements-redis.txt is not installed", "lacks curl ("]),
        ("true", {"limits"}, (3, 13), []),
        ("true", {"nginx"}, (3, 11), []),
    ],
)
def test_the_last_lines_of_a_run_say_which_lane_did_not_run(
    monkeypatch: pytest.MonkeyPatch, ci: str, absent: set[str], version: tuple[int, int], told: list[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    monkeypatch.setattr(lanes, "is_in_system", lambda name: name not in absent)
    monkeypatch.setattr(lanes, "find_spec", lambda name: None if name in absent else name)

    lines = lanes.not_run()

    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True)), lines


def test_the_lanes_stand_in_both_commands() -> None:
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\ntest: ")[2].partition("\n\n")[0]
    steps = (ROOT / ".ci/run").read_text("utf-8").partition("\nmake lint")[2]

    assert recipe.endswith("-m tests.support.lanes")
    assert steps.index("setup.sh debian") < steps.index("make test ") < steps.index("make test-newest")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A checkout whose locked packages are all installed, on a machine where apt-get tells of each call."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/setup.sh", tmp_path / "scripts")
    clients = "tests/clients/others/requirements-clients.txt"
    for folder in (".venv", ".venv-clients", ".venv-3.13", "node_modules/.chromium", "tests/clients/others"):
        (tmp_path / folder).mkdir(parents=True)
    for lock, stamp in (
        ("requirements-dev.txt", ".venv/.installed"),
        ("requirements-dev.txt", ".venv-3.13/.installed"),
        (clients, ".venv-clients/.installed"),
    ):
        (tmp_path / lock).touch()
        (tmp_path / stamp).write_text(f"{hashlib.sha256(b'').hexdigest()}  {lock}\n")
    (tmp_path / "package-lock.json").touch()
    (tmp_path / "node_modules/.installed").touch()
    shutil.copy(shutil.which("true") or "", tmp_path / "node_modules/.chromium/chromium")
    for name in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    base = tmp_path / "base"
    base.mkdir()
    for name in BASE:
        (base / name).symlink_to(shutil.which(name) or "")
    apt = base / "apt-get"
    apt.write_text(f'#!{shutil.which("sh")}\necho "$@" >>{tmp_path}/asked\nexit 1\n')
    apt.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("what", ["lint", "test"])
def test_the_tests_ask_nothing_of_the_systems_packages(installed: Path, what: str) -> None:
    done = subprocess.run(
        ["scripts/setup.sh", what],
        cwd=installed,
        env={"PATH": str(installed / "base")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert not (installed / "asked").exists(), (installed / "asked").read_text()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
