"""What is revoked is refused by every worker and every machine from that moment on (row 28)."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from threading import Event, Thread
from time import monotonic

from flask import Flask

from portal.permissions import Role
from portal.services.accounts.update import change_account
from portal.services.operators import actions
from tests.conftest import MakeKey, StartServer
from tests.support.cast import Cast, CreatedKey
from tests.support.databases import Database
from tests.support.server import Server
from tests.support.wire import Wire

CONNECTIONS = 12
CHECKS_AFTER = 60


def codes(wires: list[Wire], key: CreatedKey, checks: int) -> Counter[str]:
    """Check a key so often, over all connections in turn."""
    found: Counter[str] = Counter()
    for number in range(checks):
        answer = wires[number % len(wires)].get("/api/whoami/key", **key.headers)
        found[answer.json.get("error", "good")] += 1
    return found


def remove_itself(machine: Server, key: CreatedKey) -> None:
    with Wire(machine.port) as wire:
        assert wire.ask("DELETE", f"/api/apikeys/{key.id}/key", headers=key.headers).status == 204


class Hammer(Thread):
    """Goes on asking with one key; keeps when each accepted check was begun."""

    def __init__(self, server: Server, key: CreatedKey) -> None:
        super().__init__(daemon=True)
        self._wire, self._key, self.stop_asking = Wire(server.port), key, Event()
        self.last_good = 0.0
        self.codes: Counter[str] = Counter()

    def run(self) -> None:
        with self._wire as wire:
            while not self.stop_asking.is_set():
                begun = monotonic()
                answer = wire.get("/api/whoami/key", **self._key.headers)
                if answer.status == 200:
                    self.last_good = max(self.last_good, begun)
                self.codes[answer.json.get("error", "good")] += 1


def test_no_worker_and_no_machine_accepts_a_key_after_its_revocation(
    app: Flask, database: Database, start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    machines = [start_server(PORTAL_WORKERS="2") for _ in range(2 if database.kind == "postgresql" else 1)]
    causes = [
        lambda key: remove_itself(machines[0], key),
        lambda _key: actions.block(cast.sue.actor, cast.alice.account_id, why="abuse"),
        lambda _key: change_account(cast.bob.actor, consent=0),
        lambda _key: actions.set_role(cast.ada.actor, cast.sue.account_id, Role.USER),
    ]
    owners = [cast.alice, cast.alice, cast.bob, cast.sue]
    with ExitStack() as stack:
        wires = [
            stack.enter_context(Wire(machines[number % len(machines)].port)) for number in range(CONNECTIONS)
        ]
        for owner, cause in zip(owners, causes, strict=True):
            key = make_key(owner)
            assert codes(wires, key, 2 * CONNECTIONS) == {"good": 2 * CONNECTIONS}
            hammers = [Hammer(machine, key) for machine in machines for _ in range(2)]
            for hammer in hammers:
                hammer.start()

            with app.app_context():
                cause(key)
            revoked = monotonic()

            found = codes(wires, key, CHECKS_AFTER)
            for hammer in hammers:
                hammer.stop_asking.set()
                hammer.join(20)
            assert found == {"apikeyRevoked": CHECKS_AFTER}
            assert all(hammer.last_good < revoked for hammer in hammers)
            assert all(set(hammer.codes) <= {"good", "apikeyRevoked"} for hammer in hammers)
