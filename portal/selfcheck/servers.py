"""Server processes of the scratch installation, as the portal is shipped: ``flask serve``."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from portal.selfcheck.answers import GOOD, Broken
from portal.selfcheck.stage import CreatedKey

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0
END_SECONDS = 20.0
LOOK_EVERY = 0.1
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Server:
    """One of them, with its workers and its jobs."""

    port: int
    host: str
    """What requests are for: the host of the base URL."""

    def call(
        self, method: str, path: str, by: CreatedKey | None = None, *, form: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Send one request; the status, and what the answer says: ``good`` or the code of a refusal."""
        headers = {"Host": self.host}
        if by is not None:
            headers["Authorization"] = f"Basic {b64encode(f'{by.id}:{by.secret}'.encode()).decode()}"
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=END_SECONDS)
        try:
            connection.request(method, path, urlencode(form) if form is not None else None, headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status < 300:
            return answer.status, GOOD
        with suppress(ValueError, AttributeError):
            return answer.status, str(json.loads(body).get("error"))
        return answer.status, str(answer.status)

    def check(self, created: CreatedKey) -> str:
        """What it says of a key."""
        return self.call("GET", "/api/whoami/key", created)[1]


@contextmanager
def serving(settings: Mapping[str, str], *, many: int = 2) -> Iterator[list[Server]]:
    """Start so many server processes on one installation, and end them after.

    Raises Broken when one does not come up.
    """
    host = urlsplit(settings["PORTAL_BASE_URL"]).netloc
    with ExitStack() as stack:
        started = []
        for _ in range(many):
            server = Server(_free_port(), host)
            started.append((server, stack.enter_context(_process(settings, server.port))))
        for server, process in started:
            _wait(server, process)
        yield [server for server, _ in started]


@contextmanager
def _process(settings: Mapping[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    own = {"PORTAL_HOST": LOOPBACK, "PORTAL_PORT": str(port), "PORTAL_WORKERS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
        cwd=ROOT,
        env={**environment, **settings, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            if server.call("GET", "/healthz")[0] == http.HTTPStatus.OK:
                return
        time.sleep(LOOK_EVERY)
    raise Broken("a server process of the scratch installation did not come up")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
