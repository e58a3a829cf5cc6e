"""How commands speak: lists with tabs on standard output, errors in one line on standard error."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from click.exceptions import NoArgsIsHelpError
from flask.cli import AppGroup
from flask_babel import force_locale
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from portal.clock import iso
from portal.error_messages import sentence
from portal.extensions import settings
from portal.runtime import runtime
from portal.services.core import free_text
from portal.services.core.errors import RuleError
from portal.services.core.trouble import words_of

P = ParamSpec("P")
R = TypeVar("R")


class WrongWords(click.ClickException):
    """What was typed is no command, or lacks something; with the exit code that click has for it."""

    exit_code = click.UsageError.exit_code


@contextmanager
def _one_line() -> Iterator[None]:
    """Tell what was typed wrong in one line, as every other error."""
    try:
        yield
    except NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "flask"
        said = " ".join(error.format_message().split())
        raise WrongWords(f"{free_text.escaped(said)} See '{command} --help'.") from error


class PlainCommand(click.Command):
    """A command whose errors take one line, those of its arguments too."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments."""
        with _one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Do it."""
        with _one_line():
            return super().invoke(ctx)


class PlainGroup(PlainCommand, AppGroup):
    """A group of commands whose errors take one line."""


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end with one line on standard error and exit code 1, never a traceback.

    The line names the database: whoever works on another one than they think finds nothing there.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with force_locale("en"), _naming_the_database():
            _refuse_no_text(kwargs.values())
            try:
                return command(*args, **kwargs)
            except RuleError as error:
                raise click.ClickException(free_text.escaped(sentence(error.code, error.details))) from error
            except (OSError, UnicodeEncodeError) as error:
                if isinstance(error, OSError) and error.errno == errno.EPIPE:
                    raise  # whoever read has read enough, and click ends quietly
                raise click.ClickException(free_text.escaped(f"Can't write the output: {error}.")) from error
            except DBAPIError as error:
                hint = "Check that it exists, and run 'flask db upgrade'."
                raise click.ClickException(f"{database_says(error)} {hint}") from error

    return run


@contextmanager
def _naming_the_database() -> Iterator[None]:
    try:
        yield
    except click.UsageError:
        raise
    except click.ClickException as error:
        raise click.ClickException(with_database(error.message)) from error


def with_database(said: str) -> str:
    """A sentence, and which database it is about."""
    return f"{said} {free_text.escaped(f'Database: {database_name()}.')}"


def database_name() -> str:
    """Which database is used: its file, or its server and name; without user, password and options."""
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        return url.database or "in memory"
    host = url.host or url.query.get("host") or "this machine"
    return f"{url.database} on {host}{f':{url.port}' if url.port else ''}"


def _refuse_no_text(values: Iterable[object]) -> None:
    for value in values:
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise click.ClickException("The input isn't valid UTF-8.") from error


def row(*cells: object) -> None:
    """Write one line of a list: cells with a tab between them, ``-`` for what there is not.

    Moments are written as the wire has them. What would act on a terminal is written as an escape,
    whatever old rows hold.
    """
    click.echo("\t".join(free_text.escaped(_told(cell)) for cell in cells))


def _told(cell: object) -> str:
    if isinstance(cell, datetime):
        return iso(cell)
    return "-" if cell is None or cell == "" else str(cell)


def database_says(error: DBAPIError) -> str:
    """What is wrong with the database, in the driver's own words, as a sentence without secrets."""
    return free_text.escaped(
        runtime.redactor.hide(f"The database can't be used: {words_of(error).rstrip('.')}.")
    )
