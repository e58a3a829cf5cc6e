"""The command that serves the portal: migrations, the server and the jobs."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import structlog
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade
from granian import Granian
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.common import AbstractServer
from sqlalchemy.exc import DBAPIError

from config import Settings
from config_values import ConfigurationError
from portal.cli.console import PlainCommand, database_says, with_database
from portal.cli.process_watchdog import load_worker
from portal.cli.starting import require_no_demo, require_peppers, require_writable
from portal.extensions import db
from portal.services.accounts import signup
from portal.transports import create_transport

BACKLOG = 1024
BLOCKING_THREADS = 32
"""For each worker. A body that drips in holds one, so a few of them must not be all."""
LARGEST_HEAD = 64 * 1024
"""Bytes of request line and headers together; more is answered with 431."""
HEADER_MILLISECONDS = 15_000
MALLOC_ARENAS = "2"
"""glibc would keep one for each thread of a worker, 20 MB in all, which the GIL makes useless."""
GRACE = 15
"""Seconds that workers and jobs get to end what they are at."""
PAUSE_BEFORE_RESTART = 3.0
LOOK_EVERY = 0.1
JOBS = (sys.executable, "-m", "flask", "--app", "wsgi", "jobs", "run")

log = structlog.get_logger(__name__)


@click.command("serve", cls=PlainCommand)
@with_appcontext
def serve() -> None:
    """Migrate the database, then serve the portal and run the jobs."""
    settings: Settings = current_app.config["PORTAL"]
    try:
        create_transport(settings)
        require_free_port(settings.host, settings.port)
        require_writable()
        upgrade()
        require_peppers(settings)
        require_no_demo()
        link = signup.first_admin_link()
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:
        raise click.ClickException(with_database(database_says(error))) from error
    finally:
        db.session.remove()
        db.engine.dispose()
    with JobsProcess().running(), announced(settings, link):
        make_server(settings).serve(target_loader=load_worker)


@contextmanager
def announced(settings: Settings, link: str | None) -> Iterator[None]:
    """Say where the portal is, as soon as it answers there; ``link`` makes the first admin.

    To be held open while it serves. Said sooner, it would have people open what isn't there yet.
    """
    ending = threading.Event()
    thread = threading.Thread(target=_announce, args=(settings, link, ending), name="announce", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _announce(settings: Settings, link: str | None, ending: threading.Event) -> None:
    while not _answers(settings.host, settings.port):
        if ending.wait(LOOK_EVERY):
            return
    if link:
        click.echo(f"There is no admin yet. Create the first one here within 24 hours:\n{link}")
    click.echo(f"Chatelaine is running at {settings.base_url} (press Ctrl-C to stop).")


def _answers(host: str, port: int) -> bool:
    """Whether a worker listens; each does so when it has loaded the application."""
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def require_free_port(host: str, port: int) -> None:
    """Raise ConfigurationError when nothing can listen there, with the reason.

    The workers listen with SO_REUSEPORT, so without this a second server would start too.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise ConfigurationError(
                f"Can't listen on {host} port {port}: {error.strerror}. "
                "Stop what uses it, or choose another PORTAL_PORT or PORTAL_HOST."
            ) from error


def make_server(settings: Settings) -> AbstractServer[Any]:
    """The server, with its limits; it writes no access log, so no address or token stands there.

    Workers are spawned, not forked: each opens its own database, and ends in order, so that
    what it collected is written.
    """
    multiprocessing.set_start_method("spawn", force=True)
    os.environ.setdefault("MALLOC_ARENA_MAX", MALLOC_ARENAS)
    logging.getLogger("_granian").addFilter(_is_news)
    return Granian(
        "wsgi:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        runtime_mode=RuntimeModes.st,
        blocking_threads=BLOCKING_THREADS,
        backlog=BACKLOG,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=LARGEST_HEAD),
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig={"handlers": {}, "loggers": {"_granian": {"propagate": True}}},
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Not that there are many threads: they were chosen, see ``docs/decisions/0003-verification-path.md``."""
    return "Python threads" not in record.getMessage()


class JobsProcess:
    """Runs ``jobs run`` beside the server, and again when it ends by itself."""

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        self._command = command or (*JOBS, "--parent", str(os.getpid()))
        self._environment = dict(os.environ)
        """As it is now: the server changes it while a thread starts the jobs, which would read it half."""
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[JobsProcess]:
        """Keep it running for as long as the block runs, and end it after."""
        keeper = threading.Thread(target=self._keep, name="jobs", daemon=True)
        keeper.start()
        try:
            yield self
        finally:
            self._end()
            keeper.join(GRACE)

    def _keep(self) -> None:
        while not self._ending.is_set():
            try:
                code = self._run()
            except OSError:
                log.exception("jobs.not-started", again_in=PAUSE_BEFORE_RESTART)
            else:
                if not self._ending.is_set():
                    log.error("jobs.ended", code=code, again_in=PAUSE_BEFORE_RESTART)
            self._ending.wait(PAUSE_BEFORE_RESTART)

    def _run(self) -> int | None:
        """Start it, and wait for its end; raises OSError when it can't be started."""
        with self._lock:
            if self._ending.is_set():
                return None
            process = self._process = subprocess.Popen(  # noqa: S603  # our own command
                self._command, env=self._environment
            )
        return process.wait()

    def _end(self) -> None:
        with self._lock:
            self._ending.set()
            process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
