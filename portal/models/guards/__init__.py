"""What the database itself must hold after all migrations: triggers and constraints, for both kinds.

``sqlite.sql`` and ``postgresql.sql`` beside this file say it, as the databases tell it. A test
holds the tables to them after every migration, and ``make guards`` writes them anew: whoever
changes a guard sees the change there, in one place, and answers for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

REVISION = "0014"
"""The newest migration, whose tables this code wants; a test holds it to what Alembic finds."""
FOLDER = Path(__file__).parent
_HEAD = "-- "
_CASTS = re.compile(r"::[a-z ]+[a-z](\[\])?")
_BRACKETS = re.compile(r"(?<!\w)\((\w+|'[^']*'|ARRAY\[[^\]]*\])\)|(?<=\()\(([^()]*)\)(?=\))")


@cache
def expected_guards(dialect: str) -> Mapping[str, str]:
    """Each guard by its name, such as ``trigger api_keys_owner``, as it must be on ``dialect``."""
    blocks = re.split(rf"^{_HEAD}", (FOLDER / f"{dialect}.sql").read_text("utf-8"), flags=re.MULTILINE)[1:]
    pairs = (block.partition("\n") for block in blocks)
    return {name.strip(): plain(text) for name, _, text in pairs}


def write_guards(dialect: str, guards: Mapping[str, str]) -> None:
    """Write down the guards as a migrated database tells them."""
    blocks = [f"{_HEAD}{name}\n{text}\n" for name, text in sorted(guards.items())]
    (FOLDER / f"{dialect}.sql").write_text("\n".join(blocks), "utf-8")


def plain(text: str) -> str:
    """A definition on one line, however it was written.

    A constraint that went through a dump of PostgreSQL comes back with its casts and brackets
    in other places; neither carries a meaning here.
    """
    line = " ".join(text.split())
    if line.startswith("CHECK"):
        line = _CASTS.sub("", line)
        while (less := _BRACKETS.sub(r"\1\2", line)) != line:
            line = less
    return line
