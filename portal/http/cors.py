"""Which pages of other sites may call the API from a browser (Fetch, 3.2): those that the settings name.

Never with cookies, which the API does not read. Forward auth is left out: a gateway passes the
visitor's own headers on, and what they ask is for the service behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

NOT_HERE = "/api/authorize"
SECONDS = "600"
"""For which a browser keeps the answer to a preflight."""
_SHOWN = (
    "Access-Control-Expose-Headers",
    "RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id",
)


class Cors:
    """Adds the headers that let a page in; none for an origin that is not exactly among ours."""

    def __init__(self, settings: Settings) -> None:
        self._origins = settings.cors_origins
        self._sent = ", ".join(["Authorization", "Content-Type", *settings.key_headers])

    def dress(self, environ: WSGIEnvironment, headers: list[tuple[str, str]]) -> None:
        """Add to the headers of an answer of the API."""
        if not self._origins or environ.get("PATH_INFO", "").startswith(NOT_HERE):
            return
        headers.append(("Vary", "Origin"))
        origin = environ.get("HTTP_ORIGIN", "")
        if origin not in self._origins:
            return
        headers += [("Access-Control-Allow-Origin", origin), _SHOWN]
        if environ["REQUEST_METHOD"] == "OPTIONS" and environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD"):
            allowed = next((value for name, value in headers if name.lower() == "allow"), "")
            headers += [
                ("Access-Control-Allow-Methods", allowed),
                ("Access-Control-Allow-Headers", self._sent),
                ("Access-Control-Max-Age", SECONDS),
            ]
