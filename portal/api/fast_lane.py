"""The shortest way to the answers that are asked for most: whoami, forward auth, introspection.

This is WSGI, below Flask, whose routing and contexts cost more than the check itself. Only
the plain case of a good key is answered here; every other request, and so every refusal,
goes on to the route of the same name, and takes the doorkeeper's answer along. Both ways
give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Unpack

from flask import Flask

from portal.api.answers import PLAIN_ACCEPTS
from portal.api.auth import ADMISSION
from portal.api.authorize import METHODS, Asked, asked_by, identity, read_terms
from portal.api.introspect import headers_of, read_plain, told_of
from portal.api.whoami import key_body
from portal.http.headers import JSON_TYPE
from portal.permissions import READ_OTHERS
from portal.runtime import Runtime
from portal.services.core.outcomes import ShownAt
from portal.services.core.trouble import tell_swallowed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from portal.services.verify.doorkeeper import Admission

AUTHORIZE = "/api/authorize"
HOPS_ONLY = frozenset({"CONNECT", "TRACE"})
"""Methods that are for hops, and that nothing here answers."""
KNOWN_METHODS = frozenset({*METHODS, *HOPS_ONLY, "HEAD", "OPTIONS"})


class Answer(NamedTuple):
    """A good answer, as WSGI has it."""

    status: str
    headers: list[tuple[str, str]]
    body: tuple[bytes, ...] = ()


class FastLane:
    """Answers a good key at the doors that are asked most; lets everything else pass."""

    def __init__(self, runtime: Runtime, issuer: str, application: WSGIApplication) -> None:
        self._runtime = runtime
        self._application = application
        self._issuer = issuer
        self._lanes: dict[str, Callable[[WSGIEnvironment], Answer | None]] = {
            "/api/whoami/key": self._whoami,
            AUTHORIZE: self._authorize,
            "/api/introspect": self._introspect,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(AUTHORIZE) and environ["REQUEST_METHOD"] not in KNOWN_METHODS:
            # A gateway may ask with a method that no route can list, such as WebDAV's.
            environ["REQUEST_METHOD"] = "POST"
        lane = self._lanes.get(path)
        try:
            answer = lane(environ) if lane is not None else None
        except Exception as error:  # noqa: BLE001  # the route meets it again, and has the handler for it
            tell_swallowed(error, f"the route of {path} answers")
            answer = None
        if answer is None:
            return self._application(environ, start_response)
        start_response(answer.status, answer.headers)
        return answer.body

    def _whoami(self, environ: WSGIEnvironment) -> Answer | None:
        is_plain = (
            environ["REQUEST_METHOD"] == "GET"
            and not environ.get("QUERY_STRING")
            and environ.get("HTTP_ACCEPT") in PLAIN_ACCEPTS
        )
        admission = self._admit(environ) if is_plain else None
        if admission is None or admission.key is None:
            return None
        body = key_body(admission.key, admission.level)
        headers = [("Content-Type", JSON_TYPE), ("Content-Length", str(len(body))), *admission.headers]
        return Answer("200 OK", headers, (body,))

    def _authorize(self, environ: WSGIEnvironment) -> Answer | None:
        if environ["REQUEST_METHOD"] in HOPS_ONLY:
            return None
        terms = read_terms(environ.get("QUERY_STRING", ""))
        admission = self._admit(environ, **asked_by(terms, environ))
        if admission is None or admission.key is None:
            return None
        return Answer("204 No Content", [*identity(admission.key, admission.level), *admission.headers])

    def _introspect(self, environ: WSGIEnvironment) -> Answer | None:
        asked = read_plain(environ)
        service = self._admit(environ, level=READ_OTHERS, introspects=True) if asked is not None else None
        if asked is None or service is None or service.key is None:
            return None
        audience = service.key.audience
        told = self._runtime.doorkeeper.admit(
            asked.token, asked.address, audience=audience, shown_at=ShownAt.INTROSPECTION
        )
        body = told_of(told, self._issuer, audience)
        headers = [("Content-Type", JSON_TYPE), ("Content-Length", str(len(body))), *headers_of(told)]
        return Answer("200 OK", [*headers, *service.headers], (body,))

    def _admit(self, environ: WSGIEnvironment, **asked: Unpack[Asked]) -> Admission | None:
        """The doorkeeper's answer, if it is a good one. The route, if it comes to that, finds it."""
        shown = self._runtime.key_headers.read(environ)
        if shown is None:
            return None
        admission = self._runtime.doorkeeper.admit(shown, environ["REMOTE_ADDR"], **asked)
        environ[ADMISSION] = admission
        return admission if admission.is_good else None


def init_app(app: Flask, runtime: Runtime) -> None:
    """Put the lane right before Flask; to be called before anything else wraps it."""
    issuer = app.config["PORTAL"].base_url
    app.wsgi_app = FastLane(runtime, issuer, app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way
