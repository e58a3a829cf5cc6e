from __future__ import annotations

import errno
import http.client
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from config import Settings
from config_values import ConfigurationError
from portal.cli import process_watchdog, serve
from tests.conftest import MakeApp, MakeKey, StartServer
from tests.support.cast import Cast
from tests.support.databases import ROOT, Database, Databases, Kind
from tests.support.ports import free_port
from tests.support.server import Server, make_server, wait_until

SETUP_LINK = re.compile(r"http://127\.0\.0\.1:\d+/setup/([\w-]{43})")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Database]:
    """A database without any table."""
    kind: Kind = request.param
    with databases.empty(kind) as created:
        yield created


def get(server: Server, path: str, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


def children(server: Server) -> list[psutil.Process]:
    assert server.process
    return psutil.Process(server.process.pid).children(recursive=True)


def jobs_of(server: Server) -> psutil.Process | None:
    return next((each for each in children(server) if "jobs" in each.cmdline()), None)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def test_two_that_start_on_an_empty_database_at_once_both_come_up_with_a_link_for_the_first_admin(
    empty: Database, tmp_path: Path
) -> None:
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(make_server(empty, tmp_path / name, {}))
    with ThreadPoolExecutor(2) as pool, ExitStack() as stack:  # a server ends with its thread
        for server in servers:
            stack.callback(server.finish)
        list(pool.map(Server.start, servers))
        assert [get(server, "/healthz") for server in servers] == [200, 200]

        wait_until(
            lambda: all("Chatelaine is running at" in each.output() for each in servers),
            10,
            "nothing was said",
        )

    links = [SETUP_LINK.search(server.output()) for server in servers]
    for server, link in zip(servers, links, strict=True):
        assert link
        assert link.group(0).startswith(f"{server.url}/setup/")
        assert link.group(1) not in empty.dump()


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_ctrl_c_ends_it_with_all_its_processes(start_server: StartServer) -> None:
    server = start_server()
    assert server.process
    started = children(server)
    assert len(started) >= 2

    server.process.send_signal(signal.SIGINT)

    assert server.process.wait(30) == 0
    wait_until(lambda: all_gone(started), 10, "its processes went on without it")
    assert "Traceback" not in server.output()


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_its_processes_end_when_it_is_killed_so_that_it_can_start_again(start_server: StartServer) -> None:
    server = start_server()
    assert server.process
    started = children(server)

    server.process.kill()
    server.process.wait(10)
    wait_until(lambda: all_gone(started), 20, "its processes went on without it")

    server.start()
    assert get(server, "/healthz") == 200


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_jobs_and_workers_that_die_are_replaced(start_server: StartServer) -> None:
    server = start_server()
    wait_until(lambda: jobs_of(server) is not None, 10, "there are no jobs")
    jobs = jobs_of(server)
    worker = next(each for each in children(server) if "spawn_main" in " ".join(each.cmdline()))
    assert jobs
    time.sleep(max(0.0, 6.0 - (time.time() - worker.create_time())))  # sooner, it would be a crash loop

    jobs.kill()
    worker.kill()

    def is_back() -> bool:
        try:
            return get(server, "/healthz") == 200 and (jobs_of(server) or jobs).pid != jobs.pid
        except OSError:
            return False

    wait_until(is_back, 30, "nobody came for those that died")
    assert "jobs.ended" in server.output()


def test_what_was_counted_is_written_when_it_ends(
    start_server: StartServer, database: Database, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice)
    server = start_server(PORTAL_WORKERS="2")
    started = children(server)
    assert [get(server, "/api/whoami/key", key.headers) for _ in range(7)] == [200] * 7

    assert server.stop() == 0

    wait_until(lambda: all_gone(started), 10, "its processes went on without it")
    assert database.execute("SELECT calls FROM key_usage") == [(7,)]


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_secrets_and_query_strings_stay_out_of_its_output(
    start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice)
    server = start_server(PORTAL_LOG_LEVEL="debug")
    get(server, "/api/whoami/key?marker=in-the-query", key.headers)
    get(server, f"/confirm/{'t' * 43}")
    assert get(server, "/healthz", {"X-Large": "too-large" * 10_000}) == 431
    server.stop()

    for marker in (
        key.secret,
        key.headers["Authorization"].split()[1],
        "in-the-query",
        "t" * 43,
        "too-large",
    ):
        assert marker not in server.output()


@pytest.mark.sqlite_only(reason="each of these databases is away")
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORTAL_MAIL_URL", "mailto:x", "PORTAL_MAIL_URL must be"),
        ("PORTAL_DATABASE_URL", "sqlite:////nowhere/at/all/portal.db", "The database can't be used"),
        ("PORTAL_DATABASE_URL", "postgresql+psycopg://x@127.0.0.1:1/x", "The database can't be used"),
    ],
)
def test_what_keeps_it_from_starting_is_told_in_a_sentence(
    make_app: MakeApp, name: str, value: str, sentence: str
) -> None:
    app = make_app(PORTAL_PORT=str(free_port()), **{name: value})

    result = app.test_cli_runner().invoke(args=["serve"])

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: {sentence}")


