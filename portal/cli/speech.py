"""How commands speak: lists with tabs on standard output, errors in one line on standard error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask_babel import force_locale
from sqlalchemy.exc import DBAPIError

from portal.clock import iso
from portal.messages import sentence
from portal.services.errors import RuleError

P = ParamSpec("P")
R = TypeVar("R")


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end with one sentence on standard error and exit code 1, never a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with force_locale("en"):
            try:
                return command(*args, **kwargs)
            except RuleError as error:
                raise click.ClickException(sentence(error.code, error.details)) from error
            except DBAPIError as error:
                raise click.ClickException(_database_says(error)) from error

    return run


def row(*cells: object) -> None:
    """Write one line of a list: cells with a tab between them, ``-`` for what there is not."""
    click.echo("\t".join("-" if cell is None or cell == "" else str(cell) for cell in cells))


def when(moment: datetime | None) -> str | None:
    """A moment as the wire has it."""
    return None if moment is None else iso(moment)


def _database_says(error: DBAPIError) -> str:
    reason = " ".join(str(error.orig).split())
    return f"The database can't be used: {reason}. Is it there, and is 'flask db upgrade' done?"
