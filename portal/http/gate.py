"""Refuse what no view should ever see: foreign hosts and sites, odd framing, too much of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, request
from flask_babel import gettext as _
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)

from config import Settings
from portal.http.request import API

LARGEST_BODY = 64 * 1024
LARGEST_HEADERS = 16 * 1024
LONGEST_URL = 4 * 1024
MOST_FIELDS = 100

ANY_HOST = frozenset({"/healthz", "/readyz"})
"""Probes reach a machine by its address, and these pages hold no link and no secret."""

_LONGEST_NUMBER = 18
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({None, "same-origin", "none"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def init_app(app: Flask) -> None:
    """Check every request before anything else does."""
    settings: Settings = app.config["PORTAL"]
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.config["MAX_FORM_PARTS"] = MOST_FIELDS
    is_own = lru_cache(1024)(lambda authority: _is_own_authority(authority, settings))

    @app.before_request
    def check_request() -> None:
        environ = request.environ
        path = environ.get("PATH_INFO", "")
        if not is_own(environ.get("HTTP_HOST", "")) and path not in ANY_HOST:
            raise BadRequest(_("This portal has another address: %(url)s", url=settings.base_url))
        method = environ["REQUEST_METHOD"]
        if not method.isupper():
            raise BadRequest(_("The method of the request is not known."))
        if length := environ.get("CONTENT_LENGTH"):
            _check_framing(length)
        _check_size(path)
        if method not in _SAFE and not path.startswith(API):
            _check_site(is_own)
            _check_fields()


def _is_own_authority(authority: str, settings: Settings) -> bool:
    """Whether a Host header names this portal: that of the base URL, or any name of this machine.

    On this machine the port doesn't matter: nobody else can make a name point at it.
    """
    own = urlsplit(settings.base_url)
    try:
        given = urlsplit(f"//{authority}")
        name, port = given.hostname, given.port
    except ValueError:
        return False
    if not name or given.netloc != authority or given.username is not None or given.path:
        return False
    if authority.endswith(":") or any(mark in authority for mark in " ,\t@?#/\\"):
        return False
    if not settings.is_public:
        return name in _LOOPBACK or name == own.hostname
    default = 443 if own.scheme == "https" else 80
    return name == own.hostname and (port or default) == (own.port or default)


def _check_framing(length: str) -> None:
    if not (length.isascii() and length.isdigit()) or "HTTP_TRANSFER_ENCODING" in request.environ:
        raise BadRequest(_("The length of the request is not clear."))
    if len(length) > _LONGEST_NUMBER or int(length) > LARGEST_BODY:
        raise RequestEntityTooLarge(_("That is more than the portal takes in one request."))


def _check_size(path: str) -> None:
    environ = request.environ
    query = environ.get("QUERY_STRING", "")
    if len(path) + len(query) > LONGEST_URL:
        raise RequestURITooLarge(_("The address of the page is too long."))
    if "\0" in path or "%00" in query:
        raise BadRequest(_("The address of the page is not well formed."))
    if sum([len(value) for value in environ.values() if value.__class__ is str]) > LARGEST_HEADERS:
        raise RequestHeaderFieldsTooLarge(_("The headers of the request are too long."))


def _check_site(is_own: Callable[[str], bool]) -> None:
    """Refuse what another site has sent: a browser says so in Sec-Fetch-Site or in Origin."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    foreign = site not in _OWN_SITE
    if origin == "null":
        foreign = foreign or site is None
    elif origin is not None:
        scheme, _colon, authority = origin.partition("://")
        foreign = foreign or scheme not in {"http", "https"} or not is_own(authority)
    if foreign:
        raise Forbidden(_("Another site has sent this. Nothing was done. Open the page here and try again."))


def _check_fields() -> None:
    if any("\0" in value for values in request.form.listvalues() for value in values):
        raise BadRequest(_("A field holds a character that can't be kept."))
