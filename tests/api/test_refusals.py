"""What is kept of a refusal, at every door where a key is shown or asked about."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.models import KeyKind
from portal.runtime import runtime_of
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.rows import forge

FROM = {"REMOTE_ADDR": "203.0.113.9"}
LONG_WAY = {"Accept": "*/*;q=1"}


@pytest.fixture
def kept(app: Flask, database: Database):
    """What is kept: times, reason, address, door and what was asked."""

    def kept() -> list[tuple[object, ...]]:
        runtime_of(app).usage.flush()
        rows = database.execute("SELECT times, reason, address, door, asked FROM key_recent_refusals")
        return sorted(tuple(row) for row in rows)

    return kept


def test_forward_auth_tells_the_level_the_method_or_the_audience(
    app: Flask, client: PageChecker, cast: Cast, kept
) -> None:
    key = forge(app, cast.alice, level=2, audiences="orders")
    for asked in ("?level=3", "?methods=GET,HEAD&method=POST", "?audience=stock", "/level/3/v1"):
        for way in ({}, LONG_WAY):
            answer = client.get(f"/api/authorize{asked}", headers=key.headers | way, environ_overrides=FROM)
            assert answer.status_code == 403

    assert kept() == [
        (2, "audienceNotAllowed", "203.0.113.9", "authorize", "stock"),
        (2, "methodNotPermitted", "203.0.113.9", "authorize", "POST"),
        (4, "insufficientAccessLevel", "203.0.113.9", "authorize", "3"),
    ]


def test_the_api_and_the_metrics_tell_the_level(app: Flask, client: PageChecker, cast: Cast, kept) -> None:
    key = forge(app, cast.ada, level=2)
    client.post("/api/apikeys/key", json={}, headers=key.headers, environ_overrides=FROM)
    client.post("/api/introspect", data={"token": "x"}, headers=key.headers, environ_overrides=FROM)
    client.get("/metrics", headers=key.headers, environ_overrides=FROM)

    assert kept() == [
        (1, "insufficientAccessLevel", "203.0.113.9", "api", "4"),
        (1, "insufficientAccessLevel", "203.0.113.9", "api", "introspection"),
        (1, "insufficientAccessLevel", "203.0.113.9", "metrics", "6"),
    ]


def test_introspection_tells_the_address_that_the_service_tells(
    app: Flask, client: PageChecker, cast: Cast, kept
) -> None:
    service = forge(app, cast.ada, kind=KeyKind.SERVICE, level=0, audiences="stock")
    bound = forge(app, cast.alice, networks="192.0.2.0/24")
    meant = forge(app, cast.alice, audiences="orders")
    for token, address in ((bound.secret, "203.0.113.9"), (bound.secret, ""), (meant.secret, "192.0.2.1")):
        for way in ({}, LONG_WAY):
            form = {"token": token} | ({"address": address} if address else {})
            client.post("/api/introspect", data=form, headers=service.headers | way)

    assert kept() == [
        (2, "addressNotAllowed", "", "introspect", ""),
        (2, "addressNotAllowed", "203.0.113.9", "introspect", ""),
        (2, "audienceNotAllowed", "192.0.2.1", "introspect", "stock"),
    ]


def test_nothing_is_kept_of_whoever_lacks_the_secret(
    app: Flask, client: PageChecker, cast: Cast, kept, database: Database
) -> None:
    key = forge(app, cast.alice, networks="192.0.2.0/24")
    wrong = CreatedKey(key.id, key.secret[:-1] + ("0" if key.secret[-1] != "0" else "1"))
    other = CreatedKey(key.id, forge(app, cast.bob).secret)
    for shown in (wrong, other):
        for path in ("/api/whoami/key", "/api/authorize?level=3", "/api/apikeys/key", "/metrics"):
            answer = client.get(path, headers=shown.headers, environ_overrides=FROM)
            assert answer.status_code in {401, 429}

    assert kept() == []
    assert database.execute("SELECT count(*) FROM key_usage") == [(0,)]
