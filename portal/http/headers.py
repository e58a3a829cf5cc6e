"""The headers of every answer, the request's id and its line in the log.

This is WSGI, below Flask: static files and answers of the server's own making get them too,
and a key check pays for one list of constants.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask

from config import Settings
from portal.http.cors import Cors
from portal.http.logs import SLOW, log_request
from portal.http.request import API, REQUEST_ID
from portal.redaction import LINKS

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

STATIC, BRAND = "/static/", "/brand/"
JSON_TYPE = "application/json; charset=utf-8"
"""As answers have it: clients of the FreeSewing backend look for the whole of it."""
_VERSION = "v"

_POLICY = (
    "Content-Security-Policy",
    (
        "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'"
    ),
)
"""Scripts and styles are files of ours; nothing that stands in a page itself runs, so there is no nonce."""
_CLOSED = (
    "Content-Security-Policy",
    "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
"""Of what is no page: ``default-src`` does not speak of base, forms and frames."""
_REFUSED_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_REFERRER = ("Referrer-Policy", "same-origin")
_OF_A_LINK = ("Referrer-Policy", "strict-origin")
"""A page whose path holds a one-time token keeps the path to itself: proxies log the Referer of what
they can't pass on. The origin stays, so that its form can be seen to be ours."""
_LINK = re.compile(f"/({LINKS})/")
_PAGE = (
    _POLICY,
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Permissions-Policy", ", ".join(f"{feature}=()" for feature in _REFUSED_FEATURES)),
)
_NO_STORE = ("Cache-Control", "no-store")
_FOR_A_YEAR = ("Cache-Control", "public, max-age=31536000, immutable")
_FOR_A_WHILE = ("Cache-Control", "public, max-age=300")


class ResponseHeaders:
    """Gives each request an id and each answer its headers."""

    def __init__(self, application: WSGIApplication, settings: Settings, static_folder: str) -> None:
        below = "; includeSubDomains" if settings.hsts_subdomains else ""
        hsts = (("Strict-Transport-Security", f"max-age=63072000{below}"),) if settings.is_https else ()
        self._application = application
        self._cors = Cors(settings)
        self._api = (*_ALWAYS, _REFERRER, *hsts, _CLOSED, _NO_STORE)
        self._static = (*_ALWAYS, _REFERRER, *hsts, _CLOSED)
        self._static_folder = static_folder
        self._page = (*_ALWAYS, *hsts, *_PAGE)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        begun = perf_counter()
        request_id = environ[REQUEST_ID] = os.urandom(8).hex()
        path = environ.get("PATH_INFO", "")

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
        ) -> Callable[[bytes], object]:
            if path.startswith(API):
                headers.extend(self._api)
                self._cors.dress(environ, headers)
            elif path.startswith(STATIC) and status[0] < "4":
                self._dress_static(environ, headers)
            elif path.startswith(BRAND) and status[0] < "4":
                headers.extend(self._static)
            else:
                self._dress_page(environ, headers)
            headers.append(("X-Request-Id", request_id))
            elapsed = perf_counter() - begun
            if status[0] > "3" or elapsed > SLOW:
                log_request(environ, status, elapsed)
            return start_response(status, headers, exc_info)

        return self._application(environ, start)

    def _dress_page(self, environ: WSGIEnvironment, headers: list[tuple[str, str]]) -> None:
        headers.append(_OF_A_LINK if _LINK.match(environ.get("PATH_INFO", "")) else _REFERRER)
        headers.extend(self._page)
        if not any(name.lower() == "cache-control" for name, _value in headers):
            headers.append(_NO_STORE)

    def _dress_static(self, environ: WSGIEnvironment, headers: list[tuple[str, str]]) -> None:
        headers[:] = [each for each in headers if each[0].lower() != "cache-control"]
        headers.extend(self._static)
        version = version_of(self._static_folder, environ.get("PATH_INFO", "")[len(STATIC) :])
        is_right = version is not None and environ.get("QUERY_STRING") == f"{_VERSION}={version}"
        headers.append(_FOR_A_YEAR if is_right else _FOR_A_WHILE)


def init_app(app: Flask) -> None:
    """Wrap the application, and version its static files."""
    folder = app.static_folder or ""
    app.wsgi_app = ResponseHeaders(app.wsgi_app, app.config["PORTAL"], folder)  # type: ignore[method-assign]  # Flask's way

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and _VERSION not in values:
            version = version_of(folder, values.get("filename", ""))
            if version is not None:
                values[_VERSION] = version


def version_of(folder: str, name: str) -> str | None:
    """The digest of what a static file holds now; None when there is no such file."""
    path = Path(folder, name)
    if not name or not path.is_file():
        return None
    found = path.stat()
    return _digest(path, found.st_mtime_ns, found.st_size)


@lru_cache(256)
def _digest(path: Path, _changed: int, _size: int) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]
