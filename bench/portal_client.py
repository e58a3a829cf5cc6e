"""The portal as a contestant: its database, its account and its keys, made the way people do."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

from bench.processes import ROOT, Server

FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")
SERVE = (*FLASK, "serve")
EMAIL = "bench@example.org"
DAY = 86_400
LEVEL = 2
VAST_LIMITS = {
    "PORTAL_LIMITS_ENABLED": "true",
    "PORTAL_CALLS_PER_MINUTE": "1000000000",
    "PORTAL_CALLS_PER_DAY": "1000000000",
}
"""Limits that are counted and never reached."""
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def environment(folder: Path, database_url: str, workers: int) -> dict[str, str]:
    """The settings of the portal for a run: a folder of its own, and no limits."""
    instance = folder / "instance"
    instance.mkdir(mode=0o700, exist_ok=True)
    return {
        "PORTAL_INSTANCE_PATH": str(instance),
        "PORTAL_DATABASE_URL": database_url,
        "PORTAL_PORT": "{port}",
        "PORTAL_WORKERS": str(workers),
        "PORTAL_LIMITS_ENABLED": "false",
        "PORTAL_SELFCHECK_AFTER": "0",
    }


class BenchKey(NamedTuple):
    """A key that was made for a run."""

    id: str
    secret: str

    @property
    def authorization(self) -> str:
        """Its Authorization header."""
        return basic(self.id, self.secret)


class PortalClient:
    """Talks to a portal that serves; makes an account first."""

    def __init__(self, server: Server, settings: dict[str, str]) -> None:
        self._url = f"http://127.0.0.1:{server.port}/api"
        password = secrets.token_urlsafe(24)
        subprocess.run(
            [*FLASK, "account", "create", EMAIL, "--role", "bughunter", "--password-stdin"],
            input=password.encode(),
            env=settings | {"PORTAL_PORT": str(server.port)},
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self._token = self._post("/signin", {"username": EMAIL, "password": password})["token"]

    def make_key(self, name: str, level: int = LEVEL) -> BenchKey:
        """Make a key."""
        body = {"name": name, "level": level, "expiresIn": DAY}
        created = self._post("/apikeys/jwt", body)["apikey"]
        return BenchKey(created["key"], created["secret"])

    def revoke_key(self, key_id: str) -> None:
        """Revoke a key."""
        self._call("DELETE", f"/apikeys/{key_id}/jwt", authorization=f"Bearer {self._token}")

    def whoami(self, authorization: str) -> tuple[int, dict[str, Any]]:
        """The status and the JSON that a key check is answered with."""
        return self._call("GET", "/whoami/key", authorization=authorization)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        bearer = f"Bearer {self._token}" if hasattr(self, "_token") else ""
        status, answer = self._call("POST", path, body, authorization=bearer)
        if status not in {200, 201}:
            raise RuntimeError(f"POST {path} was answered with {status}: {answer.get('error')}")
        return answer

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, authorization: str = ""
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if authorization:
            headers["Authorization"] = authorization
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read()
                return response.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")


def basic(key_id: str, secret: str) -> str:
    """The Authorization header of RFC 7617."""
    return "Basic " + b64encode(f"{key_id}:{secret}".encode()).decode()


def strangers_secret(prefix: str = "chk") -> str:
    """A secret that nobody was given, with a right checksum."""
    text = f"{prefix}_" + "".join(secrets.choice(_BASE62) for _ in range(43))
    rest, checksum = zlib.crc32(text.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        checksum = _BASE62[digit] + checksum
    return text + checksum


def misspelt(secret: str) -> str:
    """The same secret with a wrong last character."""
    return secret[:-1] + ("0" if secret[-1] != "0" else "1")
