"""Slow bodies may hold most of a worker's threads, and never all.

The server hands a request on with its head, so whoever sends a body slowly, or never, holds
the thread that reads it, and nothing above the server can end that. What has no body (checks
of keys, pages, probes) goes on in the threads that are kept free. A proxy that reads whole
requests before it passes them on, as nginx does, lets none of this through.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from werkzeug.exceptions import ServiceUnavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream

MOST_READERS = 24
"""Threads of a worker that may read bodies at once; the server has a few more."""

SLOW = 1.0
"""Seconds. A body that takes longer is a slow one."""

AGAIN_AFTER = 5
"""Seconds."""


class Readers:
    """The threads of this process that read bodies; safe to share between them."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._begun: dict[int, float] = {}
        """By thread, the one that began first in front."""

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a place for as long as the block runs.

        Many bodies that come quickly only take turns. Raises ServiceUnavailable when every
        place is held by a slow one.
        """
        me = threading.get_ident()
        with self._changed:
            while len(self._begun) >= MOST_READERS:
                patience = next(reversed(self._begun.values())) + SLOW - monotonic()
                if patience <= 0:
                    raise ServiceUnavailable(retry_after=AGAIN_AFTER)
                self._changed.wait(patience)
            self._begun[me] = monotonic()
        try:
            yield
        finally:
            with self._changed:
                del self._begun[me]
                self._changed.notify()


class Body:
    """The body of a request, of which nothing is read without a place.

    Of ``wsgi.input`` it has what Werkzeug and the portal ask for, and no more.
    """

    def __init__(self, stream: InputStream, readers: Readers) -> None:
        self._stream = stream
        self._readers = readers

    def read(self, size: int = -1, /) -> bytes:
        """Read so many bytes, or all."""
        with self._readers.place():
            return self._stream.read(size)
