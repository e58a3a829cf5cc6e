"""A scratch installation: an empty database of the configured kind, and workers on it.

SQLite gets a file in a temporary folder; PostgreSQL a schema of its own on the configured
server, for which the portal's user needs CREATE on the database and nothing else.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate, upgrade
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from config import Settings, variables
from portal.app import ROOT, create_app
from portal.extensions import PINNED, db
from portal.runtime import runtime_of
from portal.transports import Transport, create_transport

CAP = 10
"""Live keys that an account may have here; the default takes long to reach."""
NAME = "portal_selfcheck_"
SCHEMA = re.compile(rf"{NAME}[0-9a-f]{{16}}")
LOCK = 0x70726F6D
"""The first half of the lock that a run holds on its schema, so that no other run removes it."""


POOLED = (
    "A scratch database needs sessions of its own. Run this past the pooler: with "
    "PORTAL_DATABASE_POOLER=none, and with PORTAL_DATABASE_URL naming the server itself."
)


class NoScratch(Exception):
    """No scratch database can be made; the message says what to do."""


@dataclass
class Scratch:
    """One installation, with as many workers as are asked for."""

    settings: dict[str, str] = field(repr=False)
    folder: Path
    workers: list[Flask] = field(default_factory=list)
    others: list[Flask] = field(default_factory=list)

    def worker(self, number: int = 0) -> Flask:
        """A worker of it: an application with connections and a memory of its own."""
        while len(self.workers) <= number:
            self.workers.append(create_app(self.settings))
        return self.workers[number]

    def other(self, **settings: str) -> Flask:
        """One more worker, with other settings."""
        self.others.append(create_app(self.settings | settings))
        return self.others[-1]

    @property
    def engine(self) -> Engine:
        """A way into its database, past every rule that is not in the database itself."""
        with self.worker().app_context():
            return db.engine

    @property
    def transport(self) -> Transport:
        """How its mails leave: into its own folder."""
        return create_transport(self.worker().config["PORTAL"])

    def migrate(self) -> None:
        """Make the tables, with every migration that there is.

        Raises NoScratch when there are tables: a pooler that leaves the search path out of a
        connection leads to those of the installation itself.
        """
        with self.worker().app_context():
            if inspect(db.engine).get_table_names():
                raise NoScratch(
                    "The scratch database is not empty, so it may be your own; nothing was done. Let "
                    "PORTAL_DATABASE_URL name the server itself, and no pooler before it."
                )
            Migrate(self.worker(), db, str(ROOT / "migrations"))
            upgrade()

    def close(self) -> None:
        """End the workers in order, so that what they collected is written; new ones may come."""
        for app in self.workers + self.others:
            runtime_of(app).close()
            with app.app_context():
                db.session.remove()
                db.engine.dispose()
        self.workers.clear()
        self.others.clear()


@contextmanager
def scratch(settings: Settings) -> Iterator[Scratch]:
    """Make an installation like the configured one, with nothing in it, and throw it away after.

    Raises NoScratch, and DBAPIError when the server is away.
    """
    with (
        tempfile.TemporaryDirectory(prefix=NAME) as folder,
        _database(settings, Path(folder)) as url,
    ):
        created = Scratch(settings_for(settings, url, Path(folder)), Path(folder))
        try:
            created.migrate()
            yield created
        finally:
            created.close()


def settings_for(settings: Settings, url: str, folder: Path) -> dict[str, str]:
    """Every setting: address and prefix of the installation, new secrets, one cap, and else defaults.

    So the promises are about the code, its tables and the database; a switch that an operator
    has set can neither keep nor break them, and no mail leaves.
    """
    defaults = {name: setting.default for name, setting in variables().items()}
    return defaults | {
        "PORTAL_INSTANCE_PATH": str(folder / "instance"),
        "PORTAL_DATABASE_URL": url,
        "PORTAL_BASE_URL": settings.origin,
        "PORTAL_KEY_PREFIX": settings.key_prefix,
        "PORTAL_KEYS_PER_ACCOUNT": str(CAP),
        "PORTAL_SECRET_KEY": secrets.token_urlsafe(32),
        "PORTAL_PEPPERS": f"p1:{secrets.token_urlsafe(32)}",
    }


@contextmanager
def _database(settings: Settings, folder: Path) -> Iterator[str]:
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        yield f"sqlite:///{folder / 'portal.db'}"
        return
    if settings.is_pooled:
        raise NoScratch(POOLED)
    engine = create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True, connect_args=dict(PINNED)
    )
    name = NAME + secrets.token_hex(8)
    options = f"{url.query.get('options', '')} -csearch_path={name}".strip()
    with engine.connect() as connection:
        _remove_leftovers(connection)
        connection.execute(text(f"SELECT pg_advisory_lock({LOCK}, hashtext(:name))"), {"name": name})
        _create_schema(connection, name)
        try:
            yield url.update_query_dict({"options": options}).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))


def _create_schema(connection: Connection, name: str) -> None:
    try:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    except ProgrammingError as error:
        raise NoScratch(
            "No scratch schema can be made on the configured server. Let the portal's user: "
            "GRANT CREATE ON DATABASE … TO …"
        ) from error


def _remove_leftovers(connection: Connection) -> None:
    """Remove the schemas of runs that were killed; those of runs at work are locked by them."""
    found = connection.execute(
        text("SELECT nspname FROM pg_namespace WHERE pg_has_role(nspowner, 'USAGE')")
    ).scalars()
    for name in [each for each in found if SCHEMA.fullmatch(each)]:
        mine = {"name": name}
        if connection.scalar(text(f"SELECT pg_try_advisory_lock({LOCK}, hashtext(:name))"), mine):
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))
            connection.execute(text(f"SELECT pg_advisory_unlock({LOCK}, hashtext(:name))"), mine)
