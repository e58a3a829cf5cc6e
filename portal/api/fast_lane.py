"""The shortest way to the answer that is asked for most: a good key asks what it is.

This is WSGI, below Flask, whose routing and contexts cost more than the check itself. Only
the plain case is answered here; every other request, and so every refusal, goes on to the
route of the same name. Both give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.api.answers import JSON, PLAIN_ACCEPTS
from portal.api.whoami import key_body
from portal.http.basic import read_basic
from portal.services.verification import Outcome

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from portal.services.usage import UsageCollector
    from portal.services.verification import Verifier

PATH = "/api/whoami/key"


class FastLane:
    """Answers a good key's GET of whoami; lets everything else pass."""

    def __init__(self, app: Flask, application: WSGIApplication) -> None:
        self._app = app
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ.get("PATH_INFO") == PATH and _is_plain(environ):
            body = self._answer(environ)
            if body is not None:
                start_response("200 OK", [("Content-Type", JSON), ("Content-Length", str(len(body)))])
                return (body,)
        return self._application(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> bytes | None:
        pair = read_basic(environ.get("HTTP_AUTHORIZATION", ""))
        if pair is None:
            return None
        verifier: Verifier = self._app.extensions["verifier"]
        try:
            decision = verifier.decide(*pair)
        except OperationalError:
            return None
        if decision.outcome is not Outcome.GOOD or decision.key is None:
            return None
        usage: UsageCollector = self._app.extensions["usage"]
        usage.note_call(decision.key_id, environ["REMOTE_ADDR"], clock.now_ms())
        return key_body(decision.key, decision.level)


def _is_plain(environ: WSGIEnvironment) -> bool:
    return (
        environ["REQUEST_METHOD"] == "GET"
        and not environ.get("QUERY_STRING")
        and environ.get("HTTP_ACCEPT") in PLAIN_ACCEPTS
    )


def init_app(app: Flask) -> None:
    """Put the lane right before Flask; to be called before anything else wraps it."""
    app.wsgi_app = FastLane(app, app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to wrap
