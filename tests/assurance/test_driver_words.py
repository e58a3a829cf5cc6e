"""What is wrong with the database is told in the driver's own words, without secrets, wherever it shows."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from flask import Flask

from portal import jobs
from portal.transports import create_transport
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.databases import Database
from tests.support.ports import free_port

PASSWORD = "hunter2-hunter2/x"
IN_URL = "hunter2-hunter2%2Fx"


class Refusing:
    """Lets nobody in, as PostgreSQL does, or as something that is none."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                with client:
                    client.recv(4096)
                    client.sendall(self._answer)

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def refusal(code: str, words: str) -> bytes:
    """An error of PostgreSQL's protocol."""
    fields = b"".join(
        kind + text.encode() + b"\0"
        for kind, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", words))
    )
    return b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"


REFUSALS = {
    "wrong password": (
        refusal("28P01", 'password authentication failed for user "x"'),
        "password authentication",
    ),
    "no such database": (refusal("3D000", 'database "x" does not exist'), 'database "x" does not exist'),
    "too many": (refusal("53300", "sorry, too many clients already"), "sorry, too many clients already"),
    "no PostgreSQL": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "received H"),
    "says the password": (refusal("28P01", f"{PASSWORD} is wrong, and {IN_URL}"), "is wrong"),
}


@pytest.fixture
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a database that can't be used, and what its driver says of it."""
    name = request.param
    if name in REFUSALS:
        answer, words = REFUSALS[name]
        with closing(Refusing(answer)) as server:
            yield f"postgresql+psycopg://x:{IN_URL}@127.0.0.1:{server.port}/x?sslmode=disable", words
    elif name == "stopped":
        yield f"postgresql+psycopg://x:{IN_URL}@127.0.0.1:{free_port()}/x", "Connection refused"
    elif name == "no file":
        yield "sqlite:////nowhere/at/all/portal.db", "unable to open database file"
    else:
        damaged = tmp_path / "damaged.db"
        damaged.write_bytes(b"this is no database" * 1000)
        yield f"sqlite:///{damaged}", "file is not a database"


def started(app: Flask) -> str:
    result = app.test_cli_runner().invoke(args=["serve"])
    assert result.exit_code == 1
    return result.stderr.splitlines()[-1]


def listed(app: Flask) -> str:
    result = app.test_cli_runner().invoke(args=["account", "list"])
    assert result.exit_code == 1
    return result.stderr.splitlines()[-1]


def done_once(app: Flask) -> str:
    result = app.test_cli_runner().invoke(args=["jobs", "run", "--once"])
    assert result.exit_code == 1
    return result.stderr.splitlines()[-1]


def ran(app: Flask) -> None:
    class Soon(jobs.Stop):
        def wait(self, seconds: float) -> bool:
            self.asked = True
            return True

    jobs.run(app, create_transport(app.config["PORTAL"]), Soon())


def asked(app: Flask) -> None:
    body = {"username": "alice", "password": "a password that is long"}
    assert app.test_client().post("/api/signin", json=body).status_code == 503


def probed(app: Flask) -> None:
    assert app.test_client().get("/readyz").status_code == 503


@pytest.mark.sqlite_only(reason="each of these databases is away")
@pytest.mark.parametrize(
    "tells", [started, listed, done_once, ran, asked, probed], ids=lambda it: it.__name__
)
@pytest.mark.parametrize("away", [*REFUSALS, "stopped", "no file", "damaged"], indirect=True)
def test_the_driver_is_heard_and_no_secret(
    make_app: MakeApp,
    away: tuple[str, str],
    tells: Callable[[Flask], str | None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, words = away
    app = make_app(PORTAL_DATABASE_URL=url, PORTAL_PORT=str(free_port()))
    capsys.readouterr()

    line = tells(app)

    log = capsys.readouterr().err
    if line is None:
        whys = [json.loads(each).get("why", "") for each in log.splitlines() if "database.away" in each]
        assert whys
        line = whys[0]
    assert words in line
    assert "\n" not in line
    for told in (line, log):
        assert PASSWORD not in told
        assert IN_URL not in told


def test_the_jobs_tell_when_it_is_back(
    app: Flask, monkeypatch: pytest.MonkeyPatch, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    tries: list[int] = []
    keep, broken = jobs.moments.keep_if_due, "SELECT nothing FROM nowhere"

    def sometimes() -> None:
        tries.append(1)
        if len(tries) < 3:
            database_of_the_jobs(broken)
        jobs.moments.keep_now()

    def database_of_the_jobs(statement: str) -> None:
        with jobs.db.engine.connect() as connection:
            connection.exec_driver_sql(statement)

    class AfterFour(jobs.Stop):
        def wait(self, seconds: float) -> bool:
            self.asked = len(tries) >= 4
            return self.asked

    monkeypatch.setattr(jobs.moments, "keep_if_due", sometimes)
    jobs.run(app, create_transport(app.config["PORTAL"]), AfterFour())

    events = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert keep is not sometimes
    assert events.count("database.away") == 2
    assert events.count("database.back") == 1
    assert events.index("database.back") > events.index("database.away")


@pytest.mark.with_redis
def test_a_store_of_limits_that_is_away_is_told_in_its_words(
    make_app: MakeApp,
    cast: Cast,
    make_key: MakeKey,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = make_key(cast.alice)
    app = make_app(PORTAL_LIMITS_STORE=f"redis://:{IN_URL}@127.0.0.1:{free_port()}")
    capsys.readouterr()
    assert app.test_client().get("/api/whoami/key", headers=key.headers).status_code == 200

    log = capsys.readouterr().err
    assert "Connection refused" in log
    assert IN_URL not in log
    assert PASSWORD not in log
