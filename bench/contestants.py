"""The contestants: how each is set up, and how it is served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import portal_client
from bench.databases import Databases
from bench.load import Load
from bench.portal_client import PortalClient
from bench.processes import ROOT, Server, serving

PEERS = {
    "bare": "a Flask route without any check",
    "naive": "Flask-HTTPAuth, scrypt, Flask-SQLAlchemy",
    "drf_api_key": "djangorestframework-api-key",
    "knox_tokens": "django-rest-knox",
}
PORTAL = "portal"
DOORS = {
    "whoami": ("/api/whoami/key", "whoami, with call limits"),
    "authorize": ("/api/authorize?level=2", "forward auth, with call limits"),
    "introspect": ("/api/introspect", "introspection, with call limits"),
}
"""Doors of the portal with its limits on, as people run it; what is lent out is counted too."""


@dataclass
class Contestant:
    """A server that runs, what to send it, and what came of it."""

    name: str
    server: Server
    headers: Path
    path: str = "/api/whoami/key"
    loads: list[Load] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Microseconds of the workers' processor time for a request, by spell."""


@dataclass(frozen=True)
class Field:
    """All that runs side by side."""

    portal: Contestant
    doors: list[Contestant]
    peers: list[Contestant]
    client: PortalClient
    folder: Path
    server_options: dict[str, str]

    def headers_file(self, name: str, headers: list[str]) -> Path:
        """Write Authorization headers to a file, as the load wants them."""
        path = self.folder / f"{name}.headers"
        path.write_text("".join(f"{each}\n" for each in headers), encoding="ascii")
        return path


@contextmanager
def line_up(folder: Path, databases: Databases, *, workers: int, keys: int) -> Iterator[Field]:
    """Set all contestants up and serve them, until the block ends."""
    with ExitStack() as stack:
        settings = portal_client.environment(folder, databases.create(PORTAL), workers)
        server = stack.enter_context(serving(PORTAL, portal_client.SERVE, settings, folder))
        client = PortalClient(server, settings)
        created = [client.make_key(f"bench {number}") for number in range(keys)]
        headers = [key.authorization for key in created]
        status, body = client.whoami(headers[0])
        if status != 200:
            raise RuntimeError(f"The portal refused its own key: {status} {body.get('error')}")
        ground = Field(Contestant(PORTAL, server, folder), [], [], client, folder, portal_options())
        ground.portal.headers = ground.headers_file(PORTAL, headers)
        limited = settings | portal_client.VAST_LIMITS
        with_limits = stack.enter_context(serving("limited", portal_client.SERVE, limited, folder))
        asking = client.make_key("asks", level=6).authorization
        forms = ground.headers_file("introspect", [f"{asking}\ttoken={key.secret}" for key in created])
        for name, (path, _meaning) in DOORS.items():
            lines = forms if name == "introspect" else ground.portal.headers
            ground.doors.append(Contestant(name, with_limits, lines, path))
        for name in PEERS:
            variables = {"BENCH_DATABASE_URL": databases.create(name), "BENCH_BODY": json.dumps(body)}
            headers = prepare_peer(name, keys, variables)
            command = peer_command(name, workers, ground.server_options)
            peer = stack.enter_context(serving(name, command, variables, folder))
            ground.peers.append(Contestant(name, peer, ground.headers_file(name, headers)))
        yield ground


def prepare_peer(name: str, keys: int, variables: dict[str, str]) -> list[str]:
    """Have a peer make its tables and keys; the Authorization headers of the keys."""
    created = subprocess.run(
        [sys.executable, "-m", "bench.peers", name, str(keys)],
        env=os.environ | variables,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return list(json.loads(created.stdout))


def peer_command(name: str, workers: int, options: dict[str, str]) -> list[str]:
    """Serve a peer the way the portal serves itself."""
    command = [str(Path(sys.executable).with_name("granian")), "--host", "127.0.0.1", "--port", "{port}"]
    command += ["--interface", "wsgi", "--no-ws", "--log-level", "warning", "--workers", str(workers)]
    for option, value in options.items():
        command += [option, value]
    return [*command, f"bench.peers.{name}:app"]


def portal_options() -> dict[str, str]:
    """The options that the portal gives its server, read from its own code."""
    code = (
        "import json; from config import load_settings; from portal.cli.serve import make_server; "
        "s = make_server(load_settings()); "
        "print(json.dumps([s.blocking_threads, s.runtime_mode.value, s.backlog, s.http.value]))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    threads, mode, backlog, http = json.loads(told.stdout)
    values: dict[str, Any] = {
        "--blocking-threads": threads,
        "--runtime-mode": mode,
        "--backlog": backlog,
        "--http": http,
    }
    return {option: str(value) for option, value in values.items()}
