"""`make release` tags what the changelog tells of, and nothing that is half ready."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.databases import ROOT

TODAY = datetime.now(UTC).date()
CHANGES = f"""# Changelog

## 1.2.0 - {TODAY}

### Added
- Keys that fit.

## 1.1.0 - 2026-01-31

### Added
- Locks.
"""


class Clone:
    """A scratch repository with a version that is ready; nothing here touches the real one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "scripts").mkdir()
        shutil.copy(ROOT / "Makefile", root)
        shutil.copy(ROOT / "scripts" / "release.py", root / "scripts")
        (root / "scripts" / "setup.sh").write_text("#!/bin/sh\n")
        (root / "scripts" / "setup.sh").chmod(0o755)
        (root / ".venv").symlink_to(sys.prefix)
        self.git("init", "--quiet", "--initial-branch=main")
        (root / ".git" / "info" / "exclude").write_text(".venv\n")
        self.write(version="1.2.0")

    def write(self, changelog: str = CHANGES, version: str = "1.2.0") -> None:
        (self.root / "CHANGELOG.md").write_text(changelog, "utf-8")
        (self.root / "pyproject.toml").write_text(f'[project]\nname = "chatelaine"\nversion = "{version}"\n')
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message=Get ready")

    def git(self, *arguments: str) -> str:
        return self._run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments).stdout

    def release(self) -> subprocess.CompletedProcess[str]:
        return self._run("make", "release", check=False)

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MAKE"))}
        names = {
            f"GIT_{who}_{what}": "ada@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        environment = {**others, **names, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(
            command, cwd=self.root, env=environment, check=check, capture_output=True, text=True
        )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_it_tags_the_version_with_its_changes(clone: Clone) -> None:
    done = clone.release()

    assert done.returncode == 0, done.stderr
    assert "git push origin main v1.2.0" in done.stdout
    assert clone.git("cat-file", "-t", "v1.2.0").strip() == "tag"
    assert clone.git("rev-parse", "v1.2.0^{commit}") == clone.git("rev-parse", "HEAD")
    told = clone.git("tag", "--list", "v1.2.0", "--format=%(contents)").strip()
    assert told == "Chatelaine 1.2.0\n\n### Added\n- Keys that fit."


def unreleased(clone: Clone) -> None:
    clone.write(CHANGES.replace("## 1.2.0", "## Unreleased\n\n### Fixed\n- A hinge.\n\n## 1.2.0"))


def not_told(clone: Clone) -> None:
    clone.write(version="1.3.0")


def nothing_told(clone: Clone) -> None:
    clone.write(CHANGES.replace("- Keys that fit.\n", ""))


def no_changelog(clone: Clone) -> None:
    clone.write("# Changelog\n")


def days_ago(clone: Clone) -> None:
    clone.write(CHANGES.replace(str(TODAY), str(TODAY - timedelta(days=2))))


def no_date(clone: Clone) -> None:
    clone.write(CHANGES.replace(f" - {TODAY}", ""))


def changed(clone: Clone) -> None:
    (clone.root / "CHANGELOG.md").write_text(CHANGES + "\n", "utf-8")


def staged(clone: Clone) -> None:
    changed(clone)
    clone.git("add", "CHANGELOG.md")


def forgotten(clone: Clone) -> None:
    (clone.root / "new.py").touch()


def branch(clone: Clone) -> None:
    clone.git("switch", "--quiet", "--create", "hinges")


def no_branch(clone: Clone) -> None:
    clone.git("switch", "--quiet", "--detach")


def tagged(clone: Clone) -> None:
    clone.git("tag", "v1.2.0")


def older(clone: Clone) -> None:
    clone.git("tag", "v1.10.0")


def no_version(clone: Clone) -> None:
    clone.write(CHANGES.replace("## 1.2.0", "## 1.2"), version="1.2")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (unreleased, "first section"),
        (not_told, "first section"),
        (no_changelog, "first section"),
        (days_ago, "first section"),
        (no_date, "first section"),
        (nothing_told, "tells nothing"),
        (changed, "CHANGELOG.md"),
        (staged, "CHANGELOG.md"),
        (forgotten, "new.py"),
        (branch, "main"),
        (no_branch, "main"),
        (tagged, "v1.2.0"),
        (older, "v1.10.0"),
        (no_version, "three numbers"),
    ],
)
def test_what_is_not_ready_is_not_tagged_and_it_says_why(
    clone: Clone, spoil: Callable[[Clone], None], why: str
) -> None:
    spoil(clone)
    before = clone.git("tag")

    done = clone.release()

    assert done.returncode != 0
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert clone.git("tag") == before


def test_all_that_is_missing_is_told_at_once(clone: Clone) -> None:
    forgotten(clone)
    clone.git("switch", "--quiet", "--create", "hinges")

    told = clone.release().stderr

    assert "new.py" in told
    assert "main" in told
