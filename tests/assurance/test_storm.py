"""Fifty people sign in at the same moment: memory stays bounded, and others are served (row 4)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from tests.conftest import MakeKey, StartServer
from tests.support.cast import Cast, CreatedKey
from tests.support.wire import Wire

SIGN_INS = 50
ONE_HASH = 19 * 2**20
ROOM = 12 * ONE_HASH
"""Bytes that the workers may grow by in all: fifty hashes at once would take four times that."""
GENEROUS = 5.0
"""Seconds in which a key check has to be answered, on a machine that does much else."""


def memory(group: int) -> int:
    """The largest memory that the processes of a group have had, in bytes, added up."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.getpgid(int(status.parent.name)) == group:
                words = status.read_text().split("VmHWM:")[1].split()
                total += int(words[0]) * 1024
        except (OSError, IndexError):
            continue
    return total


def sign_in(port: int, cast: Cast, go: Event) -> int:
    with Wire(port) as wire:
        go.wait(10)
        credentials = {"username": cast.alice.email, "password": cast.alice.password}
        return wire.send_json("POST", "/api/signin", credentials).status


def ask_on(port: int, key: CreatedKey, enough: Event) -> list[float]:
    times = []
    with Wire(port) as wire:
        while not enough.wait(0.02):
            begun = monotonic()
            assert wire.get("/api/whoami/key", **key.headers).status == 200
            times.append(monotonic() - begun)
    return times


@pytest.mark.sqlite_only(reason="the hashing of passwords has nothing to do with the database")
def test_many_sign_ins_at_once_starve_nobody(
    start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    server = start_server(PORTAL_LIMITS_ENABLED="false", PORTAL_WORKERS="2")
    assert server.process
    key, go, enough = make_key(cast.bob), Event(), Event()
    with ThreadPoolExecutor(1) as warm:
        go.set()
        assert warm.submit(sign_in, server.port, cast, go).result() == 200
        go.clear()
    before = memory(server.process.pid)

    with ThreadPoolExecutor(SIGN_INS + 2) as pool:
        others = [pool.submit(ask_on, server.port, key, enough) for _ in range(2)]
        signing = [pool.submit(sign_in, server.port, cast, go) for _ in range(SIGN_INS)]
        go.set()
        statuses = [each.result() for each in signing]
        enough.set()
        times = sorted(time for each in others for time in each.result())

    assert set(statuses) <= {200, 503}, "a sign-in works, or is told to wait"
    assert statuses.count(200) >= SIGN_INS // 5
    assert memory(server.process.pid) - before < ROOM
    assert times[int(len(times) * 0.99)] < GENEROUS
