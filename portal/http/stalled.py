"""Connections whose request does not come to its end: the server has no deadline for bodies.

Nothing above the server can end its read of a body, and nothing there tells which connection a
request came by. But the kernel knows of each when it last took data, and where a connection is
shut for reading, the read ends: the client gets its answer, and then the end.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from portal.http.proxy import canonical_ip_address

_DESCRIPTORS = Path("/proc/self/fd")
_LENGTH = 56
_LAST_SENT = 17
"""Where Linux's ``tcp_info`` has the milliseconds: eight small fields stand before the 32-bit ones."""


def cut(peer: str, unanswered: float) -> int:
    """Shut for reading the connections from an address that were sent nothing for so many seconds.

    Returns how many. The server itself ends a connection that rests before, so all that are left
    hold up a request. Where the kernel can't tell, none is shut.
    """
    found = 0
    for connection in _connections(peer):
        with connection, suppress(OSError):
            told = struct.unpack("8B12I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LENGTH))
            if told[_LAST_SENT] >= unanswered * 1000:
                connection.shutdown(socket.SHUT_RD)
                found += 1
    return found


def _connections(peer: str) -> Iterator[socket.socket]:
    """The connections of this process from an address."""
    if not hasattr(socket, "TCP_INFO") or not _DESCRIPTORS.is_dir():
        return
    for each in _DESCRIPTORS.iterdir():
        with suppress(OSError):
            if str(each.readlink()).startswith("socket:"):
                connection = socket.socket(fileno=os.dup(int(each.name)))
                if _is_from(connection, peer):
                    yield connection
                else:
                    connection.close()


def _is_from(connection: socket.socket, peer: str) -> bool:
    """Whether a connection is one by TCP from this address; one that listens has no other end."""
    if connection.family not in {socket.AF_INET, socket.AF_INET6} or connection.type != socket.SOCK_STREAM:
        return False
    try:
        return canonical_ip_address(connection.getpeername()[0]) == peer
    except OSError:
        return False
