"""The file of settings is read by one grammar, systemd's, by the server and by every command (row 79)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config_env_file import assignments, load_env_file
from config_values import ConfigurationError
from tests.support.databases import ROOT, Database

GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
URL = "postgresql+psycopg://u:p@db/keys?sslmode=require&target_session_attrs=read-write"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"A={URL}", {"A": URL}),
        ("A=a;b # no comment", {"A": "a;b # no comment"}),
        ("# A=1\n; B=2\n\n  C = 3  \nD", {"C": "3"}),
        ("# goes on \\\nA=1\nB=2", {"B": "2"}),
        ("A=b c\td  ", {"A": "b c\td"}),
        ("A='b  '\"c\\\"d\\x\" e", {"A": 'b  c"d\\xe'}),
        ("A='two\nlines'\nB=1", {"A": "two\nlines", "B": "1"}),
        ("A=\"two\\\nlines\"", {"A": "twolines"}),
        ("A=one\\\n  two", {"A": "one  two"}),
        ("A=b\\ \nB=\\$x\\\\", {"A": "b ", "B": "$x\\"}),
        ("A=it's \"so\"", {"A": "it's \"so\""}),
        ("A=\nB=''", {"A": "", "B": ""}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=`id`$(id)", {"A": "`id`$(id)"}),
        ("A='never ends", {"A": "never ends"}),
        ("A=\"never ends\\", {"A": "never ends"}),
        ("=\\\nA=1", {"A": "1"}),
        ("A==b", {"A": "=b"}),
        ("", {}),
    ],
)  # fmt: skip
def test_a_file_is_read_as_systemd_reads_it(text: str, found: dict[str, str]) -> None:
    """Each row was held against systemd 252; where it is here, it is asked again."""
    read = {name: value for name, value in assignments(text) if name.isidentifier()}

    assert read == found
    if GENERATOR.exists() and not any(each in text for each in ("$", "\t", "two\nlines")):
        assert as_systemd_reads(text) == {name: value for name, value in found.items() if value}


def as_systemd_reads(text: str) -> dict[str, str]:
    """What the program says that reads the same grammar for a user's session; it leaves out what is empty."""
    home = Path(os.environ["PYTEST_TMP"])
    (home / "environment.d").mkdir(exist_ok=True)
    (home / "environment.d" / "a.conf").write_text(text, newline="")
    told = subprocess.run(
        [GENERATOR], env={"XDG_CONFIG_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    shown = subprocess.run(
        ["bash", "-c", f"set -a\n{told.stdout}\nenv -0"], env={}, capture_output=True, text=True, check=True
    )
    pairs = (pair.partition("=") for pair in shown.stdout.split("\0"))
    return {name: value for name, _, value in pairs if name in {"A", "B", "C", "D"}}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PORTAL_")}
    monkeypatch.setattr(os, "environ", {**kept, "PYTEST_TMP": str(tmp_path)})


def load(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "environment"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.environ["PORTAL_ENV_FILE"] = str(file)
    load_env_file()


def test_what_the_environment_says_itself_wins_unless_it_is_empty(tmp_path: Path) -> None:
    os.environ.update(PORTAL_PORT="9000", PORTAL_LOG_LEVEL=" ")

    load(tmp_path, "\ufeffPORTAL_PORT=8000\nPORTAL_LOG_LEVEL=debug\nPGSSLMODE=require\nnot this=1\n")

    assert os.environ["PORTAL_PORT"] == "9000"
    assert os.environ["PORTAL_LOG_LEVEL"] == "debug"
    assert os.environ["PGSSLMODE"] == "require"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("export PORTAL_PORT=1", "without export"),
        ("PORTAL-PORT=1\nset PORTAL_X=2", "sets nothing"),
        (b"PORTAL_PORT=\xff", "no text in UTF-8"),
        ("PORTAL_PORT=1\0", "a NUL"),
    ],
)
def test_a_file_that_can_not_be_meant_is_refused_in_one_sentence(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        load(tmp_path, text)
    assert "\n" not in str(refused.value)


def flask(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        check=False,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("path", ["missing", "."])
def test_a_file_that_is_not_there_ends_the_start_in_one_line(tmp_path: Path, path: str) -> None:
    done = flask("account", "list", PORTAL_ENV_FILE=str(tmp_path / path))

    assert done.returncode == 1
    assert "PORTAL_ENV_FILE names a file that can't be read" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_command_works_on_the_database_of_the_file_and_names_it(database: Database, tmp_path: Path) -> None:
    """A shell lost what stands behind the ``&``, and the command worked on a new file of SQLite."""
    options = "" if database.kind == "sqlite" else "?connect_timeout=5&sslmode=disable"
    file = tmp_path / "environment"
    file.write_text(f"PORTAL_INSTANCE_PATH={tmp_path}\nPORTAL_DATABASE_URL={database.url}{options}\n")
    arguments = ("account", "block", "nobody@example.org", "--reason", "a test")

    done = flask(*arguments, PORTAL_ENV_FILE=str(file))

    name = database.url.rpartition("/")[2]
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is nothing here.")
    assert name in done.stderr.partition("Database: ")[2]
    assert "portal@" not in done.stderr
    assert "timeout" not in done.stderr


def test_the_wrapper_of_deploy_runs_a_command_with_the_files_settings(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "environment"
    file.write_text(f"PORTAL_INSTANCE_PATH={tmp_path}\nPORTAL_DATABASE_URL={database.url}\n")
    script = (ROOT / "deploy" / "chatelaine").read_text()
    me = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    for here, there in (
        ("home=/opt/chatelaine user=chatelaine", f"home={ROOT} user={me}"),
        ("/etc/chatelaine/environment", str(file)),
        (".venv/bin/flask", f"{sys.executable} -m flask"),
    ):
        assert here in script
        script = script.replace(here, there)
    wrapper = tmp_path / "chatelaine"
    wrapper.write_text(script)
    wrapper.chmod(0o755)

    done = subprocess.run(
        [wrapper, "account", "create", "ann@example.org", "--password-stdin"],
        check=False, cwd="/", input="violet-harbour-71-lantern\n", capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert database.execute("SELECT lemail FROM accounts") == [("ann@example.org",)]


def test_no_other_file_is_read_wherever_a_command_is_started(tmp_path: Path) -> None:
    """With python-dotenv there, flask would read a .env of any folder above, before a line of ours runs."""
    (tmp_path / "below").mkdir()
    (tmp_path / ".env").write_text("PORTAL_PORT=taken-from-env\n")

    told = subprocess.run(
        [sys.executable, "-m", "flask", "--app", str(ROOT / "wsgi.py"), "account", "list"],
        cwd=tmp_path / "below",
        env={**os.environ, "PORTAL_INSTANCE_PATH": str(tmp_path / "instance")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "PORTAL_PORT" not in told.stderr
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "python-dotenv" not in (ROOT / name).read_text("utf-8")
