"""A header with a byte above 127 arrives empty: that opens no more than if it were not there (row 74)."""

from __future__ import annotations

import json
import re
import socket
from http.client import HTTPResponse
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from portal.http.proxy import _UNBELIEVED
from tests.gateways.conftest import SECRET, Portal, Portals
from tests.support.cast import make_person
from tests.support.client import find_form, form_values
from tests.support.databases import ROOT
from tests.support.fronts import HOST
from tests.support.rows import forge
from tests.support.wire import TIMEOUT, Wire

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
OWN = f"https://{HOST}"
GOOD = {
    "Accept": "*/*",
    "Accept-Language": "en",
    "Access-Control-Request-Method": "PUT",
    "Content-Encoding": "identity",
    "Github-Public-Key-Identifier": "x",
    "Github-Public-Key-Signature": "x",
    "If-Modified-Since": "Thu, 26 Nov 2026 00:00:00 GMT",
    "If-None-Match": '"x"',
    "Origin": OWN,
    "Range": "bytes=0-1",
    "Referer": f"{OWN}/",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "User-Agent": "a browser",
    "X-CSRFToken": "x",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Proto": "https",
    "X-Original-Method": "GET",
    "Portal-Key": "x",
}
"""What a request may say besides what it needs: each is left out, and each is emptied, in turn."""

NEEDED = ("Authorization", "Content-Type", "Cookie", "Host", SECRET)
FRAMING = ("Content-Length", "Transfer-Encoding")
"""Read by the server itself, which refuses an odd one; see tests/http/test_server.py."""


class Asked(NamedTuple):
    """A request that is answered well, with the headers that it takes to be so."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class Asker:
    """Somebody who is signed in, has a key, and writes headers as bytes."""

    def __init__(self, portal: Portal) -> None:
        self._port = portal.server.port
        base = {"Host": HOST, SECRET: "192.0.2.1"}
        created = portal.make_key(calls_per_minute=100_000)
        key = {**base, "Authorization": created.headers["Authorization"]}
        service = forge(portal.app, portal.cast.sue, level=8, calls_per_minute=100_000)
        asking = {**base, "Authorization": service.headers["Authorization"], "Content-Type": JSON}
        with Wire(self._port, headers={**base, "Referer": f"{OWN}/"}) as wire:
            emma = make_person(portal.app, "emma")  # what others do to the cast ends nothing of hers
            wire.submit("/signin", {"username": emma.email, "password": emma.password})
            form = find_form(wire.get("/account/profile").page, None)
            fields = urlencode(form_values(form)).encode()
            signed = {**base, "Cookie": "; ".join(f"{n}={v}" for n, v in wire.cookies.items())}
        self.requests = {
            "whoami": Asked("GET", "/api/whoami/key", key),
            "forward auth": Asked("GET", "/api/authorize?methods=GET&method=GET", key),
            "forward auth, by headers": Asked("GET", "/api/authorize?methods=GET", key),
            "metrics": Asked("GET", "/metrics", key),
            "revocation": Asked("POST", "/api/revoke", {**key, "Content-Type": FORM}, b"token=x"),
            "batch": Asked("POST", "/api/introspect/batch", asking, json.dumps({"tokens": ["x"]}).encode()),
            "GitHub": Asked("POST", "/api/leaks/github", {**base, "Content-Type": JSON}, b"[]"),
            "a page": Asked("GET", "/account/keys", signed),
            "a form": Asked("POST", str(form["action"]), {**signed, "Content-Type": FORM}, fields),
            "a static file": Asked("GET", "/static/favicon.svg", base),
        }

    def status(self, asked: Asked, headers: dict[str, bytes]) -> int:
        """Ask over a connection of its own."""
        head = [f"{asked.method} {asked.path} HTTP/1.1".encode(), b"Connection: close"]
        head += [name.encode() + b": " + value for name, value in headers.items()]
        if asked.body:
            head.append(b"Content-Length: %d" % len(asked.body))
        with socket.create_connection(("127.0.0.1", self._port), TIMEOUT) as connection:
            connection.sendall(b"\r\n".join([*head, b"", b""]) + asked.body)
            response = HTTPResponse(connection)
            response.begin()
            return response.status


@pytest.fixture(scope="module")
def asker(portals: Portals) -> Asker:
    return Asker(portals(SECRET))


@pytest.mark.parametrize("name", [*NEEDED, *GOOD])
def test_an_emptied_header_opens_no_more_than_one_that_is_not_there(asker: Asker, name: str) -> None:
    told = {}
    for what, asked in asker.requests.items():
        there = {each: value.encode() for each, value in {**GOOD, **asked.headers}.items()}
        if what != "a form":
            del there["X-CSRFToken"]
        absent = {each: value for each, value in there.items() if each != name}
        without = asker.status(asked, absent)
        emptied = {
            asker.status(asked, {**absent, name: value})
            for value in (b"", b"\xff", there.get(name, b"x") + b"\xff")
        }
        if not all(status >= 400 or status == without for status in emptied) or len(emptied) != 1:
            told[what] = (without, emptied)

    assert told == {}


def test_the_requests_are_good_ones(asker: Asker) -> None:
    told = {
        what: asker.status(
            asked,
            {name: value.encode() for name, value in asked.headers.items()}
            | {"Referer": OWN.encode() + b"/"},
        )
        for what, asked in asker.requests.items()
    }

    good = {what: status for what, status in told.items() if status < 400}
    assert set(told) - set(good) == {"GitHub", "metrics", "forward auth, by headers"}


def test_every_header_that_the_code_reads_is_among_these() -> None:
    read = set()
    for path in (ROOT / "portal").rglob("*.py"):
        text = path.read_text("utf-8")
        read |= {name.replace("_", "-") for name in re.findall(r"[\"']HTTP_([A-Z_]+)[\"']", text)}
        read |= set(re.findall(r"request\.headers(?:\.get\(|\[)\"([\w-]+)\"", text))
    known = {name.lower() for name in (*NEEDED, *FRAMING, *GOOD)}
    dropped = {name.removeprefix("HTTP_").replace("_", "-").lower() for name in _UNBELIEVED}
    assert {name.lower() for name in read} - known - dropped == set()
