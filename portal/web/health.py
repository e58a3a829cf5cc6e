"""What machines ask: is it alive, can it serve, in figures, and whom to tell of a weakness."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, current_app, request, send_from_directory
from flask_babel import gettext as _
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from portal import clock
from portal.extensions import settings
from portal.http import client_address
from portal.http.basic import CHALLENGE
from portal.http.credentials import read_credentials
from portal.http.limited import refuse_when_limited
from portal.permissions import READ_OTHERS
from portal.services import limits
from portal.services.doorkeeper import Doorkeeper
from portal.services.figures import Figures, read_figures
from portal.services.readiness import Readiness, readiness
from portal.services.verification import Outcome

SECURITY_TXT = "/.well-known/security.txt"
SECURITY_TXT_LIFE = timedelta(days=180)
PROJECT_FILE = Path(__file__).parent.parent.parent / "pyproject.toml"
A_DAY = 24 * 60 * 60

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process answers. The database is not asked, so that its outage kills nobody."""
    return _text("ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Say whether the portal can serve: 503, with the reason, when it can't."""
    found = readiness()
    status = HTTPStatus.OK if found is Readiness.READY else HTTPStatus.SERVICE_UNAVAILABLE
    return _text(found.value, status)


@blueprint.get("/metrics")
def metrics() -> Response:
    """The figures, in Prometheus' text format, for a key of level 6 or more; never for a cookie."""
    refusal = _refuse_scraper()
    if refusal is not None:
        return refusal
    registry = CollectorRegistry()
    registry.register(FiguresCollector(read_figures()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@blueprint.get(SECURITY_TXT)
def security_txt() -> Response:
    """Whom to tell of a weakness, as RFC 9116 has it."""
    expires = clock.utcnow().replace(hour=0, minute=0, second=0, microsecond=0) + SECURITY_TXT_LIFE
    lines = (
        f"Contact: {settings.security_contact}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Canonical: {settings.base_url}{SECURITY_TXT}",
    )
    return _text("\n".join(lines))


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """The mark, for those who ask before they have read a page."""
    folder = str(current_app.static_folder)
    return send_from_directory(folder, "favicon.svg", mimetype="image/svg+xml", max_age=A_DAY)


class FiguresCollector(Collector):
    """Turns the figures of one scrape into metrics."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """The metrics. The counters are sums over all keys, so they never fall."""
        found = self._figures
        yield InfoMetricFamily("chatelaine_build", "The version that runs.", {"version": running_version()})
        accounts = GaugeMetricFamily(
            "chatelaine_accounts", "Accounts, without removed ones.", labels=("role", "status")
        )
        for labels, count in found.accounts.items():
            accounts.add_metric(labels, count)
        yield accounts
        yield _by("chatelaine_keys", "Keys by state.", "state", found.keys)
        yield _by("chatelaine_sessions", "Sessions that have not ended, by kind.", "kind", found.sessions)
        yield GaugeMetricFamily("chatelaine_outbox_waiting", "Mails to be sent.", found.mails_waiting)
        yield GaugeMetricFamily(
            "chatelaine_outbox_oldest_age_seconds", "Age of the oldest such mail.", found.oldest_mail_age
        )
        yield CounterMetricFamily("chatelaine_key_calls", "Calls that a key was good for.", found.calls)
        yield CounterMetricFamily(
            "chatelaine_key_refusals", "Calls by a holder of the secret that were refused.", found.refusals
        )


@cache
def running_version() -> str:
    """The version of this code, as its project file has it."""
    return str(tomllib.loads(PROJECT_FILE.read_text("utf-8"))["project"]["version"])


def _by(name: str, meaning: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


def _refuse_scraper() -> Response | None:
    """Let in a key that reaches the level. Only who holds its secret learns that it doesn't."""
    header = request.environ.get("HTTP_AUTHORIZATION", "")
    keeper: Doorkeeper = current_app.extensions["doorkeeper"]
    admission = keeper.admit(read_credentials(header), client_address(), level=READ_OTHERS)
    if admission.is_good:
        return None
    if admission.key is None and header:
        refuse_when_limited(limits.failed_key_check(client_address()))
    if admission.outcome is Outcome.LEVEL:
        return _text(
            _("This asks for a key of level %(level)s or higher.", level=READ_OTHERS), HTTPStatus.FORBIDDEN
        )
    return _challenge()


def _challenge() -> Response:
    answer = _text(_("Send a key and its secret by HTTP basic authentication."), HTTPStatus.UNAUTHORIZED)
    answer.headers["WWW-Authenticate"] = CHALLENGE
    return answer


def _text(text: str, status: int = HTTPStatus.OK) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
