"""A portal as it is shipped, and programs that ask it through libraries that others wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from portal import clock
from portal.app import create_app
from portal.models import KeyKind
from portal.services.keys import revocation
from tests.conftest import close_app
from tests.support.cast import Cast, CreatedKey, Person, make_cast
from tests.support.databases import ROOT, Databases
from tests.support.rows import forge
from tests.support.server import Server, make_server

DRIVERS = Path(__file__).parent / "drivers"
PATIENCE = 100
"""Seconds that a driver may take, on a busy machine."""


@dataclass(frozen=True)
class Portal:
    """The server, and the application on its database to act past it."""

    server: Server
    app: Flask
    cast: Cast

    @property
    def url(self) -> str:
        """Where it answers, which is its issuer too."""
        return self.server.url

    def make_key(self, owner: Person, **columns: object) -> CreatedKey:
        """A key as a row, of level 4 unless another is given."""
        return forge(self.app, owner, **columns)

    def make_service_key(self, audiences: str = "") -> CreatedKey:
        """The key of a service: it introspects, in the name of its audience, and nothing else."""
        return self.make_key(self.cast.ada, kind=KeyKind.SERVICE, level=0, audiences=audiences)

    def make_revoked(self, owner: Person) -> CreatedKey:
        """A key that its owner has revoked."""
        created = self.make_key(owner)
        with self.app.app_context():
            revocation.revoke_key(owner.actor, UUID(created.id))
        return created

    def make_expired(self, owner: Person) -> CreatedKey:
        """A key whose time is over."""
        now = clock.utcnow()
        return self.make_key(owner, created_at=now - timedelta(days=2), expires_at=now - timedelta(seconds=1))


@pytest.fixture(scope="session")
def portal(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The portal that all clients ask; each makes its own keys."""
    with databases.migrated("sqlite") as database:
        server = make_server(database, tmp_path_factory.mktemp("portal"), {})
        app = create_app(server.settings)
        server.start()
        try:
            yield Portal(server, app, make_cast(app))
        finally:
            server.finish()
            close_app(app)


Drive = Callable[..., Any]


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Run a driver on what it is told: ``drive("authlib_client.py", url=...)``; what it found."""

    def run(name: str, **told: Any) -> Any:
        return json.loads(run_program([*program_of(name), str(DRIVERS / name)], tmp_path, json.dumps(told)))

    return run


def program_of(name: str) -> list[str]:
    """What runs a driver: Node, or Python with the libraries of others."""
    if name.endswith(".py"):
        return [str(ROOT / ".venv-clients/bin/python")]
    return [str(Path(sys.executable).parent / "node"), "--disable-warning=ExperimentalWarning"]


def run_program(command: list[str], home: Path, told: str = "") -> str:
    """Run a program of others to its end and return what it says; AssertionError when it fails."""
    done = subprocess.run(
        command, cwd=home, input=told, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{command[-1]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
