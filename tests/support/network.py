"""Nothing in the tests talks to another machine."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest


class NetworkRefused(AssertionError):
    """A test tried to reach another machine."""


def refuse_the_network(patch: pytest.MonkeyPatch) -> None:
    """Let sockets of this process reach loopback addresses and Unix sockets only."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_remote(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_remote(self.family, address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host and not _is_local(host):
            raise NetworkRefused(f"a test looked up {host!r}")
        return look_up(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_look_up)


def _refuse_remote(family: int, address: Any) -> None:
    if family in {socket.AF_INET, socket.AF_INET6} and not _is_local(address[0]):
        raise NetworkRefused(f"a test connected to {address!r}")


def _is_local(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
