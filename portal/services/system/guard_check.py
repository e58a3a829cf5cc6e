"""How the guards of a database are read, and compared with what they must be.

Names are not enough: a trigger that was replaced, disabled or joined by another one keeps its
name and holds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, text

from portal.models.guards import expected_guards, plain

_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_CONSTRAINT = re.compile(r"\bCONSTRAINT (\w+) (?=CHECK|UNIQUE|PRIMARY KEY|FOREIGN KEY)")
_TABLES = "(SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r')"
_POSTGRESQL = f"""
SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid IN {_TABLES} AND contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) || ';' || chr(10) || pg_get_functiondef(tgfoid)
        || CASE tgenabled WHEN 'O' THEN '' ELSE 'not enabled' END
    FROM pg_trigger WHERE tgrelid IN {_TABLES} AND NOT tgisinternal
UNION ALL SELECT 'constraint ' || c.conname || ' of ' || t.tgrelid::regclass, 'not enforced'
    FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint
    WHERE t.tgrelid IN {_TABLES} AND t.tgisinternal AND t.tgenabled <> 'O'
UNION ALL SELECT 'rule ' || rulename, pg_get_ruledef(oid) FROM pg_rewrite
    WHERE ev_class IN {_TABLES}
UNION ALL SELECT 'columns of ' || relname,
        string_agg(attname || ' ' || format_type(atttypid, atttypmod)
            || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, chr(10) ORDER BY attname)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE attrelid IN {_TABLES} AND attnum > 0 AND NOT attisdropped GROUP BY relname
UNION ALL SELECT 'row security of ' || relname, 'on' FROM pg_class WHERE oid IN {_TABLES} AND relrowsecurity
"""  # noqa: S608  # made of constants


def differences(connection: Connection) -> list[str]:
    """What is missing, changed or more than there must be, by name; empty when all is as it must be."""
    wanted, found = expected_guards(connection.dialect.name), read_guards(connection)
    return [
        f"{name} is {_word(name in wanted, name in found)}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != (plain(found[name]) if name in found else None)
    ]


def read_guards(connection: Connection) -> dict[str, str]:
    """Each trigger, constraint and table's columns by its name, as the database tells it.

    No CHECK refuses NULL, so what may be NULL counts as well.
    """
    if connection.dialect.name == "sqlite":
        return dict(_of_sqlite(connection))
    schema = connection.scalar(text("SELECT current_schema()"))
    rows = connection.execute(text(_POSTGRESQL))
    return {name: told.replace(f" {schema}.", " ").strip() for name, told in rows}


def _of_sqlite(connection: Connection) -> Iterator[tuple[str, str]]:
    created = (
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'trigger') AND sql IS NOT NULL"
    )
    for kind, name, sql in connection.execute(text(created)):
        if kind == "trigger":
            yield f"trigger {name}", sql
        else:
            yield from _constraints_of(sql)
    columns = (
        "SELECT m.name, c.name || ' ' || c.type || iif(c.\"notnull\", ' NOT NULL', '')"
        " FROM sqlite_master m JOIN pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY m.name, c.name"
    )
    for table, rows in groupby(connection.execute(text(columns)), key=itemgetter(0)):
        yield f"columns of {table}", "\n".join(told for _table, told in rows)


def _constraints_of(sql: str) -> Iterator[tuple[str, str]]:
    """The named constraints in the statement that made a table."""
    words = _COMMENTS.sub(" ", sql)
    for found in _CONSTRAINT.finditer(words):
        end = _end_of_brackets(words, found.end())
        referred = re.compile(r"\s+REFERENCES [^,()]+").match(words, end)
        if referred:
            actions = re.compile(r"[^,)]*").match(words, _end_of_brackets(words, referred.end()))
            end = actions.end() if actions else end
        yield f"constraint {found[1]}", words[found.end() : end].strip()


def _end_of_brackets(words: str, start: int) -> int:
    """Where the first pair of brackets from here on ends, whatever stands within."""
    depth = 0
    for each in re.compile(r"'(?:[^']|'')*'|[()]").finditer(words, start):
        depth += {"(": 1, ")": -1}.get(each[0], 0)
        if depth == 0 and each[0] == ")":
            return each.end()
    return len(words)


def _word(is_wanted: bool, is_found: bool) -> str:  # two facts, named where they are used
    if not is_found:
        return "missing"
    return "changed" if is_wanted else "not ours"
