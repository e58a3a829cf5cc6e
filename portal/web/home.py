"""The front page, and where password managers look first."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.extensions import settings

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Say what this is; whoever is signed in is led to their overview."""
    if current_user.is_authenticated:
        return redirect(url_for("overview.index"))
    return render_template("home.html", base_url=settings.base_url)


@blueprint.get("/.well-known/change-password")
def change_password() -> ResponseReturnValue:
    """Lead to the page where the password is changed (W3C: A Well-Known URL for Changing Passwords)."""
    return redirect(url_for("security.index"))
