"""The command line."""

from __future__ import annotations

from flask import Flask

from portal.cli import jobs, serve


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(jobs.group)
    app.cli.add_command(serve.serve)
