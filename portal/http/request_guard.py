"""Refuse what no view should ever see: foreign hosts and sites, odd framing, too much of it.

This is WSGI, below Flask, so that what is in order costs next to nothing. A refusal goes
through the application's own error handlers, so it has its page, or its JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask
from flask_babel import lazy_gettext as _
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    NotFound,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestTimeout,
    RequestURITooLarge,
    ServiceUnavailable,
)

from config import Settings
from portal.http.kept import kept_if_short
from portal.http.proxy import PEER, UNCLEAR
from portal.http.request import API
from portal.http.slow_body_guard import Body, Readers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LARGEST_BODY = 64 * 1024
LARGER_BODIES = {"/leaks": 128 * 1024, "/api/leaks": 128 * 1024, "/api/leaks/github": 1024 * 1024}
"""Paths that take more: reports of up to 1,000 secrets, and of as many as GitHub likes."""

LARGEST_HEADERS = 16 * 1024
"""Characters of all headers of a page; of the API the server bounds the head, and the door the
credentials, so that a key check doesn't pay for the count."""
LONGEST_URL = 4 * 1024
MOST_FIELDS = 100
LONGEST_AUTHORITY = 300
"""Characters of a host and its port; no name has more than 253 (RFC 1035)."""
LONGEST_METHOD = 32
"""Characters; the longest that is registered, WebDAV's UPDATEREDIRECTREF, has 17."""

