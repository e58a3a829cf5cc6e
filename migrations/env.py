"""Alembic's environment: the application's database, SQLite and PostgreSQL."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import text

import portal.models  # noqa: F401  # fills the metadata
from portal.extensions import Base

LOCK = 0x636861746C


def run() -> None:
    """Run the revisions in one transaction, one process at a time.

    SQLite's tables change within a transaction as PostgreSQL's do; Alembic takes it for a database that
    commits at each, and would let go of the write lock between two revisions.
    """
    engine = current_app.extensions["migrate"].db.engine
    is_postgresql = engine.dialect.name == "postgresql"
    with engine.connect().execution_options(portal_writes=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transactional_ddl=True,
            transaction_per_migration=False,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            if is_postgresql:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    raise RuntimeError("the triggers need a database: run the migrations online")

run()
