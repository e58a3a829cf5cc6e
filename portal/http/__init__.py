"""What guards every request and every answer, whichever door it goes through."""

from __future__ import annotations

from flask import Flask

from portal.http import compressed, headers, limited, logs, request_guard
from portal.http.cookies import PagesOnlySession
from portal.http.proxy import TrustedProxies
from portal.http.request import client_ip_address, request_id
from portal.http.sub_path import SubPath

__all__ = ["client_ip_address", "init_app", "request_id"]


def init_app(app: Flask) -> None:
    """Guard an application. Call it after its static files are served, before CSRFProtect."""
    settings = app.config["PORTAL"]
    logs.init_app(settings)
    app.session_interface = PagesOnlySession()
    request_guard.init_app(app)
    limited.init_app(app)
    compressed.init_app(app)
    headers.init_app(app)
    app.wsgi_app = TrustedProxies(app.wsgi_app, settings)  # type: ignore[method-assign]  # Flask's way
    if settings.path:
        app.wsgi_app = SubPath(app.wsgi_app, settings.path)  # type: ignore[method-assign]  # the same
