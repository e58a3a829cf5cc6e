"""The commands of Flask-Migrate, loaded when they are asked for: no worker needs them."""

from __future__ import annotations

from importlib import import_module

import click

AS_THEY_ARE = {"ignore_unknown_options": True}


@click.command("db", context_settings=AS_THEY_ARE, add_help_option=False, help="Perform database migrations.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def db(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Hand everything to Flask-Migrate's own group."""
    group = import_module("flask_migrate.cli").db
    group.main(list(arguments), prog_name=context.command_path, parent=context)
