"""A copy of the tree, in which a mutant lives for the time of its tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.child import forking, run_pytest
from tests.mutants.table import Mutant, mutated
from tests.support.postgres import Postgres

LIMIT = 240
"""Seconds that the tests of one mutant may take."""
BASELINE_LIMIT = 1800
SHARED = (".venv", "node_modules")
PYTEST = ("-p", "pytest_timeout", "-p", "no:cacheprovider", "-q", "-rfE", "--tb=no")
"""Other plugins are left out: loading them takes longer than most of these tests."""
_FORKING = forking()
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it went with one mutant; ``told`` is the test that noticed, or what went wrong."""

    mutant: Mutant
    word: str
    told: str
    seconds: float
    selfcheck_noticed: bool = False

    @property
    def noticed(self) -> bool:
        """Whether a test failed because of it."""
        return self.word == "noticed"


class Copy:
    """One copy; used by one thread at a time."""

    def __init__(self, root: Path, postgres: Postgres | None = None) -> None:
        """``postgres`` is where selfcheck finds the databases of mutants that PostgreSQL alone shows."""
        self._root = root
        self._postgres = postgres
        self._python = str(root / ".venv" / "bin" / "python")
        self._databases: dict[str, str] = {}

    def attempt(self, mutant: Mutant, *, selfcheck: bool) -> Verdict:
        """Break the code, run the tests that must notice, mend it again."""
        if selfcheck and mutant.promise:
            self._prepare_instance(mutant.database)
        begun = time.monotonic()
        with self._broken(mutant):
            code, output = self._test(mutant.tests, mutant.database, LIMIT, "-x")
            seconds = time.monotonic() - begun
            seen = selfcheck and bool(mutant.promise) and self._selfcheck_notices(mutant)
        failed = FAILED.search(output)
        if code == 1 and failed:
            return Verdict(mutant, "noticed", failed[1], seconds, seen)
        if code == 0:
            return Verdict(mutant, "SURVIVED", "", seconds, seen)
        lines = output.strip().splitlines() or [""]
        return Verdict(mutant, "TIMED OUT" if code < 0 else "UNUSABLE", lines[-1], seconds, seen)

    def failures(self, tests: Sequence[str], database: str) -> list[str]:
        """Which of these tests fail on the code as it is. RuntimeError when they can't be run."""
        code, output = self._test(tests, database, BASELINE_LIMIT)
        if code not in {0, 1}:
            raise RuntimeError(f"the tests can't be run:\n{output}")
        return FAILED.findall(output)

    @staticmethod
    def proves_nothing(mutant: Mutant, red: Sequence[str]) -> Verdict | None:
        """The verdict where a test fails without the mutant, so that nobody could say who it was."""
        for test in mutant.tests:
            if any(each == test or each.startswith((f"{test}::", f"{test}[")) for each in red):
                return Verdict(mutant, "UNUSABLE", f"{test} fails without it", 0)
        return None

    def _test(self, tests: Sequence[str], database: str, limit: int, *more: str) -> tuple[int, str]:
        """The exit code of pytest (negative when time ran out), and what it said."""
        where = (f"--basetemp={self._root}-tmp", f"--database={database}")
        output = self._root.with_name(f"{self._root.name}-output")
        running = _FORKING.Process(
            target=run_pytest, args=(self._root, [*PYTEST, *more, *where, *tests], output)
        )
        running.start()
        running.join(limit)
        if running.exitcode is None:
            os.killpg(running.pid or 0, signal.SIGKILL)
            running.join()
        return running.exitcode or 0, output.read_text("utf-8", "replace")

    def _flask(self, database: str, *words: str) -> tuple[int, str, str]:
        """The exit code, and what was written to standard output and to standard error."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        done = subprocess.run(
            [self._python, "-m", "flask", "--app", "wsgi", *words],
            check=False,
            cwd=self._root,
            env=environ
            | {"PORTAL_INSTANCE_PATH": f"{self._root}-instance"}
            | {"PORTAL_DATABASE_URL": self._databases[database]},
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        return done.returncode, done.stdout, done.stderr

    @contextmanager
    def _broken(self, mutant: Mutant) -> Iterator[None]:
        texts = mutated(self._root, mutant)
        whole = {path: path.read_bytes() for path in texts}
        try:
            for path, text in texts.items():
                path.write_text(text, "utf-8")
                _forget_compiled(path)
            yield
        finally:
            for path, data in whole.items():
                path.write_bytes(data)
                _forget_compiled(path)

    def _prepare_instance(self, database: str) -> None:
        """A database for how selfcheck went; it is made while the code is whole."""
        if database in self._databases:
            return
        self._databases[database] = "sqlite:///portal.db"
        if database == "postgresql" and self._postgres:
            self._databases[database] = self._postgres.create(f"copy_{self._root.name}")
        code, _told, errors = self._flask(database, "db", "upgrade")
        if code:
            raise RuntimeError(f"selfcheck has no database:\n{errors}")

    def _selfcheck_notices(self, mutant: Mutant) -> bool:
        code, told, errors = self._flask(mutant.database, "selfcheck", "--json", mutant.promise)
        try:
            return not json.loads(told)["held"]
        except (ValueError, KeyError):
            print(f"selfcheck {mutant.promise} ended with {code}: {errors[-300:]}", file=sys.stderr)
            return False


def make_copy(root: Path, place: Path, postgres: Postgres | None = None) -> Copy:
    """Copy what git knows of the tree, and what is new in it; share the environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = root / name, place / name
        if source.is_file() and name not in SHARED:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for name in SHARED:
        if (root / name).exists():
            (place / name).symlink_to((root / name).resolve())
    return Copy(place, postgres)


def _forget_compiled(path: Path) -> None:
    """Python compares times in seconds and sizes, which may be the same before and after."""
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()
