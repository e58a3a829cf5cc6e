"""Portals as they are shipped, one for each way to be told an address, for all tests of proxies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from portal.app import create_app
from portal.extensions import db
from portal.runtime import runtime_of
from tests.support.cast import Cast, CreatedKey, make_cast
from tests.support.databases import Databases
from tests.support.fronts import HOST
from tests.support.gateways import Service
from tests.support.rows import forge
from tests.support.server import Server, make_server, wait_until

TRUSTED = "127.0.0.1/32"
"""The proxies ask from there; their visitors come from elsewhere on the loopback network."""

FORWARDED_FOR = "X-Forwarded-For"
SECRET = "Visitor7d02f9e4b6a8"


@dataclass(frozen=True)
class Portal:
    """The server, and the application on its database to act past it."""

    server: Server
    app: Flask
    cast: Cast

    def make_key(self, **columns: object) -> CreatedKey:
        """A key of Alice's, as a row: of level 4 unless another is given."""
        return forge(self.app, self.cast.alice, **columns)

    def addresses(self, *request_ids: str) -> dict[str, str]:
        """Where requests that were refused came from, as the portal wrote it into its log."""
        found: dict[str, str] = {}

        def are_there() -> bool:
            lines = [line for line in self.server.output().splitlines() if '"answered"' in line]
            found.update((line["request_id"], line["address"]) for line in map(json.loads, lines))
            return found.keys() >= set(request_ids)

        wait_until(are_there, 10, "the answers were not logged")
        return {each: found[each] for each in request_ids}


Portals = Callable[..., Portal]
"""``portals(header)``, or ``portals(header, "keys.example.org:8443")`` for another place than its host."""


@pytest.fixture(scope="session")
def portals(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portals]:
    """The portal that is told addresses in a header, started when first asked for."""
    with ExitStack() as stack:
        started: dict[tuple[str, str], Portal] = {}

        def portal_of(header: str, place: str = HOST) -> Portal:
            if (header, place) not in started:
                home = tmp_path_factory.mktemp("portal")
                started[header, place] = stack.enter_context(_portal(databases, home, header, place))
            return started[header, place]

        yield portal_of


@contextmanager
def _portal(databases: Databases, home: Path, header: str, place: str) -> Iterator[Portal]:
    settings = {
        "PORTAL_BASE_URL": f"https://{place}",
        "PORTAL_TRUSTED_PROXIES": TRUSTED,
        "PORTAL_PROXY_HEADER": header,
    }
    with databases.migrated("sqlite") as database:
        server = make_server(database, home, settings)
        app = create_app(server.settings)
        server.start()
        try:
            yield Portal(server, app, make_cast(app))
        finally:
            server.finish()
            runtime_of(app).close()
            with app.app_context():
                for engine in db.engines.values():
                    engine.dispose()


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The API behind the gateways."""
    created = Service()
    yield created
    created.stop()


MakeKey = Callable[..., CreatedKey]
