"""Prometheus, as Debian ships it, reads the figures with the configuration of docs/operations.md."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from portal.permissions import Role
from portal.services.keys import secrets
from tests.clients.others.conftest import Portal
from tests.support.cast import CreatedKey, make_person
from tests.support.children import ending_with_us
from tests.support.databases import ROOT
from tests.support.ports import free_port
from tests.support.programs import in_system
from tests.support.server import wait_until

PATIENCE = 60
pytestmark = pytest.mark.from_debian("prometheus", "promtool")
DOCUMENT = (ROOT / "docs/operations.md").read_text("utf-8")
EXAMPLE = re.search(r"```yaml\n(scrape_configs:.*?)```", DOCUMENT, re.DOTALL)


class Prometheus:
    """One that scrapes a portal each second, with a key whose secret stands in a file."""

    def __init__(self, home: Path, target: str, key: CreatedKey) -> None:
        self._home, self._port = home, free_port()
        (home / "secret").write_text(f"{key.secret}\n", "utf-8")
        assert EXAMPLE
        config = yaml.safe_load(EXAMPLE[1])
        [job] = config["scrape_configs"]
        job |= {"scheme": "http", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        job["basic_auth"] |= {"username": key.id, "password_file": str(home / "secret")}
        (home / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; it says what it does into a file."""
        command = [in_system("prometheus"), f"--config.file={self._home / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={self._home / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{self._port}"]
        with (self._home / "log").open("wb") as log:
            return subprocess.Popen([*ending_with_us("TERM"), *command], stdout=log, stderr=log)

    def ask(self, path: str, **query: str) -> Any:
        """What its own API says; None while it does not answer."""
        try:
            url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urlencode(query)}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def target(self) -> tuple[str, str]:
        """How its target is, once it has been scraped, and the last error."""
        found: list[dict[str, str]] = []

        def was_scraped() -> bool:
            found[:] = (self.ask("targets") or {"activeTargets": []})["activeTargets"]
            return any(each["health"] != "unknown" for each in found)

        wait_until(was_scraped, PATIENCE, f"no scrape: {(self._home / 'log').read_text('utf-8')}")
        return found[0]["health"], found[0]["lastError"]

    def series(self, query: str) -> list[tuple[dict[str, str], str]]:
        """The labels and the value of each series that a query finds, once there is one."""
        found: list[dict[str, Any]] = []

        def are_there() -> bool:
            found[:] = (self.ask("query", query=query) or {"result": []})["result"]
            return bool(found)

        wait_until(are_there, PATIENCE, f"no series for {query}")
        return [(each["metric"], each["value"][1]) for each in found]


Scrape = Callable[[CreatedKey], Prometheus]


@pytest.fixture
def scrape(portal: Portal, tmp_path: Path) -> Iterator[Scrape]:
    """Start a Prometheus that scrapes the portal: ``scrape(key)``."""
    with ExitStack() as stack:

        def start(key: CreatedKey) -> Prometheus:
            created = Prometheus(tmp_path, f"127.0.0.1:{portal.server.port}", key)
            process = created.start()
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            return created

        yield start


def test_prometheus_scrapes_the_figures_with_a_password_file(portal: Portal, scrape: Scrape) -> None:
    watcher = make_person(portal.app, "watcher", Role.BUGHUNTER)

    prometheus = scrape(portal.make_key(watcher, level=6))

    assert prometheus.target() == ("up", "")
    [(labels, value)] = prometheus.series("chatelaine_build_info")
    assert (labels["job"], value) == ("chatelaine", "1")
    assert labels["version"]
    admins = prometheus.series('chatelaine_accounts{role="admin"} > 0')
    assert [value for _labels, value in admins] == ["1"]
    assert prometheus.series("chatelaine_key_calls_total")


def test_prometheus_is_told_when_its_key_does_not_open_the_figures(portal: Portal, scrape: Scrape) -> None:
    created = portal.make_key(portal.cast.ada, level=6)

    prometheus = scrape(CreatedKey(created.id, secrets.create_secret("chk")))

    assert prometheus.target() == ("down", "server returned HTTP status 401 Unauthorized")


def test_prometheus_finds_nothing_to_mend_in_the_figures(portal: Portal) -> None:
    created = portal.make_key(portal.cast.ada, level=6)
    asked = urllib.request.Request(f"{portal.url}/metrics", headers=created.headers)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        figures = answer.read()

    done = subprocess.run(
        [in_system("promtool"), "check", "metrics"],
        input=figures,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
