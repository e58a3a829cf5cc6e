"""HTML: one folder per subject, with its views and its forms."""

from __future__ import annotations

from flask import Flask, request
from flask_login import current_user

from portal.models import LANGUAGES
from portal.web import activity, auth, consent, docs, filters, home, keys, profile, security

BLUEPRINTS = (
    home.blueprint,
    auth.blueprint,
    profile.blueprint,
    security.blueprint,
    consent.blueprint,
    activity.blueprint,
    docs.blueprint,
    keys.blueprint,
)


def choose_locale() -> str | None:
    """The language of the account that is signed in, or what the browser likes best."""
    if current_user and current_user.is_authenticated:
        return str(current_user.language)
    return request.accept_languages.best_match(LANGUAGES)


def init_app(app: Flask) -> None:
    """Register the pages."""
    filters.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