ANY_HOST = frozenset(
    {"/healthz", "/readyz", "/api/authorize", "/api/introspect", "/api/introspect/batch", "/api/revoke"}
)
"""Probes, gateways and services reach a machine by its address or by its name within; these
answers hold no link, and nothing that a browser would send along by itself opens them."""
BEHIND_GATEWAY = "/api/authorize/"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({None, "same-origin", "none"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LONGEST_NUMBER = 18


class RequestGuard:
    """Lets in what is in order, and has the application answer the rest with an error."""

    def __init__(self, app: Flask, application: WSGIApplication) -> None:
        settings: Settings = app.config["PORTAL"]
        self._app = app
        self._application = application
        self._readers = Readers()
        self._own = urlsplit(settings.base_url).netloc
        is_sure = settings.is_public  # on this machine a proxy may add or take TLS
        self._schemes = {urlsplit(settings.base_url).scheme} if is_sure else {"http", "https"}
        self._is_own = kept_if_short(256, LONGEST_AUTHORITY)(lambda text: is_own_authority(text, settings))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        refusal = self._refusal(environ)
        if refusal is None:
            return self._application(environ, start_response)
        environ["HTTP_HOST"] = self._own  # links of a refusal are ours, and Flask can read no odd host
        with self._app.request_context(environ):
            answer = self._app.handle_user_exception(refusal)
            return self._app.finalize_request(answer, from_error_handler=True)(environ, start_response)

    def _refusal(self, environ: WSGIEnvironment) -> HTTPException | None:
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if UNCLEAR in environ:
            return BadRequest(
                _("The proxy in front of this portal does not say where the request comes from.")
            )
        is_free = path in ANY_HOST or path.startswith(BEHIND_GATEWAY)
        if not is_free and not self._is_own(environ.get("HTTP_HOST", "")):
            return BadRequest(_("This portal has another address."))
        if len(method) > LONGEST_METHOD or not method.isupper():
            return BadRequest(_("The method of the request is not known."))
        refusal = _refuse_target(path, environ.get("QUERY_STRING", ""))
        if refusal is None and (environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ):
            ends = environ.get("REMOTE_ADDR", ""), environ.get(PEER, "")
            environ["wsgi.input"] = Body(environ["wsgi.input"], self._readers, *ends)
            refusal = _refuse_body(environ, LARGER_BODIES.get(path, LARGEST_BODY))
        if refusal or path.startswith(API):
            return refusal
        return _refuse_headers(environ) or (None if method in _SAFE else self._refuse_site(environ))

    def _refuse_site(self, environ: WSGIEnvironment) -> HTTPException | None:
        """Refuse what another site has sent, as Sec-Fetch-Site, Origin or Referer tell.

        Each that is there has to be ours. None has to be there: a browser or its user may keep
        them to themselves, and the token of the form is what guards it.
        """
        site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
        foreign = site not in _OWN_SITE
        if origin == "null":
            foreign = foreign or site is None
        elif origin is not None:
            foreign = foreign or not self._is_own_origin(origin)
        if referrer := environ.get("HTTP_REFERER"):
            foreign = foreign or not self._is_own_origin("/".join(referrer.split("/", 3)[:3]))
        if not foreign:
            return None
        return Forbidden(_("Another site has sent this. Nothing was done. Open the page here and try again."))

    def _is_own_origin(self, origin: str) -> bool:
        """Whether a scheme and an authority are those of this portal."""
        scheme, _colon, authority = origin.partition("://")
        return scheme in self._schemes and self._is_own(authority)


def is_own_authority(authority: str, settings: Settings) -> bool:
    """Whether a Host header names this portal: that of the base URL, or any name of this machine.

    When the base URL is this machine the port doesn't matter: no stranger can give a name of
    their own to it.
    """
    own = urlsplit(settings.base_url)
    if len(authority) > LONGEST_AUTHORITY:
        return False
    try:
        given = urlsplit(f"//{authority}")
        name, port = given.hostname, given.port
    except ValueError:
        return False
    odd = authority.endswith(":") or any(mark in authority for mark in " ,\t@?#/\\")
    if not name or odd or given.netloc != authority:
        return False
    if not settings.is_public:
        return name in _LOOPBACK or name == own.hostname
    default = 443 if own.scheme == "https" else 80
    return name == own.hostname and (port or default) == (own.port or default)


def _refuse_body(environ: WSGIEnvironment, largest: int) -> HTTPException | None:
    length, encoding = environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
    if length and (encoding is not None or not (length.isascii() and length.isdigit())):
        return BadRequest(_("The length of the request is not clear."))
    if encoding is not None and encoding.strip().lower() != "chunked":
        return BadRequest(_("The length of the request is not clear."))
    if encoding is not None:
        try:
            length = _read_chunked(environ, largest)
        except (RequestTimeout, ServiceUnavailable) as refusal:
            return refusal
    if len(length or "") > _LONGEST_NUMBER or int(length or 0) > largest:
        return RequestEntityTooLarge(_("That is more than the portal takes in one request. Send less."))
    return None


def _read_chunked(environ: WSGIEnvironment, largest: int) -> str:
    """Read a body whose length was not told, up to the bound, and give it one.

    Werkzeug would cut such a body at the bound without a word.
    """
    body = b""
    while len(body) <= largest and (part := environ["wsgi.input"].read(largest + 1 - len(body))):
        body += part
    del environ["HTTP_TRANSFER_ENCODING"]
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return str(len(body))


def _refuse_target(path: str, query: str) -> HTTPException | None:
    if len(path) + len(query) > LONGEST_URL:
        return RequestURITooLarge(_("The address of the page is too long."))
    if "\0" in path or "%00" in query:
        return BadRequest(_("The address of the page is not well formed. Check how it is written."))
    # Flask would take it for one slash, after all that guards the API by its path has let it pass.
    return NotFound() if path.startswith("//") else None


def _refuse_headers(environ: WSGIEnvironment) -> HTTPException | None:
    headers = [name for name in environ if name.startswith("HTTP_")]
    if sum(len(name) + len(environ[name]) for name in headers) > LARGEST_HEADERS:
        return RequestHeaderFieldsTooLarge(_("The headers of the request are too long."))
    return None


def init_app(app: Flask) -> None:
    """Put the gate before an application and bound what it reads.

    The gate holds each path to its own bound, so Werkzeug's need not be tighter than the largest.
    """
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = max(LARGER_BODIES.values())
    app.config["MAX_FORM_PARTS"] = MOST_FIELDS
    app.wsgi_app = RequestGuard(app, app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to wrap
