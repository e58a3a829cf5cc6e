"""The command line."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click
from flask import Flask
from flask.cli import AppGroup

COMMANDS = {
    "account": ("accounts", "group"),
    "clock": ("clock", "group"),
    "db": ("migrations", "db"),
    "demo": ("demo", "demo"),
    "jobs": ("jobs", "group"),
    "key": ("keys", "group"),
    "record": ("record", "group"),
    "selfcheck": ("selfcheck", "selfcheck"),
    "serve": ("serve", "serve"),
}
"""The modules of the commands, and their names there."""


class Commands(AppGroup):
    """The portal's commands, each loaded when it is called; no worker calls one, which saves it 1 MB."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them all."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = COMMANDS[cmd_name]
        return cast(click.Command, getattr(import_module(f"portal.cli.{module}"), name))


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli = Commands(app.name)
