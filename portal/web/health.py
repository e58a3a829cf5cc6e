"""What machines ask: is it alive, can it serve, in figures, and whom to tell of a weakness."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus

from flask import Blueprint, Response, current_app, request, send_from_directory
from flask_babel import gettext as _

from portal import clock
from portal.extensions import settings
from portal.http import client_ip_address
from portal.http.basic import CHALLENGE
from portal.http.limited import refuse_when_limited
from portal.permissions import HIGHEST_LEVEL, READ_OTHERS, scope_of
from portal.runtime import runtime
from portal.services.core.outcomes import Outcome, ShownAt
from portal.services.core.trouble import Readiness
from portal.services.ratelimits import questions
from portal.services.system.readiness import readiness
from portal.services.system.statistics import read_figures

SECURITY_TXT = "/.well-known/security.txt"
SECURITY_TXT_LIFE = timedelta(days=180)
A_DAY = 24 * 60 * 60

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process answers. The database is not asked, so that its outage kills nobody."""
    return _text("ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether the portal can serve: 503, with the reason, when it can't."""
    found = readiness(settings.peppers.get_secret_value())
    status = HTTPStatus.OK if found is Readiness.READY else HTTPStatus.SERVICE_UNAVAILABLE
    return _text(found.value, status)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The figures, in Prometheus' text format, for a key of level 6 or more; never for a cookie."""
    refusal = _refuse_scraper()
    if refusal is not None:
        return refusal
    from portal.web import metrics as written  # noqa: PLC0415  # takes 1 MB, and few are asked

    return Response(written.exposition(read_figures()), content_type=written.CONTENT_TYPE)


@blueprint.get(SECURITY_TXT)
def security_txt() -> Response:
    """Whom to tell of a weakness, as RFC 9116 has it."""
    expires = clock.today() + SECURITY_TXT_LIFE
    lines = (
        f"Contact: {settings.security_contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Canonical: {settings.base_url}{SECURITY_TXT}",
        f"# Leaked secrets of this portal: {settings.base_url}/leaks",
    )
    return _text("\n".join(lines))


@blueprint.get("/.well-known/oauth-authorization-server")
def oauth_metadata() -> Response:
    """Where introspection and revocation are, as clients of OAuth ask (RFC 8414).

    The portal grants nothing by OAuth, so there is no endpoint for that.
    """
    told = {
        "issuer": settings.base_url,
        "response_types_supported": [],
        "grant_types_supported": [],
        "scopes_supported": [scope_of(level) for level in range(HIGHEST_LEVEL + 1)],
        "service_documentation": f"{settings.base_url}/docs",
    }
    for endpoint in ("introspection", "revocation"):
        path = "introspect" if endpoint == "introspection" else "revoke"
        told[f"{endpoint}_endpoint"] = f"{settings.base_url}/api/{path}"
        told[f"{endpoint}_endpoint_auth_methods_supported"] = ["client_secret_basic", "client_secret_post"]
    return Response(json.dumps(told), content_type="application/json; charset=utf-8")


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """The mark, for those who ask before they have read a page."""
    folder = str(current_app.static_folder)
    return send_from_directory(folder, "favicon.svg", mimetype="image/svg+xml", max_age=A_DAY)


def _refuse_scraper() -> Response | None:
    """Let in a key that reaches the level. Only who holds its secret learns that it doesn't."""
    headers = runtime.key_headers
    admission = runtime.doorkeeper.admit(
        headers.read(request.environ), client_ip_address(), level=READ_OTHERS, shown_at=ShownAt.METRICS
    )
    if admission.is_good:
        return None
    if admission.key is None and headers.are_there(request.environ):
        refuse_when_limited(questions.count_failed_key_check(client_ip_address()))
    if admission.outcome is Outcome.LEVEL:
        return _text(
            _("This asks for a key of level %(level)s or higher.", level=READ_OTHERS), HTTPStatus.FORBIDDEN
        )
    if admission.outcome is Outcome.THROTTLED:
        answer = _text(_("Too many calls. Wait as long as Retry-After says."), HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(admission.retry_after)
        return answer
    answer = _text(_("Send a key and its secret by HTTP basic authentication."), HTTPStatus.UNAUTHORIZED)
    answer.headers["WWW-Authenticate"] = CHALLENGE
    return answer


def _text(text: str, status: int = HTTPStatus.OK) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
