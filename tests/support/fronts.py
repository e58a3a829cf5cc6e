"""Proxies in front of the portal, with the files of ``deploy/`` as they are but for places and names."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPConnection
from pathlib import Path

from tests.support import proxies
from tests.support.ports import free_port_everywhere
from tests.support.programs import in_system, in_venv
from tests.support.proxies import DEPLOY, PLACEHOLDER, Proxy, put_in
from tests.support.wire import Wire

HOST = "keys.example.org"
PAIR = [Path(__file__).parent / "tls" / f"{HOST}{end}" for end in (".pem", ".key.pem")]
CERTIFICATE = f"/etc/letsencrypt/live/{HOST}"
SECONDS = 10.0


class Front(Proxy):
    """A proxy in front of the portal: ``header`` is what it tells the visitor's address in.

    ``place`` is where visitors find the portal: a host, and a port where it is another than 443.
    """

    refusal_in_clear = 403
    """With which it refuses what comes without TLS."""

    def __init__(self, home: Path, portal: int, header: str, place: str = HOST) -> None:
        super().__init__(home)
        self.clear_port = free_port_everywhere()
        """Where it is asked without TLS."""
        self._place = place
        self._portal = f"127.0.0.1:{portal}"
        self._header = header

    def connect(self, source: str, protocol: str = "http/1.1") -> ssl.SSLSocket:
        """Open a connection with TLS from a loopback address."""
        context = ssl.create_default_context(cafile=str(PAIR[0]))
        context.set_alpn_protocols([protocol])
        target = "::1" if ":" in source else "127.0.0.1"
        plain = socket.create_connection((target, self.port), SECONDS, source_address=(source, 0))
        wrapped = context.wrap_socket(plain, server_hostname=HOST)
        assert wrapped.selected_alpn_protocol() == protocol
        return wrapped

    def _listens(self) -> bool:
        """Whether it also has its certificate by now: some programs listen before."""
        if not super()._listens():
            return False
        try:
            with self.connect("127.0.0.1"):
                return True
        except OSError:
            return False

    def _filled(self, name: str, places: dict[str, str]) -> str:
        """A file of ours for this place, as its head says, with the places of the test."""
        text = (DEPLOY / name).read_text("utf-8").replace(f"https://{HOST}", f"https://{self._place}")
        return put_in(text, places, name)

    def _certificate(self) -> dict[str, str]:
        return {
            f"{CERTIFICATE}/fullchain.pem": str(PAIR[0]),
            f"{CERTIFICATE}/privkey.pem": str(PAIR[1]),
        }


class Secure(Wire):
    """A client that comes by TLS, to ``place`` (a host, and its port)."""

    def __init__(self, front: Front, place: str) -> None:
        super().__init__(front.port, headers={"Host": place})
        self._connection = _Connection(front)


class _Connection(HTTPConnection):
    def __init__(self, front: Front) -> None:
        super().__init__(HOST, front.port, timeout=SECONDS)
        self._front = front

    def connect(self) -> None:
        """Connect as the front has it."""
        self.sock = self._front.connect("127.0.0.1")


class Nginx(Front):
    """nginx, from Debian's package."""

    program = ""
    from_debian = "nginx"

    def command(self) -> list[str]:
        """Lay out deploy/nginx.conf."""
        text = self._filled(
            "nginx.conf",
            {**self._certificate(), "127.0.0.1:8000": self._portal, "X-Forwarded-For $": f"{self._header} $"},
        )
        for number, port in ((80, self.clear_port), (443, self.port)):
            text = text.replace(f"listen {number}", f"listen 127.0.0.1:{port}")
            text = text.replace(f"listen [::]:{number}", f"listen [::1]:{port}")
        text = text.replace("/var/log/nginx", str(self._home))
        return proxies.nginx(self._home, text, self.program)


class NewNginx(Nginx):
    """nginx, from a wheel."""

    program = proxies.new_nginx()
    from_debian = ""


class Caddy(Front):
    """Caddy, from Debian's package."""

    from_debian = "caddy"

    def command(self) -> list[str]:
        """Lay out deploy/Caddyfile."""
        bind = "{\n\tbind 127.0.0.1 ::1"
        places = {
            f"https://{self._place} {{": f"https://{HOST}:{self.port} {bind}\n\ttls {PAIR[0]} {PAIR[1]}",
            f"http://{HOST} {{": f"http://{HOST}:{self.clear_port} {bind}",
            "127.0.0.1:8000": self._portal,
            PLACEHOLDER: self._header,
        }
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


class Traefik(Front):
    """Traefik, from a wheel; it knows no answers of its own."""

    refusal_in_clear = 404

    def command(self) -> list[str]:
        """Lay out deploy/traefik.yml; it knows X-Forwarded-For alone."""
        text = self._filled("traefik.yml", {**self._certificate(), "127.0.0.1:8000": self._portal})
        return proxies.traefik(self._home, text, f":{self.port}", f":{self.clear_port}")


class Envoy(Front):
    """Envoy, from a wheel."""

    def command(self) -> list[str]:
        """Lay out deploy/envoy.yaml."""
        places = {
            **self._certificate(),
            "port_value: 443": f"port_value: {self.port}",
            "port_value: 80,": f"port_value: {self.clear_port},",
            f"host_redirect: {HOST}": f"host_redirect: {self._place}",
            "address: 127.0.0.1, port_value: 8000": "address: {}, port_value: {}".format(
                *self._portal.split(":")
            ),
            PLACEHOLDER: self._header,
        }
        return proxies.envoy(self._home, self._filled("envoy.yaml", places))


class HAProxy(Front):
    """HAProxy, from Debian's package."""

    from_debian = "haproxy"

    def command(self) -> list[str]:
        """Lay out deploy/haproxy.cfg, with certificate and key in one file as it wants them."""
        pair = "".join(part.read_text("ascii") for part in PAIR)
        places = {
            f"/etc/haproxy/{HOST}.pem": self._write("pair.pem", pair),
            "bind :::80 ": f"bind :::{self.clear_port} ",
            "bind :::443 ": f"bind :::{self.port} ",
            "127.0.0.1:8000": self._portal,
            PLACEHOLDER: self._header,
        }
        return proxies.haproxy(self.program(), self._home, self._filled("haproxy.cfg", places))

    def program(self) -> str:
        """Which HAProxy."""
        return in_system("haproxy")


class NewHAProxy(HAProxy):
    """HAProxy, from a wheel."""

    from_debian = ""

    def program(self) -> str:
        """Which HAProxy."""
        return proxies.new_haproxy()
