"""The load: wrk, with a script that sends the Authorization headers of a file in turn."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")


class LoadError(Exception):
    """The load could not be made; the message says why."""


@dataclass(frozen=True)
class Load:
    """What one spell of load gave; the times are milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int
    """Answers with a status of 400 or more."""
    broken: int
    """Connections and requests that had no answer."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def put_under_load(
    port: int, headers: Path, *, seconds: int, connections: int, path: str = "/api/whoami/key"
) -> Load:
    """Ask a path at a port of this machine for so many seconds.

    Raises LoadError when wrk is not there, or doesn't say what it did.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadError("wrk is not installed: install it (apt-get install wrk) and try again.")
    command = [wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--timeout", "30s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(headers)]
    command.append(path)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 30)
    return parse(done.stdout, done.stderr)


def parse(output: str, errors: str = "") -> Load:
    """Read the line that the script writes at the end. Raises LoadError when there is none."""
    line = next((each for each in output.splitlines() if each.startswith("RESULT ")), None)
    if line is None:
        raise LoadError(f"wrk gave no result: {errors.strip() or output.strip()}")
    requests, microseconds, p50, p99, refused, broken = (int(each) for each in line.split()[1:])
    return Load(requests, microseconds / 1e6, p50 / 1e3, p99 / 1e3, refused, broken)
