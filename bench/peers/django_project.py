"""The Django project of both of its peers.

It is set up in their favour: no middleware, JSON only, connections that stay open.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command


def set_up(module: str, *apps: str) -> WSGIHandler:
    """The WSGI application of a project with these apps, whose URLs are those of a module."""
    settings.configure(
        DEBUG=False,
        SECRET_KEY="not-secret-" * 5,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=module,
        MIDDLEWARE=[],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", *apps],
        DATABASES={"default": _database(os.environ["BENCH_DATABASE_URL"])},
        USE_TZ=True,
        REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
    )
    django.setup()
    return WSGIHandler()


def make_tables() -> None:
    """Run the migrations of Django and of the peer."""
    call_command("migrate", verbosity=0)


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path[1:], "CONN_MAX_AGE": None}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname,
        "PORT": parts.port,
        "CONN_MAX_AGE": None,
    }
