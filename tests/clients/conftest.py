"""The client, and the application behind a server to ask."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from portal.models import KeyKind
from tests.support.cast import Cast, CreatedKey
from tests.support.databases import ROOT
from tests.support.rows import forge


@pytest.fixture(scope="session")
def client_module() -> Iterator[ModuleType]:
    """The module as somebody has it who copied it beside their code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "clients/python"))
        import chatelaine_client

        yield chatelaine_client
    sys.modules.pop("chatelaine_client")


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    """Where the application answers, in threads of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def service(app: Flask, cast: Cast) -> CreatedKey:
    """The key of a service."""
    return forge(app, cast.ada, kind=KeyKind.SERVICE, level=0)


MakePortal = Callable[..., Any]


@pytest.fixture
def make_portal(client_module: ModuleType, url: str, service: CreatedKey) -> Iterator[MakePortal]:
    """Make a client: ``make_portal(cache_seconds=30)``."""
    created: list[Any] = []

    def make(where: str = url, **settings: Any) -> Any:
        created.append(client_module.Portal(where, service.id, service.secret, **settings))
        return created[-1]

    yield make
    for each in created:
        each.close()
