"""A worker is killed in the middle of its work, then everything at once (rows 27 and 48)."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from time import sleep
from uuid import UUID

from sqlalchemy import text

from portal.permissions import ROLE_LEVELS
from tests.conftest import MakeKey, StartServer
from tests.support.cast import Cast, CreatedKey
from tests.support.databases import Database
from tests.support.server import Server, wait_until
from tests.support.wire import Wire, basic

CLIENTS = 4
ENOUGH = 12


@dataclass
class Told:
    """What clients were told was done."""

    created: dict[str, str] = field(default_factory=dict, repr=False)
    revoked: set[str] = field(default_factory=set)


class Client(Thread):
    """Makes keys and revokes every second one, for as long as somebody answers."""

    def __init__(self, server: Server, key: CreatedKey) -> None:
        super().__init__(daemon=True)
        self.told, self.enough = Told(), Event()
        self._port, self._key = server.port, key

    def run(self) -> None:
        while not self.enough.is_set():
            with suppress(OSError, HTTPException), Wire(self._port, headers=self._key.headers) as wire:
                while not self.enough.is_set():
                    self._once(wire)
            sleep(0.05)

    def _once(self, wire: Wire) -> None:
        wanted = {"name": "load", "level": 2, "expiresIn": 3600}
        answer = wire.send_json("POST", "/api/apikeys/key", wanted)
        if answer.status == 201:
            created = answer.json["apikey"]
            self.told.created[created["key"]] = created["secret"]
            if len(self.told.created) % 2:
                gone = wire.ask("DELETE", f"/api/apikeys/{created['key']}/key")
                if gone.status == 204:
                    self.told.revoked.add(created["key"])


def workers_of(server: Server) -> list[int]:
    """The processes that answer requests: spawned children of the server."""
    assert server.process
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def check_invariants(database: Database) -> None:
    """What must be true of the tables whatever happened."""
    levels = " ".join(f"WHEN '{role}' THEN {level}" for role, level in ROLE_LEVELS.items())
    above = (
        "SELECT k.id FROM api_keys k JOIN accounts a ON a.id = k.account_id"
        f" WHERE k.revoked_at IS NULL AND k.level > CASE a.role {levels} END"
    )
    unrecorded = (
        "SELECT k.id FROM api_keys k WHERE (SELECT count(*) FROM audit_events e"
        " WHERE e.key_id = k.id AND e.action = 'key:created') <> 1"
    )
    unrecorded_end = (
        "SELECT k.id FROM api_keys k WHERE (SELECT count(*) FROM audit_events e"
        " WHERE e.key_id = k.id AND e.action = 'key:revoked') <> (k.revoked_at IS NOT NULL)"
    )
    if database.kind == "postgresql":
        unrecorded_end = unrecorded_end.replace(
            "(k.revoked_at IS NOT NULL)", "(k.revoked_at IS NOT NULL)::int"
        )
    recorded = "SELECT count(*) FROM audit_events WHERE action = 'key:created'"
    keys, mails = "SELECT count(*) FROM api_keys", "SELECT count(*) FROM outbox WHERE kind = '{}'"
    ended = "SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL"
    assert database.execute(above) == []
    assert database.execute(unrecorded) == []
    assert database.execute(unrecorded_end) == []
    assert database.execute(recorded) == database.execute(keys) == database.execute(mails.format("key-made"))
    assert database.execute(ended) == database.execute(mails.format("keys-revoked"))
    if database.kind == "sqlite":
        with database.connect() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).all() == [("ok",)]
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def wait_for(clients: Sequence[Client], keys: int) -> None:
    wait_until(lambda: sum(len(each.told.created) for each in clients) >= keys, 60, "too few keys were made")


def test_what_was_told_is_there_and_nothing_is_half_done(
    database: Database, start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    server = start_server(PORTAL_LIMITS_ENABLED="false", PORTAL_WORKERS="2")
    clients = [Client(server, make_key(person, level=4)) for person in (cast.alice, cast.bob) * 2]
    for client in clients:
        client.start()

    wait_for(clients, ENOUGH)
    first, *_others = workers_of(server)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in workers_of(server), 10, "the worker lives on")
    done = sum(len(each.told.created) for each in clients)
    wait_for(clients, done + ENOUGH)
    server.kill()
    for client in clients:
        client.enough.set()
        client.join(20)

    check_invariants(database)
    server.start()
    revoked = {UUID(str(row[0])) for row in database.execute("SELECT id FROM api_keys WHERE revoked_at > 0")}
    with Wire(server.port) as wire:
        for told in (client.told for client in clients):
            assert {UUID(each) for each in told.revoked} <= revoked
            for key, secret in told.created.items():
                answer = wire.get("/api/whoami/key", **basic(key, secret))
                assert answer.status == (401 if UUID(key) in revoked else 200), key
    check_invariants(database)


class Refused(Thread):
    """Asks for more than its key may, for as long as somebody answers; ``times`` it was refused."""

    def __init__(self, server: Server, key: CreatedKey) -> None:
        super().__init__(daemon=True)
        self.times, self.enough = 0, Event()
        self._port, self._key = server.port, key

    def run(self) -> None:
        while not self.enough.is_set():
            with suppress(OSError, HTTPException), Wire(self._port, headers=self._key.headers) as wire:
                while not self.enough.is_set():
                    self.times += wire.get("/api/account/key").status == 403
            sleep(0.05)


def counted(database: Database) -> tuple[int, int]:
    """Refusals in the counts of keys, and in their last refusals."""
    (counts,) = database.execute("SELECT coalesce(sum(refused), 0) FROM key_usage")
    (recent,) = database.execute("SELECT coalesce(sum(times), 0) FROM key_recent_refusals")
    return int(counts[0]), int(recent[0])


def test_the_last_refusals_of_a_key_agree_with_its_counts_whenever_a_worker_is_killed(
    database: Database, start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    """Both are written in one transaction; what a worker had not yet written is lost in both."""
    server = start_server(PORTAL_LIMITS_ENABLED="false", PORTAL_WORKERS="2")
    key = make_key(cast.alice, level=0)
    clients = [Refused(server, key) for _ in range(CLIENTS)]
    for client in clients:
        client.start()

    wait_until(lambda: counted(database)[1] > 0, 30, "no refusal was written")
    first, *_others = workers_of(server)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in workers_of(server), 10, "the worker lives on")
    before = counted(database)[1]
    wait_until(lambda: counted(database)[1] > before, 30, "no refusal was written after the kill")
    server.kill()
    for client in clients:
        client.enough.set()
        client.join(20)

    in_counts, in_recent = counted(database)
    assert in_counts == in_recent
    assert 0 < in_recent <= sum(client.times for client in clients) + CLIENTS * 2
