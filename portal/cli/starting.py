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

TAKES_NO_WRITES = "The database is read-only, or a standby. Set PORTAL_DATABASE_URL to the primary."
UNSAFE = (
    "The database doesn't enforce what the portal relies on: a server default switches its triggers off. "
    "Reset session_replication_role."
)

HOLDS_DEMO = (
    "The database contains demo data, which never works on a public base URL. "
    "Set PORTAL_DATABASE_URL to another database, or unset PORTAL_BASE_URL."
)


def load_app() -> Flask:
    """Create the application of this process; settings that can't be end it, with one sentence."""
    try:
        load_env_file()
        return create_app()
    except ConfigurationError as error:
        sys.exit(f"The portal can't start: {error}")


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
            f"The database uses {encoding}, which can't store every name. Recreate it: "
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
