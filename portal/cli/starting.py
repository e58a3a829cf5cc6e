"""What is asked of the installation before something that serves it starts."""

from __future__ import annotations

import sys

from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from config import Settings
from config_env_file import load_env_file
from config_values import ConfigurationError
from portal.app import create_app
from portal.extensions import db
from portal.services.auth import demo_data
from portal.services.core.trouble import Readiness, readiness_of
from portal.services.keys import peppers
from portal.services.system.readiness import unsafe_settings

TAKES_NO_WRITES = (
    "The database takes no writes: it is a standby, or read-only. Let PORTAL_DATABASE_URL name the primary."
)
UNSAFE = (
    "The database does not hold what the portal relies on: a default of the server switches its triggers "
    "off. Take session_replication_role back."
)

HOLDS_DEMO = (
    "The database holds demo data, whose accounts never work on a public base URL. "
    "Let PORTAL_DATABASE_URL name another one, or take PORTAL_BASE_URL away."
)


def load_app() -> Flask:
    """Create the application of this process; settings that can't be end it, with one sentence."""
    try:
        load_env_file()
        return create_app()
    except ConfigurationError as error:
        sys.exit(f"The portal does not start: {error}")


def require_writable() -> None:
    """Raise ConfigurationError for a database that can't hold what the portal writes.

    That is a standby, one whose server's defaults switch guards off, and one that is not in
    UTF-8. Raises DBAPIError when the database is away.
    """
    try:
        with db.engine.connect() as connection:
            _require_utf8(connection)
            found = unsafe_settings(connection)
    except DBAPIError as error:
        found = readiness_of(error)
        if found is not Readiness.READ_ONLY:
            raise
    if found is Readiness.READ_ONLY:
        raise ConfigurationError(TAKES_NO_WRITES)
    if found is not None:
        raise ConfigurationError(UNSAFE)


def _require_utf8(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The database is in {encoding}, which not every name can be written in. Create it anew: "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )


def require_peppers(settings: Settings) -> None:
    """Raise ConfigurationError unless the ring holds the peppers that live keys need.

    Those that are seen for the first time are known from now on. Raises DBAPIError.
    """
    try:
        peppers.adopt(settings.peppers.get_secret_value())
    except peppers.WrongPepper as error:
        raise ConfigurationError(str(error)) from error


def require_no_demo() -> None:
    """Raise ConfigurationError for demo data on a public base URL. Raises DBAPIError."""
    if demo_data.is_shut():
        raise ConfigurationError(HOLDS_DEMO)
