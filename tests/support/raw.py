"""Bytes to a socket and back: requests that no client library would send."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass

_STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})", re.MULTILINE)
WAIT = 3.0


@dataclass(frozen=True)
class Talk:
    """Everything that the server said before it closed, or fell silent."""

    data: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [int(found) for found in _STATUS.findall(self.data)]


def talk(port: int, data: bytes, *, wait: float = WAIT, slices: int = 1) -> Talk:
    """Send bytes to a port of this machine, in so many parts, and read until nothing more comes."""
    size = -(-len(data) // slices)
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        with suppress(ConnectionError):
            for start in range(0, len(data), size):
                connection.sendall(data[start : start + size])
        return _read(connection)


def _read(connection: socket.socket) -> Talk:
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except TimeoutError:
        return Talk(said, closed=False)
    except ConnectionError:
        pass
    return Talk(said, closed=True)
