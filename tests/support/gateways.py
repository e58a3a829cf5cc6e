"""Real gateways in front of a small service, with the configuration that we hand out."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from abc import ABC, abstractmethod
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.children import ending_with_us
from tests.support.databases import ROOT
from tests.support.ports import free_port
from tests.support.server import wait_until
from tests.support.wire import TIMEOUT, Answer

HANDED_OUT = ROOT / "deploy/gateways"
START_SECONDS = 20.0
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Seen:
    """A request as the service behind the gateway saw it."""

    method: str
    path: str
    headers: Headers
    body: bytes

    def named_like(self, start: str) -> dict[str, str]:
        """The headers whose names begin so, to readers who take every mark for a dash too."""
        found = [(name, value) for name, value in self.headers if name.lower().startswith(start)]
        assert len(dict(found)) == len(found), f"twice: {found}"
        return dict(found)


class Service:
    """The API that somebody already runs: it answers everything, and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self.seen))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, seen: list[Seen], *args: Any) -> None:
        self._seen = seen
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer alike, whatever is asked."""
        self._seen.append(Seen(self.command, self.path, self.headers.items(), self._body()))
        body = json.dumps({"from": "the service"}).encode()
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # the name that the standard library looks for
    do_PUT = do_GET  # noqa: N815  # the same

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *args: Any) -> None:
        """Write nothing."""


class Gateway(ABC):
    """A gateway on a free port: ``terms`` are what it asks the portal for."""

    def __init__(self, home: Path, portal: int, service: int, terms: str = "3") -> None:
        self.port = free_port()
        self._home = home
        self._facts = {"8000": str(portal), "9000": str(service)}
        self._terms = terms
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
            wait_until(self._listens, START_SECONDS, "the gateway did not come up")
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"{error}:\n{log.read_text('utf-8', 'replace')}") from None

    def stop(self) -> None:
        """Stop it."""
        assert self._process
        self._process.terminate()
        self._process.wait(START_SECONDS)

    def ask(
        self,
        method: str = "GET",
        path: str = "/v1/orders",
        headers: Headers | None = None,
        body: bytes | None = None,
        *,
        source: str = "127.0.0.7",
    ) -> Answer:
        """Send one request from a loopback address, its headers exactly as they are written."""
        with closing(self.connect(source)) as connection:
            connection.putrequest(method, path)
            for name, value in headers or []:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def connect(self, source: str = "127.0.0.7") -> HTTPConnection:
        """Open a connection from a loopback address."""
        return HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT, source_address=(source, 0))

    def _listens(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {self._process.returncode}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _filled(self, name: str, replaced: dict[str, str]) -> str:
        """A file that we hand out, with the places of this test instead of the example's."""
        text = (HANDED_OUT / name).read_text("utf-8")
        for old, new in {
            **{f"127.0.0.1:{p}": f"127.0.0.1:{n}" for p, n in self._facts.items()},
            **replaced,
        }.items():
            assert text.count(old) == 1, f"{name}: {old}"
            text = text.replace(old, new)
        return text


class Nginx(Gateway):
    """nginx, from Debian's package."""

    def command(self) -> list[str]:
        """Lay out what the README says, inside what Debian's nginx.conf has around it."""
        shutil.copytree(HANDED_OUT / "nginx", self._home / "chatelaine")
        places = {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "portal_level 3;": f"portal_level {self._terms};",
        }
        (self._home / "recipe.conf").write_text(self._filled("nginx.conf", places), "utf-8")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {self._home}/{kind};\n" for kind in kinds)
        whole = (
            f"{'user root;' if os.geteuid() == 0 else ''} worker_processes 1; pid {self._home}/pid;\n"
            "load_module /usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{temporary}include recipe.conf;\n}}\n"
        )
        (self._home / "nginx.conf").write_text(whole, "utf-8")
        path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert path, "nginx is missing: scripts/setup.sh test installs it"
        return [path, "-e", "stderr", "-p", str(self._home), "-c", "nginx.conf", "-g", "daemon off;"]


class Caddy(Gateway):
    """Caddy, from Debian's package."""

    def command(self) -> list[str]:
        """Lay out our Caddyfile, without certificates."""
        places = {"api.example.org {": f"http://127.0.0.1:{self.port} {{", "level=3": f"level={self._terms}"}
        around = "{\n\tadmin off\n\tauto_https off\n}\n"
        (self._home / "Caddyfile").write_text(around + self._filled("Caddyfile", places), "utf-8")
        path = shutil.which("caddy")
        assert path, "Caddy is missing: scripts/setup.sh test installs it"
        return [path, "run", "--adapter", "caddyfile", "--config", "Caddyfile"]
