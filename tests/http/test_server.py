"""The guards through the server that ships, over a raw socket (rows 13, 35 and 42)."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.support.server import Server, wait_until


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    """One server for all these tests: what it refuses leaves nothing behind."""
    return shared_server


NEXT = b"GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: HOST\r\n"
POST = b"POST /signin HTTP/1.1\r\nHost: HOST\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EMPTY = b"\r\n0\r\n\r\n"

MALFORMED = {
    "a length and chunks": POST + b"Content-Length: 6\r\n" + CHUNKED + EMPTY + b"X",
    "chunks and a length": POST + CHUNKED + b"Content-Length: 4\r\n\r\n1\r\nZ\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "a length with a sign": POST + b"Content-Length: +3\r\n\r\nabc",
    "a length in hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n" + EMPTY,
    "an unknown encoding": POST + b"Transfer-Encoding: xchunked\r\n" + EMPTY,
    "chunks that are not last": POST + b"Transfer-Encoding: chunked, identity\r\n" + EMPTY,
    "a vertical tab": POST + b"Transfer-Encoding:\x0bchunked\r\n" + EMPTY,
    "chunks in HTTP/1.0": b"POST /signin HTTP/1.0\r\nHost: HOST\r\n" + CHUNKED + EMPTY,
    "a chunk size with 0x": POST + CHUNKED + b"\r\n0x1\r\nZ\r\n0\r\n\r\n",
    "a negative chunk": POST + CHUNKED + b"\r\n-1\r\nZ\r\n0\r\n\r\n",
    "a chunk size that overflows": POST + CHUNKED + b"\r\nfffffffffffffffff\r\nZ\r\n0\r\n\r\n",
    "chunks with bare line feeds": POST + CHUNKED + b"\r\n1\nZ\n0\n\n",
    "a folded header": GET + b"X-A: a\r\n b\r\n\r\n",
    "a bare carriage return": GET + b"X-A: a\rHost: evil.example\r\n\r\n",
    "NUL in a header": GET + b"X-A: a\0b\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\nHost: HOST\r\n\r\n",
    "a space in the target": b"GET / x HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
CLOSE = b"Connection: close\r\n"
HOST = b"Host: HOST\r\n"
LAST = b"GET / HTTP/1.1\r\n" + CLOSE
LAST_POST = POST + CLOSE
REFUSED = {
    "no host": (LAST + b"\r\n", b"400"),
    "another host": (LAST + b"Host: evil.example\r\n\r\n", b"400"),
    "two hosts": (LAST + HOST + b"Host: evil.example\r\n\r\n", b"400"),
    "two encodings": (LAST_POST + b"Transfer-Encoding: identity\r\n" + CHUNKED + EMPTY, b"400"),
    "a method in small letters": (b"get / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n", b"400"),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n", b"405"),
    "CONNECT": (
        b"CONNECT evil.example:443 HTTP/1.1\r\nConnection: close\r\nHost: evil.example:443\r\n\r\n",
        b"400",
    ),
    "a long address": (
        b"GET /" + b"y" * 6000 + b" HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
        b"414",
    ),
    "long headers": (LAST + HOST + b"X-A: " + b"y" * 20_000 + b"\r\n\r\n", b"431"),
    "longer headers": (LAST + HOST + b"X-A: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
    "many headers": (LAST + HOST + b"".join(b"X-%d: y\r\n" % n for n in range(150)) + b"\r\n", b"431"),
    "a long body": (LAST_POST + b"Content-Length: 65537\r\n\r\n" + b"y" * 65537, b"413"),
    "a long body in chunks": (
        LAST_POST + CHUNKED + b"\r\n10001\r\n" + b"y" * 65537 + EMPTY,
        b"413",
    ),
}


def send(server: Server, raw: bytes) -> list[bytes]:
    """Send bytes as they are; return the statuses of what comes until the end."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        try:
            connection.sendall(raw.replace(b"HOST", b"127.0.0.1:%d" % server.port))
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:
            pass
    return re.findall(rb"HTTP/1\.[01] (\d{3})", answer)


def test_malformed_requests_are_refused_and_nothing_is_smuggled_behind_them(server: Server) -> None:
    wrong = {}
    for name, raw in MALFORMED.items():
        statuses = send(server, raw + NEXT)
        if statuses != [b"400"]:
            wrong[name] = statuses

    assert not wrong
    assert send(server, LAST + HOST + b"\r\n") == [b"200"], "and it serves on"


def test_what_passes_the_server_is_refused_by_the_application(server: Server) -> None:
    wrong = {}
    for name, (raw, status) in REFUSED.items():
        statuses = send(server, raw)
        if statuses != [status]:
            wrong[name] = statuses

    assert not wrong


def addresses(server: Server, *headers: bytes) -> list[str]:
    """Ask for a page that isn't there and read from the log where the server saw that come from."""
    before = len(answered(server))
    send(
        server, b"GET /nowhere HTTP/1.1\r\nHost: HOST\r\n" + b"".join(headers) + b"Connection: close\r\n\r\n"
    )
    wait_until(lambda: len(answered(server)) > before, 5, "the answer was not logged")
    return [line["address"] for line in answered(server)[before:]]


def answered(server: Server) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in server.output().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == "answered"]


def test_forged_headers_change_no_address(server: Server) -> None:
    for header in (
        b"X-Forwarded-For: 198.51.100.1",
        b"X_Forwarded_For: 198.51.100.1",
        b"Forwarded: for=198.51.100.1",
        b"X-Real-IP: 198.51.100.1",
    ):
        assert addresses(server, header + b"\r\n") == ["127.0.0.1"]


@pytest.mark.sqlite_only(reason="this does not depend on the kind of the database")
def test_a_trusted_hop_is_believed_and_what_stands_left_of_it_is_not(start_server: StartServer) -> None:
    server = start_server(PORTAL_TRUSTED_PROXIES="127.0.0.0/8", PORTAL_PROXY_HEADER="X-Forwarded-For")

    told = addresses(server, b"X-Forwarded-For: 1.2.3.4\r\n", b"X-Forwarded-For: 198.51.100.1\r\n")

    assert told == ["198.51.100.1"]
    assert addresses(server, b"X-Real-IP: 198.51.100.1\r\n") == ["127.0.0.1"]
    for emptied in (b"X-Forwarded-For:\r\n", b"X-Forwarded-For: 127.0.0.9\xff, 198.51.100.1\r\n"):
        assert send(server, LAST + HOST + emptied + b"\r\n") == [b"400"]
