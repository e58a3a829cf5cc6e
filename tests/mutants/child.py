"""What runs in a process of its own: the tests of one mutant, in its copy of the tree.

The processes are forked from one that has loaded what never changes, since loading it would
take longer than most of the tests. That one knows nothing of the portal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

LOADED = (
    "alembic", "argon2", "bs4", "email_validator", "flask_babel", "flask_login", "flask_migrate",
    "flask_sqlalchemy", "flask_wtf", "hypothesis", "limits", "prometheus_client", "psycopg", "pydantic",
    "pytest", "structlog", "time_machine",
)  # fmt: skip
"""Plugins of pytest are not among them: it has to see them first."""


def forking() -> ForkServerContext:
    """Where processes come from."""
    context = ForkServerContext()
    context.set_forkserver_preload([*LOADED])
    return context


def run_pytest(root: Path, arguments: Sequence[str], output: Path) -> None:
    """Run pytest in a copy, say everything into a file, and end with its exit code."""
    os.setsid()
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    here = str(Path.cwd())
    os.chdir(root)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[:] = [str(root), *(each for each in sys.path if each not in {"", here})]

    import pytest

    code = int(pytest.main(list(arguments)))
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
