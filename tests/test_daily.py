"""The commands for daily work: ``make dev``, ``make quick`` and ``make test-one``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from _pytest.outcomes import Exit

from scripts import quick
from tests.conftest import MakeApp
from tests.support.databases import ROOT
from tests.support.ports import free_port


def answer(url: str) -> str:
    """What is there, once it is there."""
    for _try in range(240):
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return str(response.read().decode())
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"{url} does not answer")


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The portal as ``make dev`` serves it, in a folder of its own."""
    port = free_port()
    settings = {"DEV_FOLDER": str(tmp_path / "dev"), "PORTAL_PORT": str(port)}
    elsewhere = {
        "PORTAL_DATABASE_URL": "sqlite:////nowhere/real.db",
        "PORTAL_BASE_URL": "https://keys.example",
    }
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [ROOT / "scripts" / "dev.sh"],
            env={**os.environ, **elsewhere, **settings},
            stdout=output,
            stderr=output,
        )
    yield f"http://127.0.0.1:{port}", process
    process.send_signal(signal.SIGTERM)
    process.wait(20)


@pytest.mark.timeout(240)  # on a busy machine
def test_dev_serves_demo_data_with_a_debugger_and_its_jobs_end_with_it(
    dev: tuple[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    url, process = dev
    page = answer(f"{url}/signin")

    assert "<h1" in page
    assert "openShell" in answer(f"{url}/?__debugger__=yes&cmd=resource&f=debugger.js")
    note = tmp_path / "dev" / "sign-in.txt"
    assert "ada@demo.example" in note.read_text()
    assert note.stat().st_mode & 0o077 == 0
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("jobs" in child.cmdline() for child in children)

    process.send_signal(signal.SIGTERM)
    process.wait(20)
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, gone


@pytest.mark.parametrize("is_debugging", [True, False])
def test_what_nobody_expects_reaches_the_debugger_and_no_visitor(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, is_debugging: bool
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", str(int(is_debugging)))
    app = make_app()
    app.view_functions["docs.index"] = lambda: 1 / 0

    if is_debugging:
        with pytest.raises(ZeroDivisionError):
            app.test_client().get("/docs")
    else:
        assert app.test_client().get("/docs").status_code == 500


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project under git, with a branch on which something changed."""
    files = {
        "portal/services/keys/rotation.py": "",
        "portal/services/keys/quotas.py": "",
        "tests/services/keys/test_rotation.py": "",
        "tests/services/keys/test_quotas.py": "",
        "tests/web/test_keys.py": "from portal.services.keys import rotation\n",
        "tests/api/test_apikeys.py": "import portal.services.keys.rotation as it\n",
        "tests/cli/test_keys.py": "from portal.services.keys.quotas import room\n",
        "templates/keys/index.html": "",
        "README.md": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q")
    git(tmp_path, "symbolic-ref", "HEAD", "refs/heads/main")  # -b is newer
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "checkout", "-qb", "mine")
    return tmp_path


def git(tree: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run(["git", *who, *words], cwd=tree, check=True, capture_output=True)


def test_quick_finds_what_was_committed_edited_and_added(tree: Path) -> None:
    assert quick.changed(tree) == []

    (tree / "README.md").write_text("more")
    git(tree, "commit", "-qam", "two")
    (tree / "portal/services/keys/rotation.py").write_text("x = 1\n")
    (tree / "tests/test_new.py").write_text("")
    (tree / "templates/keys/index.html").unlink()

    assert [str(path) for path in quick.changed(tree)] == [
        "README.md", "portal/services/keys/rotation.py", "tests/test_new.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("README.md", []),
        ("tests/web/test_keys.py", ["tests/web/test_keys.py"]),
        ("templates/keys/index.html", ["tests/web/test_keys.py"]),
        ("portal/services/keys/quotas.py", ["tests/services/keys/test_quotas.py", "tests/cli/test_keys.py"]),
        (
            "portal/services/keys/rotation.py",
            ["tests/services/keys/test_rotation.py", "tests/api/test_apikeys.py", "tests/web/test_keys.py"],
        ),
    ],
)
def test_quick_runs_the_tests_at_the_place_of_a_file_and_those_that_import_it(
    tree: Path, file: str, tests: list[str]
) -> None:
    assert quick.tests_of(tree, [Path(file)]) == tests


@pytest.mark.parametrize(
    ("text", "fine"),
    [('"""Fine."""\n', True), ('"""Bad."""\nimport os\n', False), ('"""Bad."""\nx=1\n', False)],
)
def test_quick_fails_for_what_the_lint_would_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fine: bool
) -> None:
    start, file = quick._start, tmp_path / "one.py"
    file.write_text(text)
    (tmp_path / "__init__.py").touch()
    monkeypatch.setattr(
        quick,
        "_start",
        lambda tool, *words: start(*(("ruff", "--version") if tool == "mypy" else (tool, *words))),
    )

    assert quick.Lint([file]).finish(time.monotonic() + 60) is fine


def test_quick_fails_for_a_tool_that_does_not_end_in_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = quick._start
    monkeypatch.setattr(
        quick, "_start", lambda tool, *words: start("python", "-c", "import time; time.sleep(60)")
    )

    assert not quick.Lint([Path("a.py")]).finish(time.monotonic())
    assert "mypy did not end in time" in capsys.readouterr().out


@pytest.mark.parametrize("failed", [False, True])
def test_when_the_minute_is_over_quick_tells_how_many_tests_are_left(failed: bool) -> None:
    minute = quick.Minute(time.monotonic() + 60)
    minute._left = 3
    minute.pytest_runtest_setup()
    minute.pytest_runtest_logreport(SimpleNamespace(failed=failed))  # type: ignore[arg-type]
    minute._until = time.monotonic() - 1

    with pytest.raises(Exit, match="2 tests early") as over:
        minute.pytest_runtest_setup()
    assert over.value.returncode == failed


def test_test_one_asks_which_and_measures_no_coverage() -> None:
    asked = subprocess.run(["make", "test-one"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode != 0
    assert "make test-one T=tests/" in asked.stderr

    would = subprocess.run(
        ["make", "--dry-run", "test-one", "T=tests/test_jobs.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"-m pytest +tests/test_jobs\.py$", would.stdout, re.MULTILINE)
    assert "--cov" not in would.stdout
