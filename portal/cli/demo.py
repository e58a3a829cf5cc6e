"""The command that fills an empty installation with data to look at."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade
from sqlalchemy import inspect

from config import Settings
from portal.cli.console import PlainCommand, plain_errors, row
from portal.cli.whoever import operator
from portal.demo.fill import fill
from portal.extensions import db
from portal.services.auth import demo_data

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without what looks alike."""
PUBLIC = "Demo accounts only work on this machine, and PORTAL_BASE_URL is public. Nothing was done."
NOT_EMPTY = "This database has had accounts. Nothing was done. Choose an empty one."
SIGN_IN = """The demo data is ready. Sign in at {base_url}/signin with one of these accounts and the password

    {password}

Email, role, status and number of keys:"""


@click.command("demo", cls=PlainCommand)
@with_appcontext
@plain_errors
def demo() -> None:
    """Fill an empty installation with demo accounts, keys and a year of usage.

    Refuses a database that has accounts, and a public base URL.
    """
    settings: Settings = current_app.config["PORTAL"]
    if settings.is_public:
        raise click.ClickException(PUBLIC)
    if inspect(db.engine).has_table("accounts") and not demo_data.is_empty():
        raise click.ClickException(NOT_EMPTY)
    upgrade()
    password = "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))
    try:
        with _without_each_mail():
            fill(operator(), password)
    except demo_data.NotEmpty as error:
        raise click.ClickException(NOT_EMPTY) from error
    click.echo(SIGN_IN.format(base_url=settings.base_url, password=password))
    for account, keys in demo_data.list_accounts():
        row(account.email, account.role.value, account.status.word, keys)


@contextmanager
def _without_each_mail() -> Iterator[None]:
    """Let the jobs log what goes wrong, and not each mail that they write."""
    jobs = logging.getLogger("portal.jobs")
    before = jobs.level
    jobs.setLevel(logging.WARNING)
    try:
        yield
    finally:
        jobs.setLevel(before)
