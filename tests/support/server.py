"""The portal as it is shipped: ``flask serve`` in a process of its own."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.children import ending_with_us
from tests.support.databases import ROOT, Database
from tests.support.mailbox import Mailbox
from tests.support.ports import free_port
from tests.support.settings import settings_for

START_SECONDS = 45.0
STOP_SECONDS = 20.0
LOOK_EVERY = 0.05


@dataclass
class Server:
    """One machine of the installation: server, workers and jobs."""

    database: Database
    instance: Path
    port: int
    settings: dict[str, str] = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def mailbox(self) -> Mailbox:
        """The mails that its jobs have written, all that were due."""
        return Mailbox(self.instance / "mail", self._wait_for_outbox)

    def start(self) -> Server:
        """Start it and wait until it is well; RuntimeError with its log when it is not."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*ending_with_us("TERM"), sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
                cwd=ROOT,
                env={**environment, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(self._is_well, START_SECONDS, "the server did not come up")
        except RuntimeError as error:
            self.kill()
            raise RuntimeError(f"{error}:\n{self.output()}") from None
        return self

    def stop(self) -> int:
        """Ask it to end, as systemd does, and return its exit code."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise RuntimeError(f"the server did not stop:\n{self.output()}") from None
        self._kill_group()
        return self.process.returncode

    def kill(self) -> None:
        """End it with all its processes at once, as a power cut does."""
        assert self.process
        self._kill_group()
        self.process.wait(STOP_SECONDS)

    def finish(self) -> None:
        """Leave nothing behind when the test ends, however it went."""
        if self.process and self.process.poll() is None:
            self.stop()

    def output(self) -> str:
        """Everything that it has written to its terminal."""
        return self.log.read_text("utf-8", "replace")

    def _kill_group(self) -> None:
        assert self.process
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _is_well(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with {self.process.returncode}")
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == http.client.OK)
        except OSError:
            return False

    def _wait_for_outbox(self) -> None:
        def is_empty() -> bool:
            waiting = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"
            return bool(self.database.execute(waiting) == [(0,)])

        wait_until(is_empty, 15.0, "the jobs did not send what was due")


def make_server(database: Database, home: Path, settings: dict[str, str]) -> Server:
    """Lay out one server on a free port, with one worker; it is not started yet."""
    instance = home / "instance"
    port = free_port()
    own = {
        "PORTAL_HOST": "127.0.0.1",
        "PORTAL_PORT": str(port),
        "PORTAL_WORKERS": "1",
        **settings_for(database.url, instance),
        **settings,
    }
    return Server(database, instance, port, own, home / "server.log")


def wait_until(question: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Wait until the answer is yes; RuntimeError with the complaint when that takes too long."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise RuntimeError(complaint)
        time.sleep(LOOK_EVERY)
