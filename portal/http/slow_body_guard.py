"""Slow bodies may hold most of a worker's threads, and never all; one source holds few, and none for long.

The server hands a request on with its head, so whoever sends a body slowly, or never, holds
the thread that reads it. What has no body (checks of keys, pages, probes) goes on in the
threads that are kept free, and bodies from elsewhere in the places that a source can't take.
A proxy that reads whole requests before it passes them on, as nginx does, lets none of this
through.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING

from werkzeug.exceptions import RequestTimeout, ServiceUnavailable

from portal.http import stalled
from portal.http.kept import kept_if_short
from portal.http.proxy import LONGEST_IP_ADDRESS
from portal.services.ratelimits.questions import source

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream

MOST_READERS = 24
"""Threads of a worker that may read bodies at once; the server has a few more."""

MOST_OF_SOURCE = 6
"""Of these, how many may read bodies of one source (an IPv4 address, a /64 of IPv6)."""

SLOW = 1.0
"""Seconds. A body that takes longer is a slow one."""

AGAIN_AFTER = 5
"""Seconds."""

DEADLINE = 15.0
"""Seconds within which a body has to be there."""

LOOK_EVERY = 0.5
"""Seconds."""

log = logging.getLogger(__name__)

_source = kept_if_short(1024, LONGEST_IP_ADDRESS)(source)


@dataclass(frozen=True, slots=True)
class Reading:
    """A thread that reads a body: since when, for whom, and when the whole body is due."""

    since: float
    source: str
    peer: str
    due: float


class Readers:
    """The threads of this process that read bodies; safe to share between them."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._begun: dict[int, Reading] = {}
        """By thread, the one that began first in front."""
        self._watch: threading.Thread | None = None

    @contextmanager
    def place(self, client: str, peer: str, due: float) -> Iterator[None]:
        """Have a place for as long as the block runs.

        Many bodies that come quickly only take turns. Raises ServiceUnavailable when every
        place, or every one that the client's source may have, is held by a slow one.
        """
        me, of = threading.get_ident(), _source(client)
        with self._changed:
            while (patience := self._patience(of)) is not None:
                if patience <= 0:
                    raise ServiceUnavailable(retry_after=AGAIN_AFTER)
                self._changed.wait(patience)
            self._begun[me] = Reading(monotonic(), of, peer, due)
            self._keep_watch()
        try:
            yield
        finally:
            with self._changed:
                del self._begun[me]
                self._changed.notify_all()

    def _patience(self, of: str) -> float | None:
        """For how many seconds it is worth while to wait for a place; None when there is one."""
        everyone = list(self._begun.values())
        own = [each for each in everyone if each.source == of]
        full = own if len(own) >= MOST_OF_SOURCE else everyone if len(everyone) >= MOST_READERS else None
        return None if full is None else full[-1].since + SLOW - monotonic()

    def _keep_watch(self) -> None:
        if self._watch is None or not self._watch.is_alive():
            self._watch = threading.Thread(target=self._cut_late, name="bodies", daemon=True)
            self._watch.start()

    def _cut_late(self) -> None:
        """End the reads that last past their time, for as long as there are any."""
        while True:
            sleep(LOOK_EVERY)
            now = monotonic()
            with self._changed:
                if not self._begun:
                    self._watch = None
                    return
                late = [each for each in self._begun.values() if now >= each.due]
            for each in late:
                found = stalled.cut(each.peer, DEADLINE)
                if found:
                    log.warning("bodies.late: %d from %s", found, each.source)


class Body:
    """The body of a request, of which nothing is read without a place, and nothing for ever.

    Of ``wsgi.input`` it has what Werkzeug and the portal ask for, and no more. ``client`` is who
    asks, ``peer`` the other end of the connection.
    """

    def __init__(self, stream: InputStream, readers: Readers, client: str = "", peer: str = "") -> None:
        self._stream = stream
        self._readers = readers
        self._client, self._peer = client, peer
        self._due: float | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Read so many bytes, or all. Raises ServiceUnavailable, and RequestTimeout when it is too late."""
        if self._due is None:
            self._due = monotonic() + DEADLINE
        self._refuse_late()
        with self._readers.place(self._client, self._peer, self._due):
            data = self._stream.read(size)
        self._refuse_late()
        return data

    def _refuse_late(self) -> None:
        if self._due is not None and monotonic() >= self._due:
            raise RequestTimeout
