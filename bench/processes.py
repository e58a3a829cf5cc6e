"""Servers of the benchmark: started on a free port of this machine, watched, and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
START_SECONDS = 30.0
END_SECONDS = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")
_NOT_WORKERS = (b"resource_tracker", b"jobs\0run")


class ServerError(Exception):
    """A server did not start; the message holds what it said."""


class Server:
    """A server with its worker processes."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.port = port
        self._process = process
        self._log = log

    def wait_until_ready(self) -> None:
        """Return when the port answers. Raises ServerError when it doesn't in time."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise ServerError(f"{self._log.stem} did not start:\n{self._log.read_text()[-2000:]}")

    def workers(self) -> list[int]:
        """The process ids of the workers, without those of jobs and helpers."""
        children = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        pids = {int(pid) for each in children for pid in each.read_text().split()}
        return sorted(pid for pid in pids if not any(mark in _command(pid) for mark in _NOT_WORKERS))

    def cpu_seconds(self) -> float:
        """The processor time that the workers have used so far."""
        return sum(_cpu_ticks(pid) for pid in self.workers()) / _TICKS

    def megabytes(self) -> tuple[float, float]:
        """The largest RSS and the largest PSS of a worker, in MB."""
        sizes = [_memory(pid) for pid in self.workers()]
        return max(rss for rss, _pss in sizes), max(pss for _rss, pss in sizes)

    def end(self) -> None:
        """Ask it to end, and make it end when it does not."""
        workers = self.workers() if self._process.poll() is None else []
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in (*workers, self._process.pid):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()


@contextmanager
def serving(
    name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[Server]:
    """Run a server for as long as the block runs.

    ``{port}`` in its command and environment is the port it has to take; what it says goes to
    a file of the folder.
    """
    port = free_port()
    log = folder / f"{name}.log"
    filled = [each.replace("{port}", str(port)) for each in command]
    variables = {key: value.replace("{port}", str(port)) for key, value in environment.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            filled, env={**os.environ, **variables}, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(process, port, log)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.end()


def ask(server: Server, authorization: str) -> int:
    """The status of one key check."""
    url = f"http://127.0.0.1:{server.port}/api/whoami/key"
    request = urllib.request.Request(url, headers={"Authorization": authorization})
    try:
        with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _memory(pid: int) -> tuple[float, float]:
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, kilobytes = line.split()[:2]
        sizes[name] = int(kilobytes) * 1024 / 1e6
    return sizes["Rss:"], sizes["Pss:"]
