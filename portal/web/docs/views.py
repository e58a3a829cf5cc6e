"""The page that explains the API, made of the same tables that the API is made of."""

from __future__ import annotations

from flask import Blueprint, render_template

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
def index() -> str:
    """Show the documentation; anybody may read it."""
    return render_template("docs/index.html")
