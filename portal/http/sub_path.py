"""A portal that stands below a path of its host: ``https://example.org/keys``.

Whatever is in front passes the path on as it is. Below here no path begins with it, and Flask
writes it before every link (``SCRIPT_NAME``, PEP 3333).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from portal.http.request_guard import ANY_HOST, BEHIND_GATEWAY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METADATA = "/.well-known/oauth-authorization-server"
"""Asked for before the path of an issuer, not behind it (RFC 8414, 3.1)."""


class SubPath:
    """Takes the path of the base URL off; what is not below it is not there."""

    def __init__(self, application: WSGIApplication, path: str) -> None:
        self._application = application
        self._path = path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on with its path within the portal."""
        if environ.get("SCRIPT_NAME") != self._path:
            environ["PATH_INFO"] = self._within(environ.get("PATH_INFO", ""))
            environ["SCRIPT_NAME"] = self._path
        return self._application(environ, start_response)

    def _within(self, path: str) -> str:
        if path == self._path:
            return "/"
        if path.startswith(f"{self._path}/"):
            return path[len(self._path) :]
        if path == METADATA + self._path:
            return METADATA
        if path in ANY_HOST or path.startswith(BEHIND_GATEWAY):
            return path  # probes, gateways and services come by the machine's own address
        return f"/{path}"  # two slashes: the gate knows no such path
