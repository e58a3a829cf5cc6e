"""Lists that are downloaded: as CSV or as JSON Lines, written while they are read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Response, stream_with_context

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With one of these a cell begins that a spreadsheet would take for a formula."""
TYPES = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl; charset=utf-8"}
LINES = 100
"""Lines that are sent at a time."""


class _Line:
    """What the writer of CSV writes to: the line that it has just written."""

    text = ""

    def write(self, text: str) -> None:
        """Keep the line."""
        self.text = text


def download(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: str, name: str) -> Response:
    """An answer that is a file: ``form`` is ``csv`` or ``jsonl``, ``name`` what it is called before that.

    It is written row by row, so that it takes no more memory for a million rows than for ten.
    """
    lines = csv_lines(rows, columns) if form == "csv" else json_lines(rows, columns)
    answer = Response(stream_with_context(_some_at_once(lines)), content_type=TYPES[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return answer


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """The rows as CSV (RFC 4180), below a line with the columns; nothing in it acts as a formula."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(columns)
    yield line.text
    for row in rows:
        writer.writerow([harmless(row[column]) for column in columns])
        yield line.text


def json_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """The rows as JSON, one a line."""
    for row in rows:
        yield json.dumps({column: row[column] for column in columns}, ensure_ascii=False) + "\n"


def harmless(value: Any) -> str:
    """A value as a cell of CSV; what would be a formula has an apostrophe before it."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def _some_at_once(lines: Iterable[str]) -> Iterator[str]:
    some: list[str] = []
    for line in lines:
        some.append(line)
        if len(some) == LINES:
            yield "".join(some)
            some = []
    yield "".join(some)
