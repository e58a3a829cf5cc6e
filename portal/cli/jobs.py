"""The command that does what runs by the clock."""

from __future__ import annotations

from contextlib import suppress

import click
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

from config_values import ConfigurationError
from portal.cli.console import PlainGroup, database_says, with_database
from portal.cli.process_watchdog import end_with
from portal.cli.starting import require_peppers, require_writable
from portal.jobs import OutboxWorker, Stop, do_round, run
from portal.transports import Transport, create_transport

group = PlainGroup("jobs", help="Send email and clean up.")


@group.command("run")
@click.option("--once", is_flag=True, help="Do what is due now, then exit.")
@click.option("--parent", type=int, hidden=True, help="End when this process is no longer the parent.")
def run_jobs(once: bool, parent: int | None) -> None:
    """Send the email in the outbox and clean up every hour, until stopped."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # of the proxy
    try:
        transport = create_transport(app.config["PORTAL"])
        with suppress(DBAPIError):  # a database that is away is waited for
            require_writable()
            require_peppers(app.config["PORTAL"])
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    if once:
        _run_once(app, transport)
        return
    with Stop().listening() as stop:
        if parent is not None:
            end_with(parent)
        run(app, transport, stop)


def _run_once(app: Flask, transport: Transport) -> None:
    worker = OutboxWorker(transport)
    try:
        do_round(app, worker, Stop())
    except DBAPIError as error:
        raise click.ClickException(with_database(database_says(error))) from error
    if worker.failed:
        raise click.ClickException("Some email couldn't be sent; the jobs will try again.")
