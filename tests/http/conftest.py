"""A small application behind the guards, without the portal's pages and database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask, request

from config import load_settings
from portal import http
from portal.extensions import babel
from portal.http import client_ip_address, request_id
from tests.support.settings import settings_for

Guard = Callable[..., Flask]


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """Make the small application: ``guard(PORTAL_BASE_URL="https://keys.example")``."""

    def make(**settings: str) -> Flask:
        static = tmp_path / "static"
        static.mkdir(exist_ok=True)
        (static / "app.css").write_text("p { margin: 0 }", "utf-8")
        app = Flask("guarded", static_folder=str(static), static_url_path="/static")
        app.config["PORTAL"] = load_settings(settings_for("sqlite:///db", tmp_path / "instance", **settings))
        app.config["SECRET_KEY"] = app.config["PORTAL"].secret_key.get_secret_value()
        babel.init_app(app)
        http.init_app(app)
        add_views(app)
        return app

    return make


def add_views(app: Flask) -> None:
    @app.get("/")
    def index() -> str:
        return "<p>home</p>"

    @app.get("/kept")
    def kept() -> tuple[str, dict[str, str]]:
        return "kept", {"Cache-Control": "public, max-age=60"}

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.post("/act")
    def act() -> str:
        return f"acted {request.form.get('name', '')}"

    @app.get("/confirm/<token>")
    def confirm(token: str) -> str:
        raise RuntimeError(f"this went wrong with {token}")

    @app.route("/api/thing", methods=["GET", "POST"])
    def thing() -> dict[str, str]:
        return {
            "address": client_ip_address(),
            "id": request_id(),
            "scheme": request.scheme,
            "host": request.host,
            "body": request.get_data(as_text=True),
            "headers": " ".join(name for name in request.environ if name.startswith("HTTP_")),
        }