def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_serve(tmp_path, PORTAL_PORT=str(port))

    assert done.returncode == 1
    assert f"Can't listen on 127.0.0.1 port {port}: Address already in use." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "portal.db").exists(), "nothing is done before it is known that it can serve"


def test_a_port_is_taken_too_when_it_can_be_shared() -> None:
    with socket.socket() as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 0))
        shared.listen(1)
        with pytest.raises(ConfigurationError):
            serve.require_free_port("127.0.0.1", shared.getsockname()[1])


def test_a_free_port_is_fine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    serve.require_free_port("127.0.0.1", port)


def test_jobs_that_do_not_end_when_asked_are_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(serve, "GRACE", 0.3)
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    )
    started = time.monotonic()

    with serve.JobsProcess((sys.executable, "-c", program, str(ready))).running():
        wait_until(ready.exists, 10, "the jobs did not start")

    assert time.monotonic() - started < 15


@pytest.mark.sqlite_only(reason="the same on both")
def test_with_an_account_there_is_no_link(
    make_app: MakeApp, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(PORTAL_PORT=str(free_port()))
    monkeypatch.setattr(serve, "JOBS", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(serve, "make_server", FakeServer)

    result = app.test_cli_runner().invoke(args=["serve"])

    assert result.exit_code == 0, result.output
    assert "Chatelaine is running at" in result.stdout
    assert not SETUP_LINK.search(result.stdout)


class FakeServer:
    """Takes the place of the server, so that the command can be watched from inside."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.loader: object = None

    def serve(self, *, target_loader: object) -> None:
        """Listen until somebody has come."""
        self.loader = target_loader
        with socket.create_server((self.settings.host, self.settings.port)) as listening:
            listening.accept()[0].close()


class DeadServer(FakeServer):
    """Ends before it listens."""

    def serve(self, *, target_loader: object) -> None:
        self.loader = target_loader


@pytest.mark.sqlite_only(reason="the same on both")
def test_nobody_is_sent_to_a_portal_that_does_not_answer(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(PORTAL_PORT=str(free_port()))
    monkeypatch.setattr(serve, "JOBS", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(serve, "make_server", DeadServer)

    result = app.test_cli_runner().invoke(args=["serve"])

    assert result.exit_code == 0, result.output
    assert "Chatelaine is running at" not in result.stdout
    assert not SETUP_LINK.search(result.stdout)


@pytest.mark.sqlite_only(reason="the same on both")
def test_the_server_is_started_beside_the_jobs(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    app = make_app(PORTAL_PORT=str(free_port()))
    fake = FakeServer(app.config["PORTAL"])
    program = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    monkeypatch.setattr(serve, "JOBS", (sys.executable, "-c", program, str(ran)))
    monkeypatch.setattr(serve, "make_server", lambda _settings: fake)

    result = app.test_cli_runner().invoke(args=["serve"])

    assert result.exit_code == 0, result.output
    assert SETUP_LINK.search(result.stdout)
    assert fake.loader is process_watchdog.load_worker


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_the_server_has_its_limits(make_app: MakeApp) -> None:
    settings = make_app(PORTAL_WORKERS="3").config["PORTAL"]
    before = multiprocessing.get_start_method()
    try:
        created = serve.make_server(settings)

        assert (created.workers, created.bind_addr, created.log_access) == (3, "127.0.0.1", False)
        assert created.blocking_threads == serve.BLOCKING_THREADS
        assert multiprocessing.get_start_method() == "spawn"
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_a_worker_that_was_not_spawned_loads_the_application_too(
    instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_INSTANCE_PATH", str(instance))

    assert process_watchdog.load_worker("wsgi:app").name == "portal"


def test_a_command_that_ends_is_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(serve, "PAUSE_BEFORE_RESTART", 0.05)
    log = tmp_path / "log"
    program = "import sys; open(sys.argv[1], 'a').write('x')"

    with serve.JobsProcess((sys.executable, "-c", program, str(log))).running():
        wait_until(lambda: log.exists() and len(log.read_text()) >= 3, 20, "it did not come again")


def test_a_command_that_can_not_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(serve, "PAUSE_BEFORE_RESTART", 0.05)
    came, tries, start = tmp_path / "came", [0], subprocess.Popen

    def start_at_last(*words: Any, **options: Any) -> subprocess.Popen[bytes]:
        tries[0] += 1
        if tries[0] < 3:
            raise OSError(errno.EAGAIN, "no room for a process")
        return start(*words, **options)

    monkeypatch.setattr(subprocess, "Popen", start_at_last)
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
    with serve.JobsProcess((sys.executable, "-c", program, str(came))).running():
        wait_until(came.exists, 20, "it was not tried again")


def test_jobs_start_while_the_server_changes_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The C library's environment moves then, and a start that reads it ends with EFAULT."""
    told = tmp_path / "told"
    program = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(os.environ.get('LATER', '-'))"
    jobs = serve.JobsProcess((sys.executable, "-c", program, str(told)))

    monkeypatch.setenv("LATER", "set after the jobs were made")
    with jobs.running():
        wait_until(lambda: told.exists() and bool(told.read_text()), 20, "it did not start")

    assert told.read_text() == "-"


def run_serve(instance: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
        cwd=ROOT,
        env={**environment, "PORTAL_INSTANCE_PATH": str(instance), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
