"""The client fails closed: whatever a portal says that is not a clear yes lets nobody in."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import parse_headers
from types import ModuleType
from typing import Any

import pytest

from tests.support.databases import ROOT
from tests.support.ports import free_port
from tests.support.server import wait_until

CERTIFICATES = ROOT / "tests/support/tls"
TOKEN = "chk_nobody-looks-at-it"
KEY = "0190f3a8-0000-7000-8000-000000000001"
SECRET = "the-services-own"
GOOD = {
    "active": True,
    "sub": "7",
    "username": "alice",
    "role": "user",
    "level": 4,
    "client_id": KEY,
    "exp": 4_000_000_000,
}


class OddPortal:
    """Says the same to everybody, and counts who asks."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.says = b""
        self._tls = tls
        self.asked: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._answer, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _answer(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with (
                suppress(OSError),
                self._tls.wrap_socket(connection, True) if self._tls else connection as connection,
            ):
                self.asked.append(_read_request(connection))
                connection.sendall(self.says)
                if not self.says:
                    connection.recv(1)  # until the client has waited long enough


def _read_request(connection: socket.socket) -> bytes:
    """All of it: whoever closes with something unread resets the connection, and the answer is lost."""
    with connection.makefile("rb") as stream:
        line = stream.readline()
        return line + stream.read(int(parse_headers(stream).get("Content-Length", 0)))


@pytest.fixture
def odd() -> Iterator[OddPortal]:
    created = OddPortal()
    yield created
    created.close()


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def told(**changed: Any) -> bytes:
    facts = {name: value for name, value in {**GOOD, **changed}.items() if value is not ...}
    return http("200 OK", json.dumps(facts).encode())


ODD: dict[str, bytes] = {
    "a redirect": http("307 Temporary Redirect", b"", "Location: http://127.0.0.1:9/api/introspect"),
    "a redirect with a yes": http("302 Found", json.dumps(GOOD).encode(), "Location: https://example.org/"),
    "the service is refused": http("401 Unauthorized", b"{}", "WWW-Authenticate: Basic"),
    "the service's level is too low": http("403 Forbidden", b"{}"),
    "the service asks too often": http("429 Too Many Requests", b"{}", "Retry-After: 7"),
    "an error with a yes": http("500 Oops", json.dumps(GOOD).encode()),
    "no content": http("204 No Content", b""),
    "no JSON": http("200 OK", b"<h1>Welcome</h1>"),
    "a list": http("200 OK", b"[true]"),
    "too deep": http("200 OK", b"[" * 60_000),
    "too long": http("200 OK", b'{"active": true, "x": "' + b"x" * 70_000 + b'"}'),
    "cut off": told()[:-20],
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing in time": b"",
    "active is a word": told(active="true"),
    "active is a number": told(active=1),
    "no active": told(active=...),
    "no account": told(sub=...),
    "an account that is a number": told(sub=7),
    "a level that is true": told(level=True),
    "a level that is a word": told(level="4"),
    "no end": told(exp=...),
    "an end that is a fraction": told(exp=4e9),
    "no key": told(client_id=None),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_clear_yes_lets_nobody_in(client_module: ModuleType, odd: OddPortal, name: str) -> None:
    odd.says = ODD[name]
    patience = 20 if odd.says else 0.25
    portal = client_module.Portal(odd.url, KEY, SECRET, timeout=patience, cache_seconds=60)

    for _ in range(2):
        with pytest.raises(client_module.PortalUnavailable) as caught:
            portal.check(TOKEN)
    portal.close()

    assert caught.value.status == 503
    assert caught.value.headers == ({"Retry-After": "7"} if "too often" in name else {})
    wait_until(lambda: len(odd.asked) == 2, 20, "it was not asked twice")
    assert TOKEN not in str(caught.value) + str(caught.value.body)


def test_a_portal_that_is_not_there_lets_nobody_in(client_module: ModuleType) -> None:
    portal = client_module.Portal(f"http://127.0.0.1:{free_port()}", KEY, SECRET)

    with pytest.raises(client_module.PortalUnavailable):
        portal.check(TOKEN)


def test_a_yes_about_another_key_or_an_old_one_lets_nobody_in(
    client_module: ModuleType, odd: OddPortal
) -> None:
    portal = client_module.Portal(odd.url, KEY, SECRET)
    for says, shown in ((told(), f"{KEY[:-1]}2:{TOKEN}"), (told(exp=1), TOKEN)):
        odd.says = says
        with pytest.raises(client_module.NotAuthenticated):
            portal.check(shown)

    odd.says = told()
    assert portal.check(f"{KEY.upper()}:{TOKEN}").key == KEY


def test_a_no_is_never_kept(client_module: ModuleType, odd: OddPortal) -> None:
    portal = client_module.Portal(odd.url, KEY, SECRET, cache_seconds=60)
    odd.says = http("200 OK", b'{"active": false}')
    with pytest.raises(client_module.NotAuthenticated):
        portal.check(TOKEN)
    odd.says = told()

    assert [portal.check(TOKEN).level for _ in range(2)] == [4, 4]
    assert len(odd.asked) == 2


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("https://keys.example.org", True),
        ("https://keys.example.org:8443/portal/", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("http://keys.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost@example.org", False),
        ("https://user@keys.example.org", False),
        ("https://keys.example.org/?x=1", False),
        ("ftp://localhost", False),
        ("keys.example.org", False),
    ],
)
def test_the_services_secret_is_sent_in_the_clear_to_nobody(
    client_module: ModuleType, url: str, is_taken: bool
) -> None:
    if is_taken:
        client_module.Portal(url, KEY, SECRET)
    else:
        with pytest.raises(ValueError, match="https"):
            client_module.Portal(url, KEY, SECRET)
    if url == "http://keys.example.org":
        client_module.Portal(url, KEY, SECRET, allow_http=True)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_was_cut_meanwhile_is_replaced(client_module: ModuleType, scheme: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATES / "cert.pem", CERTIFICATES / "key.pem")
    odd = OddPortal(tls if scheme == "https" else None)
    odd.says = told().replace(b"Connection: close", b"Connection: keep-alive")
    trusting = ssl.create_default_context(cafile=CERTIFICATES / "cert.pem")
    url = odd.url.replace("http://127.0.0.1", f"{scheme}://localhost")
    portal = client_module.Portal(url, KEY, SECRET, context=trusting)

    for asked in range(1, 4):
        assert portal.check(TOKEN).level == 4
        assert len(odd.asked) == asked
        time.sleep(0.1)
    portal.close()
    odd.close()


def test_a_child_waits_for_no_thread_of_its_parent() -> None:
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT / "clients/python")!r})
from chatelaine_client import Portal
portal = Portal("http://127.0.0.1:9", "key", "secret", cache_seconds=1)
portal._cache._lock.acquire()  # as by a thread that is looking something up just now
child = os.fork()
if not child:
    signal.alarm(5)
    os._exit(0 if portal._cache.find("token", None) is None else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_a_certificate_that_nobody_vouches_for_gets_no_secret(client_module: ModuleType) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATES / "cert.pem", CERTIFICATES / "key.pem")
    odd = OddPortal(tls)
    odd.says, url = told(), odd.url.replace("http://127.0.0.1", "https://localhost")
    with pytest.raises(client_module.PortalUnavailable):
        client_module.Portal(url, KEY, SECRET).check(TOKEN)
    assert odd.asked == []

    trusting = ssl.create_default_context(cafile=CERTIFICATES / "cert.pem")
    assert client_module.Portal(url, KEY, SECRET, context=trusting).check(TOKEN).level == 4
    odd.close()
