"""One portal, as it is shipped, for all tests of gateways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from portal import create_app
from portal.extensions import db
from tests.support.cast import Cast, MadeKey, make_cast
from tests.support.databases import Databases
from tests.support.gateways import Service
from tests.support.rows import forge
from tests.support.server import Server, make_server

TRUSTED = "127.0.0.1/32"
"""The gateways ask from there; their visitors come from elsewhere on the loopback network."""


@dataclass(frozen=True)
class Portal:
    """The server, and the application on its database to act past it."""

    server: Server
    app: Flask
    cast: Cast

    def make_key(self, **columns: object) -> MadeKey:
        """A key of Alice's, as a row: of level 4 unless another is given."""
        return forge(self.app, self.cast.alice, **columns)


@pytest.fixture(scope="session")
def portal(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The production server with one worker, which trusts the gateway."""
    with databases.migrated("sqlite") as database:
        settings = {"PORTAL_WORKERS": "1", "PORTAL_TRUSTED_PROXIES": TRUSTED}
        server = make_server(database, tmp_path_factory.mktemp("portal"), settings)
        app = create_app(server.settings)
        server.start()
        yield Portal(server, app, make_cast(app))
        server.finish()
        for name in ("usage", "call_limits", "verifier"):
            app.extensions[name].close()
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The API behind the gateways."""
    made = Service()
    yield made
    made.stop()


MakeKey = Callable[..., MadeKey]


@pytest.fixture
def make_key(portal: Portal) -> MakeKey:
    """Make a key: ``make_key(level=2, networks="192.0.2.0/24")``."""
    return portal.make_key
