"""The command that tries to break every promise, on an installation made for it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_babel import gettext
from sqlalchemy.exc import DBAPIError

from portal.cli.console import PlainCommand, database_says, plain_errors
from portal.cli.process_watchdog import end_with
from portal.promises import PROMISES
from portal.selfcheck.run import Result, run
from portal.selfcheck.scratch import NoScratch
from portal.services.system import selfcheck_results
from portal.version import running_version

LEAST = 19
"""What the scheduler gives way with to everything else."""

WIDTH = max(map(len, PROMISES))


@click.command("selfcheck", cls=PlainCommand)
@click.argument("ids", nargs=-1, type=click.Choice(list(PROMISES)), metavar="[PROMISE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.option("--parent", type=int, hidden=True, help="Give way to everything, and end with this process.")
@with_appcontext
@plain_errors
def selfcheck(ids: tuple[str, ...], as_json: bool, parent: int | None) -> None:
    """Try to break every promise, or only those you name.

    Checks what they rely on in this installation, and tries the rest on a scratch copy of the
    same kind. It changes nothing of yours but the results, which it keeps for the page /promises.
    Exits with 0 if every promise held.
    """
    begun = time.monotonic()
    results: list[Result] = []
    try:
        with _ended_in_order():
            if parent is not None:
                os.nice(LEAST)
                end_with(parent)
            app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # of the proxy
            for result in run(app, ids):
                results.append(result)
                if not as_json:
                    _say(result)
    except NoScratch as error:
        raise click.ClickException(str(error)) from error
    seconds = round(time.monotonic() - begun, 1)
    _sum_up(results, seconds, as_json)
    _keep(results)
    if not all(result.held for result in results):
        raise click.exceptions.Exit(1)


def _say(result: Result) -> None:
    word, promise = "ok" if result.held else "BROKEN", result.promise
    click.echo(f"{word:<6}  {promise.id:<{WIDTH}}  {gettext(promise.sentence)}")
    if not result.held:
        click.echo(f"{promise.id}: {result.why}", err=True)


def _sum_up(results: list[Result], seconds: float, as_json: bool) -> None:
    held = sum(result.held for result in results)
    if as_json:
        told = [
            {"id": each.promise.id, "held": each.held, "why": each.why, "test": each.promise.test}
            for each in results
        ]
        click.echo(json.dumps({"held": held == len(results), "seconds": seconds, "promises": told}))
    else:
        click.echo(f"{held} of {len(results)} promises held, in {seconds} seconds.")


def _keep(results: list[Result]) -> None:
    try:
        selfcheck_results.note_run({result.promise.id: result.held for result in results}, running_version())
    except DBAPIError as error:
        raise click.ClickException(
            f"Can't save the results. {database_says(error)} Run 'flask db upgrade'."
        ) from error


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that the scratch installation is removed."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
