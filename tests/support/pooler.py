"""A real PgBouncer in transaction mode, from the system's package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.support.children import ending_with_us
from tests.support.ports import free_port
from tests.support.postgres import SUPERUSER
from tests.support.programs import in_system
from tests.support.server import wait_until

START_SECONDS = 15.0
SESSIONS = 2
"""So few that no client finds the session of its last transaction again, but by chance."""
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={database_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
server_round_robin = 1
max_client_conn = 200
"""


class Pooler:
    """One PgBouncer on a free loopback port, before the PostgreSQL on another."""

    def __init__(self, database_port: int) -> None:
        self.port = free_port()
        self._database_port = database_port
        self._home = Path(tempfile.mkdtemp(prefix="portal-pooler-"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it lets somebody in; RuntimeError with its log when it does not."""
        program = in_system("pgbouncer")
        users = self._home / "users"
        users.write_text(f'"{SUPERUSER}" ""\n')
        file = self._home / "pgbouncer.ini"
        file.write_text(
            CONFIGURATION.format(
                database_port=self._database_port, port=self.port, users=users, sessions=SESSIONS
            )
        )
        self._home.chmod(0o755)
        log = self._home / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*ending_with_us("TERM"), program, str(file)],
                stdout=output,
                stderr=output,
                user="nobody" if os.geteuid() == 0 else None,
            )
        try:
            wait_until(self._lets_in, START_SECONDS, "PgBouncer did not come up")
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"{error}:\n{log.read_text('utf-8', 'replace')}") from None

    def stop(self) -> None:
        """End it at once, and remove what it wrote."""
        if self._process:
            self._process.kill()
            self._process.wait(START_SECONDS)
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self, direct: str) -> str:
        """The way through it to a database, of which ``direct`` is the way past it."""
        name = direct.rpartition("/")[2]
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def _lets_in(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"PgBouncer ended with {self._process.returncode}")
        try:
            psycopg.connect(
                host="127.0.0.1", port=self.port, user=SUPERUSER, dbname="postgres", connect_timeout=2
            ).close()
        except psycopg.OperationalError:
            return False
        return True
