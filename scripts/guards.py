"""Write down the guards as the migrations leave them, for both kinds of database.

Run by ``make guards``; what changed is to be read, and answered for, in the two files.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from portal.models.guards import write_guards
from portal.services.system.guard_check import read_guards
from tests.support.databases import KINDS, Databases


def main() -> None:
    """Migrate an empty database of each kind, and read it."""
    with tempfile.TemporaryDirectory() as home:
        databases = Databases(Path(home))
        try:
            for kind in KINDS:
                with databases.migrated(kind) as database, database.connect() as connection:
                    write_guards(kind, read_guards(connection))
        finally:
            databases.stop()


if __name__ == "__main__":
    main()
