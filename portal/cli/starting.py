"""What is asked of the installation before something that serves it starts."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from config import Settings
from config_values import ConfigurationError
from portal.extensions import db
from portal.services import peppers
from portal.services.readiness import Readiness, readiness_of, unsafe_settings

TAKES_NO_WRITES = (
    "The database takes no writes: it is a standby, or read-only. Let PORTAL_DATABASE_URL name the primary."
)
UNSAFE = (
    "The database does not hold what the portal relies on: a default of the server switches its triggers "
    "off. Take session_replication_role back."
)


def require_writable() -> None:
    """Raise ConfigurationError for a standby, and for a server whose defaults switch guards off.

    Raises DBAPIError when the database is away.
    """
    try:
        with db.engine.connect() as connection:
            found = unsafe_settings(connection)
    except DBAPIError as error:
        found = readiness_of(error)
        if found is not Readiness.READ_ONLY:
            raise
    if found is Readiness.READ_ONLY:
        raise ConfigurationError(TAKES_NO_WRITES)
    if found is not None:
        raise ConfigurationError(UNSAFE)


def require_peppers(settings: Settings) -> None:
    """Raise ConfigurationError unless the ring holds the peppers that live keys need.

    Those that are seen for the first time are known from now on. Raises DBAPIError.
    """
    try:
        peppers.adopt(settings.peppers)
    except peppers.WrongPepper as error:
        raise ConfigurationError(str(error)) from error
