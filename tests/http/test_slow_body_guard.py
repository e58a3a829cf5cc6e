"""Bodies that never end: they hold most threads of a worker, and never all (row 35)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from io import BytesIO
from threading import Event
from time import monotonic, sleep

import pytest
from werkzeug.exceptions import RequestTimeout, ServiceUnavailable

from portal.cli.serve import BLOCKING_THREADS
from portal.http import slow_body_guard
from portal.http.slow_body_guard import DEADLINE, MOST_OF_SOURCE, MOST_READERS, Body, Readers
from tests.support.server import Server, wait_until

BEGUN = (
    b"POST /api/signup HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 5000\r\n\r\n{"
)
EXPECTING = BEGUN.replace(b"Content-Length", b"Expect: 100-continue\r\nContent-Length")
CHUNKED = BEGUN.replace(b"Content-Length: 5000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")


class Dripping:
    """A stream that gives its bytes when it is told to."""

    def __init__(self) -> None:
        self.ends = Event()

    def read(self, _size: int = -1, /) -> bytes:
        self.ends.wait(30)
        return b"at last"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MOST_READERS + 8) as created:
        yield created


def sources(number: int) -> str:
    """An address of its own for each number."""
    return f"192.0.2.{number}"


def test_slow_bodies_keep_the_places_that_they_have_and_get_no_more(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_body_guard, "SLOW", 0.2)
    readers, slow = Readers(), Dripping()
    reading = [pool.submit(Body(slow, readers, sources(n)).read) for n in range(MOST_READERS)]  # type: ignore[arg-type]  # as much of a stream as is read

    wait_until(lambda: len(readers._begun) == MOST_READERS, 5.0, "not all are read")
    with pytest.raises(ServiceUnavailable) as refused:
        Body(BytesIO(b"quick"), readers, "198.51.100.1").read()
    assert ("Retry-After", "5") in refused.value.get_headers()

    slow.ends.set()
    assert {each.result() for each in reading} == {b"at last"}
    assert Body(BytesIO(b"quick"), readers).read(3) == b"qui"


def test_one_source_holds_few_places_and_the_others_go_on(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_body_guard, "SLOW", 0.2)
    readers, slow = Readers(), Dripping()
    ends = ["2001:db8::1", "2001:db8::2"] * (MOST_OF_SOURCE // 2)  # of one /64
    reading = [pool.submit(Body(slow, readers, client).read) for client in ends]  # type: ignore[arg-type]  # as above

    wait_until(lambda: len(readers._begun) == MOST_OF_SOURCE, 5.0, "not all are read")
    with pytest.raises(ServiceUnavailable):
        Body(BytesIO(b"quick"), readers, "2001:db8::3").read()
    assert Body(BytesIO(b"quick"), readers, "2001:db8:0:1::1").read() == b"quick"
    assert Body(BytesIO(b"quick"), readers, "192.0.2.1").read() == b"quick"

    slow.ends.set()
    assert {each.result() for each in reading} == {b"at last"}
    assert Body(BytesIO(b"quick"), readers, "2001:db8::3").read() == b"quick"


@pytest.mark.parametrize("of", [lambda n: "192.0.2.1", sources], ids=["one source", "many"])
def test_quick_bodies_only_take_turns(pool: ThreadPoolExecutor, of: Callable[[int], str]) -> None:
    readers = Readers()

    told = pool.map(lambda n: Body(BytesIO(b"quick"), readers, of(n % 250)).read(), range(2000))

    assert set(told) == {b"quick"}


def test_a_body_that_comes_too_late_is_refused_however_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_body_guard, "DEADLINE", 0.1)
    late = Body(BytesIO(b"a long one"), Readers())
    assert late.read(2) == b"a "

    sleep(0.15)

    with pytest.raises(RequestTimeout):
        late.read(2)
    with pytest.raises(RequestTimeout):
        late.read()


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, *, source: str = "127.0.0.1"
) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5, source_address=(source, 0))
    with closing(connection):
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status


def test_checks_and_bodies_from_elsewhere_go_on_while_bodies_drip(shared_server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(2 * BLOCKING_THREADS):
            dripping = socket.create_connection(("127.0.0.1", shared_server.port))
            stack.enter_context(dripping)
            dripping.sendall(BEGUN)
        wait_until(lambda: ask(shared_server, "POST", "/api/signup", b"{}") == 503, 5.0, "none is refused")

        asked = [ask(shared_server, "GET", "/api/whoami/key") for _ in range(20)]
        posted = ask(shared_server, "POST", "/api/signup", b'{"email": "x"}', source="127.0.0.2")

    assert set(asked) == {401}
    assert posted == 400
    wait_until(
        lambda: ask(shared_server, "POST", "/api/signup", b'{"email": "x"}') == 400,
        10.0,
        "they are read no more",
    )


@pytest.mark.parametrize("drip", [0, 0.1], ids=["silent", "dripping"])
@pytest.mark.parametrize("begun", [BEGUN, CHUNKED, EXPECTING], ids=["plain", "chunked", "expecting"])
def test_a_body_has_fifteen_seconds(shared_server: Server, drip: float, begun: bytes) -> None:
    """Then the client is told, and its connection ends; its thread is free."""
    started = monotonic()
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=20) as late:
        late.sendall(begun)
        late.settimeout(drip or 20)
        told = b""
        while monotonic() - started < 20:
            try:
                if not (part := late.recv(4096)):
                    break
                told += part
            except TimeoutError:
                late.sendall(b"1\r\nx\r\n" if begun is CHUNKED else b"x")
        took = monotonic() - started

    assert DEADLINE <= took < DEADLINE + 3
    assert b" 408 " in told
    assert b"requestTimeout" in told
