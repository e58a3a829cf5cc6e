"""Lets the jobs try the promises once for each version, in a process of its own that gives way to all others.

So a new installation doesn't tell its visitors that nothing was ever tried. It is a process and no
thread, since whoever tries the promises stops the clock for the whole process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from portal.promises import PROMISES
from portal.services.system import job_leases, selfcheck_results
from portal.version import running_version

COMMAND = (sys.executable, "-m", "flask", "--app", "wsgi", "selfcheck", "--parent")
"""Followed by the id of the process that it ends with."""

LEASE = timedelta(hours=1)
"""How long nobody else begins; also until the next try, when one failed."""

LONGEST = 20 * 60.0
"""Seconds after which it is ended; shorter than the lease, so that there is never a second one."""

PAUSE = 60.0
"""Seconds between two looks at whether it is due."""

TRIES = 3
"""Of one jobs process: where it can't be done at all, it isn't asked for for ever."""

GRACE = 10.0
"""Seconds to take the scratch installation away."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Unattended:
    """The one run, as the jobs look after it; ``after`` are seconds from now, 0 for never."""

    after: float
    command: tuple[str, ...] = COMMAND
    tries: int = TRIES
    process: subprocess.Popen[bytes] | None = None
    _next: float = field(default=0.0, init=False)
    _until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Begin to wait; with 0 there is nothing to wait for."""
        self._next = time.monotonic() + self.after
        if not self.after:
            self.tries = 0

    def look(self) -> None:
        """Begin it when it is due, and see to its end. Raises DBAPIError."""
        now = time.monotonic()
        if self.process is not None:
            self._attend(self.process, now)
        elif self.tries and now >= self._next:
            self._next = now + PAUSE
            if selfcheck_results.is_tried(PROMISES, running_version()):
                self.tries = 0
            elif job_leases.take_lease("selfcheck", LEASE):
                self._begin(now)

    @contextmanager
    def running(self) -> Iterator[Unattended]:
        """Leave none behind when the block ends."""
        try:
            yield self
        finally:
            if self.process is not None:
                self._end(self.process)

    def _begin(self, now: float) -> None:
        self.tries -= 1
        self._until = now + LONGEST
        try:
            self.process = subprocess.Popen(  # noqa: S603  # our own command
                (*self.command, str(os.getpid())), stdout=subprocess.DEVNULL
            )
        except OSError as error:
            log.warning("selfcheck.not-started", why=str(error))
        else:
            log.info("selfcheck.started")

    def _attend(self, process: subprocess.Popen[bytes], now: float) -> None:
        code = process.poll()
        if code is None and now < self._until:
            return
        if code is None:
            log.warning("selfcheck.too-long", seconds=LONGEST)
            self._end(process)
        elif selfcheck_results.is_tried(PROMISES, running_version()):
            self.tries = 0
            (log.info if code == 0 else log.error)("selfcheck.done", held=code == 0)
        else:
            log.warning("selfcheck.failed", code=code, tries_left=self.tries)
        self.process = None

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.process = None
