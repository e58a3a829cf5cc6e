"""The figures in Prometheus' text format; loaded only where they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from portal.services.system.statistics import Figures
from portal.version import running_version

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def exposition(figures: Figures) -> bytes:
    """Write the figures of one scrape."""
    registry = CollectorRegistry()
    registry.register(FiguresCollector(figures))
    return generate_latest(registry)


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
        yield GaugeMetricFamily(
            "chatelaine_outbox_refused",
            "Mails of the last 30 days that could not be delivered.",
            found.mails_refused,
        )
        yield CounterMetricFamily("chatelaine_key_calls", "Calls that a key was good for.", found.calls)
        yield CounterMetricFamily(
            "chatelaine_key_refusals", "Calls by a holder of the secret that were refused.", found.refusals
        )


def _by(name: str, meaning: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family
