"""The command line."""

from __future__ import annotations

from flask import Flask

from portal.app import ROOT
from portal.extensions import db


def init_app(app: Flask) -> None:
    """Register the commands, and those of Flask-Migrate.

    They are imported here, since a worker has none: it would carry 13 MB for nothing.
    """
    from flask_migrate import Migrate  # noqa: PLC0415

    from portal.cli import accounts, audit_log, clock, demo, jobs, keys, selfcheck, serve  # noqa: PLC0415

    Migrate(app, db, str(ROOT / "migrations"))
    for module in (accounts, audit_log, clock, jobs, keys):
        app.cli.add_command(module.group)
    for command in (demo.demo, selfcheck.selfcheck, serve.serve):
        app.cli.add_command(command)
