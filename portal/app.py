"""The application: the parts, joined. The one place where that is done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from flask import Flask

from config import Settings, load_settings, unknown_names
from portal import api, error_handlers, http, web
from portal.api import fast_lane
from portal.extensions import babel, db, engine_options, login_manager, prepare_engine
from portal.http.cookies import csrf
from portal.http.credentials import KeyHeaders
from portal.models import ActorKind
from portal.private_files import keep_private
from portal.redaction import redactor_of
from portal.runtime import Runtime
from portal.services.auth.session_life import OWNER_LIFE
from portal.services.calls.limits import CallLimits
from portal.services.core import trouble
from portal.services.core.actor import Actor
from portal.services.keys import rotation
from portal.services.usage import moments
from portal.services.usage.collector import UsageCollector
from portal.services.verify.doorkeeper import Doorkeeper
from portal.services.verify.verifier import Verifier
from portal.web import once

ROOT = Path(__file__).parent.parent

log = structlog.get_logger(__name__)


def create_app(overrides: Mapping[str, str] | None = None) -> Flask:
    """Create an application; ``overrides`` are settings by their ``PORTAL_…`` names, and win.

    Raises config.ConfigurationError.
    """
    settings = load_settings(overrides)
    app = Flask(
        "portal",
        instance_path=str(settings.instance_path),
        static_folder=str(ROOT / "static"),
        template_folder=str(ROOT / "templates"),
    )
    app.config.update(_flask_settings(settings))
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    db.init_app(app)
    with app.app_context():
        runtime = _create_runtime(app, settings)
    runtime.attach(app)
    fast_lane.init_app(app, runtime)
    once.init_app(app)
    http.init_app(app)
    _tell_unknown_settings(overrides or {})
    keep_private(settings)
    csrf.init_app(app)
    login_manager.init_app(app)
    babel.init_app(app, default_locale=web.ENGLISH, locale_selector=web.choose_locale)
    error_handlers.init_app(app)
    web.init_app(app)
    api.init_app(app)
    return app


def _flask_settings(settings: Settings) -> dict[str, Any]:
    database_url = settings.database_url.get_secret_value()
    return {
        "PORTAL": settings,
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "SQLALCHEMY_DATABASE_URI": database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(database_url, is_pooled=settings.is_pooled),
        "SESSION_COOKIE_NAME": _cookie_name(settings),
        "SESSION_COOKIE_PATH": settings.path or "/",
        "SESSION_COOKIE_SECURE": settings.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": OWNER_LIFE,
        "SESSION_REFRESH_EACH_REQUEST": False,
        "WTF_CSRF_TIME_LIMIT": None,  # portal.http.cookies looks at the age
        "WTF_CSRF_SSL_STRICT": False,  # it asks for a Referer; the gate looks at what a browser tells
        "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "portal" / "translations"),
    }


def _create_runtime(app: Flask, settings: Settings) -> Runtime:
    prepare_engine(db.engine)
    moments.watch(db.engine)
    trouble.watch(db.engine)
    usage, call_limits = UsageCollector(db.engine), CallLimits(db.engine, settings)
    verifier = Verifier(settings)
    return Runtime(
        redactor=redactor_of(settings),
        key_headers=KeyHeaders(settings.key_headers, settings.key_prefix),
        usage=usage,
        call_limits=call_limits,
        verifier=verifier,
        doorkeeper=Doorkeeper(
            verifier, usage, call_limits, lambda key_id, ip_address: _notice_reuse(app, key_id, ip_address)
        ),
        openapi=lambda: api.describe(settings),
    )


def _cookie_name(settings: Settings) -> str:
    """With a prefix that browsers hold it to (RFC 6265bis, 4.1.3); that of the host allows no path."""
    if not settings.is_https:
        return "session"
    return "__Secure-session" if settings.path else "__Host-session"


def _tell_unknown_settings(overrides: Mapping[str, str]) -> None:
    """Warn of names that nothing reads: one that is misspelt would go unnoticed."""
    for name, meant in unknown_names({**os.environ, **overrides}).items():
        log.warning("setting.unknown", name=name, hint=f"do you mean {meant}?" if meant else "")


def _notice_reuse(app: Flask, key_id: str, ip_address: str | None) -> None:
    """Write down that a rotated-out secret was used; the doorkeeper may stand below Flask."""
    actor = Actor(kind=ActorKind.ANONYMOUS, ip_address=ip_address or "")
    with app.app_context():
        rotation.note_reuse(actor, UUID(key_id))
