"""Whatever strangers send, a worker keeps only so much of it (row 76)."""

from __future__ import annotations

import ast
import gc
import logging
import random
import tracemalloc
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

from portal.services.keys import creation
from tests.conftest import MakeApp
from tests.support.cast import make_cast
from tests.support.databases import ROOT

TRUSTED = "127.0.0.0/8"
REQUESTS = 50
MANY_REQUESTS = 500
SHORT = {"credentials"}
"""Kinds with so little text each that it takes more of them to be seen."""
LONG = 12_000
MOST_GROWTH = 60_000
"""Bytes that these may leave behind: less than half of the text that each kind but “peer” brings."""
WEIGHINGS = 4

KEPT = {  # beside those that keep one answer alone
    "portal/api/answers.py:is_acceptable",
    "portal/api/authorize.py:_written",
    "portal/api/authorize.py:read_terms",
    "portal/api/introspect.py:_written",
    "portal/api/openapi.py:document",
    "portal/api/whoami.py:_written",
    "portal/http/compressed.py:_compressed",
    "portal/http/slow_body_guard.py:",
    "portal/http/request_guard.py:RequestGuard.__init__",
    "portal/http/headers.py:_digest",
    "portal/http/kept.py:kept_if_short.decorate",
    "portal/http/proxy.py:TrustedProxies.__init__",
    "portal/http/proxy.py:canonical_ip_address",
    "portal/mailer.py:_environments",
    "portal/models/guards/__init__.py:expected_guards",
    "portal/models/key_states.py:live",
    "portal/models/key_states.py:revoked",
    "portal/models/key_states.py:working",
    "portal/services/keys/networks.py:split",
    "portal/web/zones.py:_load",
}
CACHES = {"cache", "lru_cache", "cached", "kept_if_short"}

Environ = dict[str, Any]
chance = random.Random(7)


def letters(length: int = LONG) -> str:
    return f"{chance.randbytes(8).hex()}{'x' * length}"[:length]


def word() -> str:
    return chr(chance.randrange(65, 91)) + chr(chance.randrange(65, 91))


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def form(**fields: str) -> Environ:
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    return {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }


def address() -> str:
    return ":".join(f"{chance.randrange(65536):x}" for _ in range(8))


STRANGE: dict[str, Callable[[str], Environ]] = {
    "host": lambda _: {"PATH_INFO": "/api/nowhere", "HTTP_HOST": letters()},
    "port": lambda _: {"PATH_INFO": "/api/nowhere", "HTTP_HOST": f"127.0.0.1:{letters()}"},
    "origin": lambda _: {**form(), "HTTP_ORIGIN": f"https://{letters()}"},
    "forwarded": lambda _: {"HTTP_X_FORWARDED_FOR": f"{letters()}, {address()}"},
    "forwarded hops": lambda _: {"HTTP_X_FORWARDED_FOR": ", ".join(address() for _ in range(200))},
    "peer": lambda _: {"REMOTE_ADDR": address()},
    "accept": lambda _: {"PATH_INFO": "/api/whoami/key", "HTTP_ACCEPT": letters()},
    "credentials": lambda _: {
        "PATH_INFO": "/api/whoami/key",
        "HTTP_AUTHORIZATION": basic(letters(50), letters(200)),
    },
    "token": lambda _: {"PATH_INFO": "/api/whoami/jwt", "HTTP_AUTHORIZATION": f"Bearer {letters()}"},
    "terms": lambda _: {
        "PATH_INFO": "/api/authorize",
        "QUERY_STRING": "methods=" + ",".join(word() for _ in range(1000)),
    },
    "path": lambda _: {"PATH_INFO": f"/{letters(3000)}"},
    "static": lambda _: {"PATH_INFO": f"/static/{letters(3000)}", "QUERY_STRING": f"v={letters(900)}"},
    "page": lambda _: {
        "PATH_INFO": "/signin",
        "HTTP_USER_AGENT": letters(5000),
        "HTTP_ACCEPT_LANGUAGE": letters(5000),
        "HTTP_COOKIE": f"session={letters(4000)}",
    },
    "name": lambda _: {**form(username=letters(), password="x"), "PATH_INFO": "/signin"},
    "address of a token": lambda service: {
        **form(token="chk_1", address=letters()),
        "PATH_INFO": "/api/introspect",
        "HTTP_AUTHORIZATION": service,
    },
}


@pytest.fixture
def service(make_app: MakeApp) -> tuple[Flask, str]:
    """A portal behind a proxy, and the credentials of a service that introspects."""
    app = make_app(PORTAL_TRUSTED_PROXIES=TRUSTED, PORTAL_PROXY_HEADER="X-Forwarded-For")
    cast = make_cast(app)
    with app.app_context():
        key, secret = creation.create_key(cast.ada.actor, name="gateway", level=9, life=timedelta(days=30))
        credentials = basic(str(key.id), secret)
    return app, credentials


@contextmanager
def nothing_captured() -> Iterator[None]:
    """Without the handlers in which pytest keeps every line of the log until the test ends."""
    root = logging.getLogger()
    theirs = [each for each in root.handlers if type(each).__module__.startswith("_pytest")]
    for each in theirs:
        root.removeHandler(each)
    try:
        yield
    finally:
        for each in theirs:
            root.addHandler(each)


@pytest.mark.sqlite_only(reason="no database keeps what is kept in memory")
@pytest.mark.timeout(600)  # what is traced is slow, and slower with coverage
def test_what_strangers_send_is_not_kept(service: tuple[Flask, str]) -> None:
    app, credentials = service
    kinds = {kind: partial(make, credentials) for kind, make in STRANGE.items()}

    with nothing_captured():
        grown = {kind: least_growth(app, kinds[kind], requests_of(kind)) for kind in kinds}

    assert {kind: size for kind, size in grown.items() if size > MOST_GROWTH} == {}


def requests_of(kind: str) -> int:
    return MANY_REQUESTS if kind in SHORT else REQUESTS


def least_growth(app: Flask, make: Callable[[], Environ], requests: int) -> int:
    """The least of some weighings: a leak is in each, what was loaded or a thread has just begun in one."""
    least = growth(app, make, requests)
    for _ in range(WEIGHINGS - 1):
        if least <= MOST_GROWTH:
            break
        least = min(least, growth(app, make, requests))
    return least


def growth(app: Flask, make: Callable[[], Environ], requests: int) -> int:
    """The bytes that are left behind by so many requests of a kind."""
    for _ in range(5):
        answer(app, make())
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(requests):
            answer(app, make())
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def answer(app: Flask, changes: Environ) -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/healthz",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        **changes,
    }
    body = app(environ, lambda *_: lambda _: None)
    for _ in body:
        pass
    getattr(body, "close", lambda: None)()


def test_every_cache_is_among_those_that_were_weighed() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{name}"
        for path in sorted((ROOT / "portal").rglob("*.py"))
        for name in caches_of(ast.parse(path.read_text("utf-8")))
    }

    assert found == KEPT


def caches_of(tree: ast.AST, within: str = "") -> Iterator[str]:
    """The functions that are kept by a decorator, and those in which one is called."""
    for node in ast.iter_child_nodes(tree):
        inner = within
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            inner = f"{within}.{node.name}" if within else node.name
        called = node.func if isinstance(node, ast.Call) else None
        names = [
            each for each in (called, *getattr(node, "decorator_list", ())) if isinstance(each, ast.Name)
        ]
        keeps_one = isinstance(node, ast.FunctionDef) and not node.args.args
        if any(each.id in CACHES for each in names) and not keeps_one:
            yield inner
        yield from caches_of(node, inner)
