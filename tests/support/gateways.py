"""Real gateways in front of a small service, with the configuration that we hand out."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support import proxies
from tests.support.programs import in_system, in_venv
from tests.support.proxies import DEPLOY, PLACEHOLDER, Proxy, filled
from tests.support.wire import TIMEOUT, Answer

HANDED_OUT = DEPLOY / "gateways"
HOST = "api.example.org"
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Seen:
    """A request as the service behind the gateway saw it."""

    method: str
    path: str
    headers: Headers
    body: bytes

    def named_like(self, start: str) -> dict[str, str]:
        """The headers whose names begin so, to readers who take every mark for a dash too.

        Some gateways write names in small letters.
        """
        found = [(name.title(), value) for name, value in self.headers if name.lower().startswith(start)]
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
    do_OPTIONS = do_GET  # noqa: N815  # the same

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


class Gateway(Proxy):
    """A gateway in front of a service: ``terms`` are what it asks the portal for.

    ``header`` is what it tells the visitor's address in; ``folder`` has its files.
    """

    upgrades: int | str = "websocket"
    """What the service sees of a visitor's Upgrade; or the status with which the gateway refuses it."""
    tells_limits = True
    """Whether it tells a visitor who was let in what is left of its limits."""
    lost = frozenset({502, 503})
    """What it answers when the portal can't be asked, or did not understand the question."""

    def __init__(
        self,
        home: Path,
        portal: int,
        service: int,
        terms: str = "3",
        *,
        header: str,
        folder: Path = HANDED_OUT,
    ) -> None:
        super().__init__(home)
        self.header = header
        self._folder = folder
        self._portal, self._service = f"127.0.0.1:{portal}", f"127.0.0.1:{service}"
        self._terms = terms

    def ask(
        self,
        method: str = "GET",
        path: str = "/v1/orders",
        headers: Headers | None = None,
        body: bytes | None = None,
        *,
        source: str = "127.0.0.7",
        host: str = HOST,
    ) -> Answer:
        """Send one request from a loopback address, its headers exactly as they are written."""
        with closing(self.connect(source)) as connection:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host)
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
        """Whether it also has its routes by now: some programs listen before."""
        try:
            return super()._listens() and self.ask().status != 404
        except (HTTPException, OSError):
            return False

    def _filled(self, name: str, places: dict[str, str]) -> str:
        return filled(
            self._folder / name, {"127.0.0.1:8000": self._portal, "127.0.0.1:9000": self._service, **places}
        )

    @property
    def is_copied(self) -> bool:
        """Whether its files are not those that we hand out now."""
        return self._folder != HANDED_OUT

    @property
    def _told_in(self) -> dict[str, str]:
        """The header's place, where a file has one."""
        return {PLACEHOLDER: self.header} if self._folder == HANDED_OUT else {}


class Nginx(Gateway):
    """nginx, from Debian's package."""

    upgrades = ""
    program = ""
    from_debian = "nginx"

    def command(self) -> list[str]:
        """Lay out what the README says."""
        shutil.copytree(self._folder / "nginx", self._home / "chatelaine")
        server = self._home / "chatelaine" / "server.conf"
        server.write_text(server.read_text("utf-8").replace("X-Forwarded-For", self.header), "utf-8")
        places = {
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "portal_level 3;": f"portal_level {self._terms};",
        }
        return proxies.nginx(self._home, self._filled("nginx.conf", places), self.program)


class NewNginx(Nginx):
    """nginx, from a wheel."""

    program = proxies.new_nginx()
    from_debian = ""


class Caddy(Gateway):
    """Caddy, from Debian's package."""

    from_debian = "caddy"

    def command(self) -> list[str]:
        """Lay out our Caddyfile, without certificates."""
        site = f"http://{HOST}:{self.port} {{\n\tbind 127.0.0.1"
        places = {f"{HOST} {{": site, "level=3": f"level={self._terms}", **self._told_in}
        return proxies.caddy(self.program(), self._home, self._filled("Caddyfile", places))

    def program(self) -> str:
        """Which Caddy."""
        return in_system("caddy")


class NewCaddy(Caddy):
    """Caddy, from a wheel."""

    from_debian = ""

    def program(self) -> str:
        """Which Caddy."""
        return in_venv("caddy")


class Traefik(Gateway):
    """Traefik, from a wheel."""

    upgrades = ""
    tells_limits = False
    lost = frozenset({400, 500})

    def command(self) -> list[str]:
        """Lay out traefik.yml, without TLS."""
        text = self._filled("traefik.yml", {"level=3": f"level={self._terms}", "tls: {}": ""})
        return proxies.traefik(self._home, text, f"127.0.0.1:{self.port}")


class Envoy(Gateway):
    """Envoy, from a wheel."""

    upgrades = 403
    lost = frozenset({400, 503})

    def command(self) -> list[str]:
        """Lay out envoy.yaml."""
        places = {
            "//127.0.0.1:8000": f"//{self._portal}",
            **{
                f"address: 127.0.0.1, port_value: {old}": "address: {}, port_value: {}".format(
                    *new.split(":")
                )
                for old, new in (("8000", self._portal), ("9000", self._service))
            },
            "8080": str(self.port),
            "address: 0.0.0.0": "address: 127.0.0.1",
            "authorize/level/3": f"authorize/{_path_of(self._terms)}",
            **self._told_in,
        }
        return proxies.envoy(self._home, filled(self._folder / "envoy.yaml", places))


def _path_of(terms: str) -> str:
    """Terms as Envoy's prefix has them: ``3&preflight=pass`` is ``preflight=pass/level/3``."""
    level, *others = terms.split("&")
    return "/".join([*others, f"level/{level}"])
