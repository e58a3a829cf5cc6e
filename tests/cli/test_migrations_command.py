"""The commands about migrations, which no worker loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(instance: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PORTAL_INSTANCE_PATH": str(instance)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_migrates_an_empty_database_and_says_where_it_is(tmp_path: Path) -> None:
    flask = ("-m", "flask", "--app", "wsgi", "db")

    assert run(tmp_path, *flask, "upgrade").returncode == 0
    assert "(head)" in run(tmp_path, *flask, "current").stdout
    assert "upgrade" in run(tmp_path, *flask, "--help").stdout
    assert run(tmp_path, *flask, "nonsense").returncode == 2
    assert run(tmp_path, *flask, "upgrade", "--help").stdout.startswith(
        "Usage: python -m flask db upgrade [OPTIONS]"
    )


def test_a_worker_does_not_load_what_others_need(tmp_path: Path) -> None:
    others = {"alembic", "psycopg", "sqlalchemy.dialects.postgresql"}
    others |= {"prometheus_client", "portal.cli.accounts", "smtplib"}
    code = (
        "import sys; from portal.cli.process_watchdog import load_worker; load_worker('wsgi:app'); "
        f"print(sorted({others!r} & set(sys.modules)))"
    )

    assert run(tmp_path, "-c", code).stdout.strip() == "[]"
