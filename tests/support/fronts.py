"""Proxies in front of the portal, with the files of ``deploy/`` as they are but for places and names."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from tests.support import proxies
from tests.support.ports import free_port_everywhere
from tests.support.proxies import DEPLOY, PLACEHOLDER, Proxy, filled

HOST = "keys.example.org"
PAIR = [Path(__file__).parent / "tls" / f"{HOST}{end}" for end in (".pem", ".key.pem")]
CERTIFICATE = f"/etc/letsencrypt/live/{HOST}"
SECONDS = 10.0


class Front(Proxy):
    """A proxy in front of the portal: ``header`` is what it tells the visitor's address in."""

    def __init__(self, home: Path, portal: int, header: str) -> None:
        super().__init__(home)
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

    def _certificate(self) -> dict[str, str]:
        return {
            f"{CERTIFICATE}/fullchain.pem": str(PAIR[0]),
            f"{CERTIFICATE}/privkey.pem": str(PAIR[1]),
        }


class Nginx(Front):
    """nginx, from Debian's package."""

    def command(self) -> list[str]:
        """Lay out deploy/nginx.conf."""
        text = filled(
            DEPLOY / "nginx.conf",
            {**self._certificate(), "127.0.0.1:8000": self._portal, "X-Forwarded-For $": f"{self._header} $"},
        )
        for number, port in ((80, free_port_everywhere()), (443, self.port)):
            text = text.replace(f"listen {number}", f"listen 127.0.0.1:{port}")
            text = text.replace(f"listen [::]:{number}", f"listen [::1]:{port}")
        text = text.replace("/var/log/nginx", str(self._home))
        return proxies.nginx(self._home, text)


class Caddy(Front):
    """Caddy, from Debian's package."""

    def command(self) -> list[str]:
        """Lay out deploy/Caddyfile."""
        site = f"https://{HOST}:{self.port} {{\n\tbind 127.0.0.1 ::1\n\ttls {PAIR[0]} {PAIR[1]}"
        places = {f"{HOST} {{": site, "127.0.0.1:8000": self._portal, PLACEHOLDER: self._header}
        return proxies.caddy(self.program(), self._home, filled(DEPLOY / "Caddyfile", places))

    def program(self) -> str:
        """Which Caddy."""
        return proxies.in_system("caddy")


class NewCaddy(Caddy):
    """Caddy, from a wheel."""

    def program(self) -> str:
        """Which Caddy."""
        return proxies.in_venv("caddy")


class Traefik(Front):
    """Traefik, from a wheel."""

    def command(self) -> list[str]:
        """Lay out deploy/traefik.yml; it knows X-Forwarded-For alone."""
        text = filled(DEPLOY / "traefik.yml", {**self._certificate(), "127.0.0.1:8000": self._portal})
        return proxies.traefik(self._home, text, f":{self.port}")


class Envoy(Front):
    """Envoy, from a wheel."""

    def command(self) -> list[str]:
        """Lay out deploy/envoy.yaml."""
        places = {
            **self._certificate(),
            "port_value: 443": f"port_value: {self.port}",
            "address: 127.0.0.1, port_value: 8000": "address: {}, port_value: {}".format(
                *self._portal.split(":")
            ),
            PLACEHOLDER: self._header,
        }
        return proxies.envoy(self._home, filled(DEPLOY / "envoy.yaml", places))


class HAProxy(Front):
    """HAProxy, from Debian's package."""

    def command(self) -> list[str]:
        """Lay out deploy/haproxy.cfg, with certificate and key in one file as it wants them."""
        pair = "".join(part.read_text("ascii") for part in PAIR)
        places = {
            f"/etc/haproxy/{HOST}.pem": self._write("pair.pem", pair),
            "bind :::80 ": f"bind :::{free_port_everywhere()} ",
            "bind :::443 ": f"bind :::{self.port} ",
            "127.0.0.1:8000": self._portal,
            PLACEHOLDER: self._header,
        }
        return proxies.haproxy(self._home, filled(DEPLOY / "haproxy.cfg", places))
