"""Whether the portal can serve: its database answers and has the tables of this version."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from portal.extensions import db

VERSIONS = Path(__file__).parent.parent.parent / "migrations" / "versions"
_OWN = re.compile(r'^revision = "(\w+)"', re.MULTILINE)
_DOWN = re.compile(r'^down_revision = "(\w+)"', re.MULTILINE)


class Readiness(StrEnum):
    """What there is to say to a probe."""

    READY = "ready"
    NO_DATABASE = "database unreachable"
    OTHER_SCHEMA = "schema not at head"


def readiness() -> Readiness:
    """Ask the database, now."""
    try:
        rows = db.session.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    except OperationalError as error:
        missing = "no such table" in str(error.orig)
        return Readiness.OTHER_SCHEMA if missing else Readiness.NO_DATABASE
    except DBAPIError:
        return Readiness.OTHER_SCHEMA
    finally:
        db.session.rollback()
    return Readiness.READY if set(rows) == heads() else Readiness.OTHER_SCHEMA


@cache
def heads() -> frozenset[str]:
    """The newest revisions of the migrations that came with this code.

    Read from the files: Alembic would cost each worker eight megabytes for this one word.
    """
    texts = [path.read_text("utf-8") for path in VERSIONS.glob("*.py")]
    made, followed = ({word for text in texts for word in named.findall(text)} for named in (_OWN, _DOWN))
    return frozenset(made - followed)
