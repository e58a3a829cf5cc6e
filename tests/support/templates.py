"""Compiled templates, kept for the whole test run."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from jinja2 import FileSystemBytecodeCache


def keep_compiled(app: Flask, folder: Path) -> None:
    """Let an application find the templates that another one has compiled before."""
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(folder))
