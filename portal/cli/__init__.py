"""The command line."""

from __future__ import annotations

from flask import Flask

from portal.cli import accounts, jobs, keys, migrations, serve

COMMANDS = (accounts.group, jobs.group, keys.group, migrations.db, serve.serve)


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in COMMANDS:
        app.cli.add_command(command)
