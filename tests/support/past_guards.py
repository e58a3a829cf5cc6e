"""How somebody writes past the guards of a database, and leaves them as they were."""

from __future__ import annotations

from tests.support.databases import Database

CHECKS = """
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype = 'c'
"""


def write_past_guards(database: Database, *statements: str) -> None:
    """Run statements that triggers, constraints and foreign keys would refuse."""
    with database.connect() as connection:
        if database.kind == "postgresql":
            checks = list(connection.exec_driver_sql(CHECKS))
            connection.exec_driver_sql("SET session_replication_role = replica")
            for table, name, _ in checks:
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            for statement in statements:
                connection.exec_driver_sql(statement)
            for table, name, told in checks:
                connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {told} NOT VALID")
            connection.exec_driver_sql("UPDATE pg_constraint SET convalidated = true")
            return
        created = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = list(connection.exec_driver_sql(created))
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        for name, _ in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.exec_driver_sql(statement)
        for _, sql in triggers:
            connection.exec_driver_sql(sql)
