"""Tag the version of pyproject.toml, once the changelog and the tree are ready for it.

Run by ``make release``. It publishes nothing: the tag is pushed by hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def main() -> int:
    """Tag, or say all that is missing; the exit code is 0 when it is tagged."""
    version = str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])
    heading, changes = newest_section((ROOT / "CHANGELOG.md").read_text("utf-8"))
    missing = [*wrong_version(version), *wrong_changelog(version, heading, changes), *wrong_tree()]
    if missing:
        sys.stderr.writelines(f"release: {each}\n" for each in missing)
        return 1
    # Verbatim, or git would take the headings of the changelog for comments.
    git(
        "tag",
        "--annotate",
        "--cleanup=verbatim",
        f"v{version}",
        "--message",
        f"Chatelaine {version}\n\n{changes}\n",
    )
    sys.stdout.write(f"Tagged v{version}. To publish it: git push origin main v{version}\n")
    return 0


def newest_section(changelog: str) -> tuple[str, str]:
    """The first heading of a version in a changelog, and what stands below it."""
    first, *_older = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:] or [""]
    heading, _, changes = first.partition("\n")
    return heading, changes.strip()


def wrong_version(version: str) -> Iterator[str]:
    """What keeps this version from being the next one."""
    number = numbers(version)
    if number is None:
        yield f"the version in pyproject.toml is {version}: give it three numbers, such as 1.2.0."
        return
    newest = max(
        (found for each in git("tag", "--list", "v*").split() if (found := numbers(each))), default=()
    )
    if number <= newest:
        tag = ".".join(map(str, newest))
        yield f"v{tag} is tagged: raise the version in pyproject.toml above it."


def numbers(version: str) -> tuple[int, ...] | None:
    """A version as numbers that can be compared; None for anything else."""
    found = VERSION.fullmatch(version)
    return tuple(map(int, found.groups())) if found else None


def wrong_changelog(version: str, heading: str, changes: str) -> Iterator[str]:
    """What the changelog lacks."""
    today = datetime.now(UTC).date()
    # Around the world it is yesterday or tomorrow.
    dated = [f"{version} - {today + timedelta(days=days)}" for days in (0, -1, 1)]
    if heading not in dated:
        yield f"the first section of CHANGELOG.md is “{heading}”: make it “{dated[0]}”."
    elif not re.search("^- ", changes, re.MULTILINE):
        yield f"CHANGELOG.md tells nothing of {version}."


def wrong_tree() -> Iterator[str]:
    """What is not as it was committed, and where this is."""
    files = git("status", "--porcelain").splitlines()
    if files:
        yield f"not committed: {', '.join(line[3:] for line in files)}."
    branch = git("branch", "--show-current").strip()
    if branch != "main":
        yield f"releases are made on main, and this is {branch or 'no branch'}."


def git(*arguments: str) -> str:
    """What git says to this."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603, S607  # our own words


if __name__ == "__main__":
    sys.exit(main())
