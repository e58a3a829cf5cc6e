"""HTML: one folder per subject, with its views and its forms."""

from __future__ import annotations

from contextlib import suppress

from flask import Flask, has_request_context, request
from flask_login import current_user
from sqlalchemy.exc import OperationalError

from portal.models import LANGUAGES
from portal.web import activity, admin, auth, consent, docs, filters, health, home, keys, profile, security

ENGLISH = "en_GB"
"""English dates have the day before the month, as nearly everywhere."""

BLUEPRINTS = (
    home.blueprint,
    health.blueprint,
    auth.blueprint,
    profile.blueprint,
    security.blueprint,
    consent.blueprint,
    activity.blueprint,
    docs.blueprint,
    admin.blueprint,
    keys.blueprint,
)


def choose_locale() -> str:
    """The language of the account that is signed in, or what the browser likes best.

    The pages of errors are written in it too, so it must be found without a database.
    """
    language = None
    if has_request_context():
        language = request.accept_languages.best_match(LANGUAGES)
        with suppress(OperationalError):
            if current_user.is_authenticated:
                language = str(current_user.language)
    return ENGLISH if language in {None, "en"} else language


def init_app(app: Flask) -> None:
    """Register the pages."""
    filters.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
