"""Which version this is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PROJECT_FILE = Path(__file__).parent.parent / "pyproject.toml"


@cache
def running_version() -> str:
    """The version of this code, as its project file has it."""
    import tomllib  # noqa: PLC0415  # seldom needed

    return str(tomllib.loads(PROJECT_FILE.read_text("utf-8"))["project"]["version"])
