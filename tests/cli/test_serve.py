from __future__ import annotations

import http.client
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from config import ConfigurationError
from portal.cli import parents, serve
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
    with databases.empty(kind) as made:
        yield made


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


def test_on_an_empty_database_it_makes_the_tables_and_prints_a_link_for_the_first_admin(
    empty: Database, tmp_path: Path
) -> None:
    server = make_server(empty, tmp_path, {})
    with ExitStack() as stack:
        stack.callback(server.finish)
        server.start()

    found = SETUP_LINK.search(server.output())
    assert found
    assert found.group(0).startswith(f"{server.url}/setup/")
    assert found.group(1) not in empty.dump()
    assert empty.execute("SELECT purpose, used_at FROM mail_tokens") == [("first-admin", None)]


def test_two_that_start_on_an_empty_database_at_once_both_come_up(empty: Database, tmp_path: Path) -> None:
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(make_server(empty, tmp_path / name, {"PORTAL_WORKERS": "1"}))
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.finish)
        threads = [threading.Thread(target=server.start) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [get(server, "/healthz") for server in servers] == [200, 200]


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_with_an_account_there_is_no_link(start_server: StartServer, cast: Cast) -> None:
    assert not SETUP_LINK.search(start_server(PORTAL_WORKERS="1").output())


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_all_its_processes_and_exit_code_0(start_server: StartServer, number: int) -> None:
    server = start_server()
    assert server.process
    started = children(server)
    assert len(started) >= 3

    server.process.send_signal(number)

    assert server.process.wait(30) == 0
    assert all_gone(started)
    assert "Traceback" not in server.output()


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_its_processes_end_when_it_is_killed_so_that_it_can_start_again(start_server: StartServer) -> None:
    server = start_server(PORTAL_WORKERS="1")
    assert server.process
    started = children(server)

    server.process.kill()
    server.process.wait(10)
    wait_until(lambda: all_gone(started), 20, "its processes went on without it")

    server.start()
    assert get(server, "/healthz") == 200


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_jobs_that_end_are_started_again(start_server: StartServer) -> None:
    server = start_server(PORTAL_WORKERS="1")
    wait_until(lambda: jobs_of(server) is not None, 10, "there are no jobs")
    first = jobs_of(server)
    assert first

    first.kill()
    wait_until(lambda: (jobs_of(server) or first).pid != first.pid, 20, "the jobs did not come again")

    assert "jobs.ended" in server.output()


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_a_worker_that_dies_is_replaced(start_server: StartServer) -> None:
    server = start_server(PORTAL_WORKERS="1")
    worker = next(each for each in children(server) if "spawn_main" in " ".join(each.cmdline()))
    time.sleep(max(0.0, 6.0 - (time.time() - worker.create_time())))

    worker.kill()

    def is_back() -> bool:
        try:
            return get(server, "/healthz") == 200
        except OSError:
            return False

    wait_until(is_back, 20, "no worker came for the one that died")


def test_what_was_counted_is_written_when_it_ends(
    start_server: StartServer, database: Database, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice)
    server = start_server()
    assert [get(server, "/api/whoami/key", key.headers) for _ in range(7)] == [200] * 7

    assert server.stop() == 0

    assert database.execute("SELECT calls FROM key_usage") == [(7,)]


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_secrets_and_query_strings_stay_out_of_its_output(
    start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice)
    server = start_server(PORTAL_WORKERS="1", PORTAL_LOG_LEVEL="debug")
    get(server, "/api/whoami/key?marker=in-the-query", key.headers)
    get(server, f"/confirm/{'t' * 43}")
    server.stop()

    for marker in (key.secret, key.headers["Authorization"].split()[1], "in-the-query", "t" * 43):
        assert marker not in server.output()


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_a_head_that_is_too_large_is_refused(start_server: StartServer) -> None:
    server = start_server(PORTAL_WORKERS="1")

    assert get(server, "/healthz", {"X-Large": "x" * 100_000}) == 431
    assert get(server, "/healthz") == 200


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORTAL_MAIL_URL", "mailto:x", "PORTAL_MAIL_URL must be"),
        ("PORTAL_DATABASE_URL", "sqlite:////nowhere/at/all/portal.db", "database"),
        ("PORTAL_DATABASE_URL", "postgresql+psycopg://x@127.0.0.1:1/x", "database"),
    ],
)
def test_what_keeps_it_from_starting_is_told_in_a_sentence(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    done = run_serve(tmp_path, **{name: value})

    assert done.returncode == 1
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_serve(tmp_path, PORTAL_PORT=str(port))

    assert done.returncode == 1
    assert f"Nothing can listen on 127.0.0.1 port {port}: Address already in use." in done.stderr
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


class FakeServer:
    """Takes the place of the server, so that the command can be watched from inside."""

    def __init__(self) -> None:
        self.loader: object = None

    def serve(self, *, target_loader: object) -> None:
        self.loader = target_loader


@pytest.mark.sqlite_only(reason="the same on both")
def test_the_server_is_started_beside_the_jobs(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake, ran = FakeServer(), tmp_path / "ran"
    app = make_app(PORTAL_PORT=str(free_port()))
    program = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    monkeypatch.setattr(serve, "JOBS", (sys.executable, "-c", program, str(ran)))
    monkeypatch.setattr(serve, "make_server", lambda _settings: fake)

    result = app.test_cli_runner().invoke(args=["serve"])

    assert result.exit_code == 0, result.output
    assert SETUP_LINK.search(result.stdout)
    assert fake.loader is parents.load_worker


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_the_server_has_its_limits(make_app: MakeApp) -> None:
    settings = make_app(PORTAL_WORKERS="3").config["PORTAL"]
    before = multiprocessing.get_start_method()
    try:
        made = serve.make_server(settings)

        assert (made.workers, made.bind_addr, made.log_access) == (3, "127.0.0.1", False)
        assert made.blocking_threads == serve.BLOCKING_THREADS
        assert multiprocessing.get_start_method() == "spawn"
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_a_worker_that_was_not_spawned_loads_the_application_too(
    instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_INSTANCE_PATH", str(instance))
    monkeypatch.delitem(sys.modules, "wsgi", raising=False)

    assert parents.load_worker("wsgi:app").name == "portal"

    sys.modules.pop("wsgi")


def test_a_command_that_ends_is_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(serve, "PAUSE_BEFORE_RESTART", 0.05)
    log = tmp_path / "log"
    program = "import sys; open(sys.argv[1], 'a').write('x')"

    with serve.JobsProcess((sys.executable, "-c", program, str(log))).running():
        wait_until(lambda: log.exists() and len(log.read_text()) >= 3, 20, "it did not come again")


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
