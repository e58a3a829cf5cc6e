"""Bodies that never end: they hold most threads of a worker, and never all (row 35)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from io import BytesIO
from threading import Event

import pytest
from werkzeug.exceptions import ServiceUnavailable

from portal.cli.serve import BLOCKING_THREADS
from portal.http import bodies
from portal.http.bodies import MOST_READERS, Body, Readers
from tests.support.server import Server, wait_until

BEGUN = (
    b"POST /api/signup HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 5000\r\n\r\n{"
)


class Dripping:
    """A stream that gives its bytes when it is told to."""

    def __init__(self) -> None:
        self.ends = Event()

    def read(self, _size: int = -1, /) -> bytes:
        self.ends.wait(30)
        return b"at last"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MOST_READERS + 8) as made:
        yield made


def test_slow_bodies_keep_the_places_that_they_have_and_get_no_more(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SLOW", 0.2)
    readers, slow = Readers(), Dripping()
    reading = [pool.submit(Body(slow, readers).read) for _ in range(MOST_READERS)]  # type: ignore[arg-type]  # as much of a stream as is read

    wait_until(lambda: sum(each.running() for each in reading) == MOST_READERS, 5.0, "not all are read")
    with pytest.raises(ServiceUnavailable) as refused:
        Body(BytesIO(b"quick"), readers).read()
    assert ("Retry-After", "5") in refused.value.get_headers()

    slow.ends.set()
    assert {each.result() for each in reading} == {b"at last"}
    assert Body(BytesIO(b"quick"), readers).read(3) == b"qui"


def test_quick_bodies_only_take_turns(pool: ThreadPoolExecutor) -> None:
    readers = Readers()

    told = pool.map(lambda _: Body(BytesIO(b"quick"), readers).read(), range(2000))

    assert set(told) == {b"quick"}


def test_checks_go_on_while_bodies_drip(shared_server: Server) -> None:
    def ask(method: str, path: str, body: bytes | None = None) -> int:
        with closing(HTTPConnection("127.0.0.1", shared_server.port, timeout=5)) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            return connection.getresponse().status

    with ExitStack() as stack:
        for _ in range(2 * BLOCKING_THREADS):
            dripping = socket.create_connection(("127.0.0.1", shared_server.port))
            stack.enter_context(dripping)
            dripping.sendall(BEGUN)

        asked = [ask("GET", "/api/whoami/key") for _ in range(20)]
        posted = ask("POST", "/api/signup", b'{"email": "x"}')

    assert set(asked) == {401}
    assert posted == 503
    wait_until(lambda: ask("POST", "/api/signup", b'{"email": "x"}') == 400, 10.0, "they are read no more")
