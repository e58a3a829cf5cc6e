"""A slow line: a proxy that lets each byte of an answer arrive so much later."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

CHUNK = 65_536
Late = SimpleQueue[tuple[float, bytes]]


@contextmanager
def slow_line(port: int, delay: float) -> Iterator[str]:
    """Run a proxy to a port of this machine; yields its address. Answers are ``delay`` seconds late."""
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def run(function: object, *arguments: object) -> None:
        threads.append(threading.Thread(target=function, args=arguments, daemon=True))  # type: ignore[arg-type]
        threads[-1].start()

    def accept() -> None:
        with suppress(OSError):
            while True:
                browser, _address = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                opened.extend((browser, server))
                for source, target, wait in ((browser, server, 0.0), (server, browser, delay)):
                    late: Late = SimpleQueue()
                    run(_read, source, late, wait)
                    run(_write, target, late)

    run(accept)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for each in (listener, *opened):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for each in (listener, *opened):
            each.close()


def _read(source: socket.socket, late: Late, wait: float) -> None:
    part = b"?"
    while part:
        part = b""
        with suppress(OSError):
            part = source.recv(CHUNK)
        late.put((time.monotonic() + wait, part))


def _write(target: socket.socket, late: Late) -> None:
    with suppress(OSError):
        while True:
            due, part = late.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not part:
                return target.shutdown(socket.SHUT_WR)
            target.sendall(part)
