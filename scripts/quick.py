"""Lint what changed since main, and run the tests of that; ``make quick`` ends within a minute.

The tests of a file are those at its place in ``tests/`` and those that import it. They run on
SQLite, without the slow ones that start a server or a browser. What the minute was too short
for is told: ``make check`` is what has to pass.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 45.0
RULES = ("tests/test_layers.py", "tests/test_documents.py")
"""They read the whole tree in a few seconds, and notice what is easily forgotten."""
OPTIONS = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--database", "sqlite", "--no-header")


def changed(root: Path, base: str = "main") -> list[Path]:
    """The files that differ from where this branch left ``base``, new ones too, deleted ones not."""
    left = _git(root, "merge-base", "HEAD", base) or ["HEAD"]
    names = _git(root, "diff", "--name-only", "--diff-filter=d", left[0])
    names += _git(root, "ls-files", "--others", "--exclude-standard")
    return [Path(name) for name in sorted(set(names)) if (root / name).is_file()]


def tests_of(root: Path, files: Iterable[Path]) -> list[str]:
    """The files of tests that are about these: themselves, at their place, or by their imports."""
    found, modules = list[Path](), set[str]()
    for path in files:
        if path.suffix == ".py":
            modules.add(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
        if path.parts[0] == "tests" and path.name.startswith("test_"):
            found.append(path)
        elif path.parts[0] == "portal":
            found.append(Path("tests", *path.parts[1:-1], f"test_{path.stem}.py"))
        elif path.parts[0] == "templates":
            found.append(Path("tests", "web", f"test_{path.parts[1].removesuffix('.html')}.py"))
    for test in sorted((root / "tests").rglob("test_*.py")):
        if modules & set(_imports(ast.parse(test.read_text("utf-8")))):
            found.append(test.relative_to(root))
    return list(dict.fromkeys(str(path) for path in found if (root / path).is_file()))


class Lint:
    """Style and types of the files, looked at while the tests run."""

    def __init__(self, files: Iterable[Path]) -> None:
        files = list(files)
        code = [str(path) for path in files if path.suffix == ".py"]
        pages = [str(path) for path in files if path.parts[0] == "templates"]
        commands = [["ruff", "check", *code], ["ruff", "format", "--check", *code], ["mypy"]] if code else []
        commands += [["djlint", "--quiet", "--lint", *pages]] if pages else []
        self._running = [(words[0], _start(*words)) for words in commands]

    def finish(self, until: float) -> bool:
        """Print what was found; False when something was, and when a tool did not end in time."""
        fine = True
        for tool, process in self._running:
            try:
                said, _nothing = process.communicate(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                said, _nothing = process.communicate()
                said += f"{tool} did not end in time: see make lint\n"
            if process.returncode:
                sys.stdout.write(said)
                fine = False
        return fine


class Minute:
    """Leaves the slow tests out, and stops when the time is over."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._left = self._failed = 0

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what takes seconds."""
        from tests.conftest import SLOW  # noqa: PLC0415  # pytest rewrites it first

        slow = [item for item in items if not SLOW.isdisjoint(getattr(item, "fixturenames", ()))]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
        self._left = len(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count."""
        self._failed += report.failed

    def pytest_runtest_setup(self) -> None:
        """End the run when the time is over."""
        if time.monotonic() > self._until:
            pytest.exit(
                f"The minute is over, {self._left} tests early: make check has them.", self._failed > 0
            )
        self._left -= 1


def main() -> int:
    """Lint and test; 0 when nothing was found."""
    begun = time.monotonic()
    files = changed(ROOT)
    if not files:
        sys.stdout.write("Nothing has changed since main.\n")
        return 0
    lint, tests = Lint(files), tests_of(ROOT, files)
    sys.stdout.write(f"{len(files)} files changed, {len(tests)} files of tests are about them.\n")
    code = int(pytest.main([*OPTIONS, *dict.fromkeys([*tests, *RULES])], [Minute(begun + SECONDS)]))
    return code if lint.finish(begun + SECONDS + 8) else 1


def _start(tool: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  # our own tools
        [Path(sys.executable).with_name(tool), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _git(root: Path, *words: str) -> list[str]:
    command = ["git", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.splitlines() if done.returncode == 0 else []


def _imports(tree: ast.Module) -> Iterator[str]:
    """The modules that a file imports, whole or in part."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    sys.exit(main())
