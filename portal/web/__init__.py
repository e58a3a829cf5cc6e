"""HTML: one folder per subject, with its views and its forms."""

from __future__ import annotations

from contextlib import suppress

from flask import Flask, current_app, has_request_context, request
from flask_babel import get_babel
from flask_login import current_user
from sqlalchemy.exc import DBAPIError

from portal.models import LANGUAGES
from portal.web import brand, charts, filters, languages
from portal.web.activity.views import blueprint as activity
from portal.web.admin.views import blueprint as admin
from portal.web.auth import blueprint as auth
from portal.web.consent.views import blueprint as consent
from portal.web.docs.views import blueprint as docs
from portal.web.health import blueprint as health
from portal.web.home import blueprint as home
from portal.web.keys import blueprint as keys
from portal.web.leaks.views import blueprint as leaks
from portal.web.overview.views import blueprint as overview
from portal.web.profile.views import blueprint as profile
from portal.web.promises import blueprint as promises
from portal.web.security.views import blueprint as security
from portal.web.usage_limits.views import blueprint as usage_limits

ENGLISH = "en_GB"
"""English dates have the day before the month, as nearly everywhere."""

WRITTEN = "WRITTEN_LANGUAGES"

BLUEPRINTS = (
    home,
    brand.blueprint,
    overview,
    health,
    auth,
    profile,
    security,
    consent,
    activity,
    docs,
    leaks,
    promises,
    admin,
    keys,
    usage_limits,
)


def choose_locale() -> str:
    """The language of the account that is signed in, or what the browser likes best.

    Only languages that there is a catalogue for: a page must not say that it is German when
    its sentences are English. The pages of errors are written in it too, so it must be found
    without a database.
    """
    language: str | None = None
    written: list[str] = current_app.config[WRITTEN]
    if written == ["en"]:
        return ENGLISH  # nothing to choose: each refusal of the API, which is worded too, is cheaper by it
    if has_request_context():
        language = request.accept_languages.best_match(written)
        with suppress(DBAPIError):
            if current_user.is_authenticated:
                language = str(current_user.account.language)
    return language if language in written and language != "en" else ENGLISH


def _written() -> list[str]:
    """The languages that have a catalogue; looked up once, for it reads the disk."""
    catalogues = {locale.language for locale in get_babel().instance.list_translations()}
    return [language for language in LANGUAGES if language == "en" or language in catalogues]


def init_app(app: Flask) -> None:
    """Register the pages. Call it after Babel is there."""
    with app.app_context():
        app.config[WRITTEN] = _written()
    languages.init_app(app)
    filters.init_app(app)
    charts.init_app(app)
    brand.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
