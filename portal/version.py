"""Which version this is."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

PROJECT_FILE = Path(__file__).parent.parent / "pyproject.toml"


@cache
def running_version() -> str:
    """The version of this code, as its project file has it."""
    return str(tomllib.loads(PROJECT_FILE.read_text("utf-8"))["project"]["version"])
