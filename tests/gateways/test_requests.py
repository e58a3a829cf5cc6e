"""Gateways that we only document: their configuration, and the requests that they send (row 54).

The requests are written down as Traefik 3 (pkg/middlewares/auth/forward.go) and Envoy 1.36
(ext_authz_http_impl.cc and async_client_impl.cc) make them from our files.
"""

from __future__ import annotations

import re
import socket
from http.client import HTTPResponse
from itertools import product
from typing import Any

import pytest
import yaml

from portal.services import secrets
from tests.gateways.conftest import MakeKey, Portal
from tests.support.cast import MadeKey
from tests.support.gateways import HANDED_OUT
from tests.support.wire import TIMEOUT, Answer

HOME, ABROAD = "192.0.2.10", "203.0.113.9"
ENVOY_ITSELF = "127.0.0.1"
PATHS = ("/", "/v1/orders?level=0&key=x", "//", "/a/../../../api/authorize?level=0", "/%2e%2e/%ff")
IDENTITY = ("Portal-Account", "Portal-Username", "Portal-Role", "Portal-Level", "Portal-Key")
FORGED = ("Portal-Key", "portal-superuser", "Portal_Key", "PORTAL.KEY")
HARMLESS = ("Portal", "Portals", "X-Portal-Key", "Portalkey")


def traefik_file() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HANDED_OUT / "traefik.yml").read_text("utf-8"))["http"]
    return found


def envoy_file() -> dict[str, Any]:
    file = yaml.safe_load((HANDED_OUT / "envoy.yaml").read_text("utf-8"))
    chain = file["static_resources"]["listeners"][0]["filter_chains"][0]
    manager: dict[str, Any] = chain["filters"][0]["typed_config"]
    return manager


def envoy_filters() -> dict[str, dict[str, Any]]:
    """The filters by name, in the order in which a request passes them."""
    return {each["name"].rpartition(".")[2]: each["typed_config"] for each in envoy_file()["http_filters"]}


def traefik(authorization: str | None, address: str, method: str, path: str) -> bytes:
    """What Traefik asks on behalf of a visitor."""
    config = traefik_file()["middlewares"]["chatelaine"]["forwardAuth"]
    assert (config["trustForwardHeader"], config["authRequestHeaders"]) == (False, ["Authorization"])
    authority, slash, target = config["address"].removeprefix("http://").partition("/")
    lines = [
        f"GET {slash}{target} HTTP/1.1",
        f"Host: {authority}",
        "User-Agent: Go-http-client/1.1",
        *([f"Authorization: {authorization}"] if authorization else []),
        f"X-Forwarded-For: {address}",
        "X-Forwarded-Host: api.example.org",
        f"X-Forwarded-Method: {method}",
        "X-Forwarded-Proto: https",
        f"X-Forwarded-Uri: {path}",
        "Accept-Encoding: gzip",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def envoy(authorization: str | None, address: str, method: str, path: str) -> bytes:
    """What Envoy asks on behalf of a visitor."""
    service = envoy_filters()["ext_authz"]["http_service"]
    added = {each["key"]: each["value"] for each in service["authorization_request"]["headers_to_add"]}
    assert added == {"x-forwarded-for": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}
    lines = [
        f"{method} {service['path_prefix']}{path} HTTP/1.1",
        "host: api.example.org",
        "content-length: 0",
        *([f"authorization: {authorization}"] if authorization else []),
        "x-envoy-internal: true",
        f"x-forwarded-for: {address},{ENVOY_ITSELF}",
        "x-envoy-expected-rq-timeout-ms: 5000",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


WAYS = {"traefik": (traefik, 204), "envoy": (envoy, 200)}
"""Traefik takes any 2xx for a yes, Envoy only 200."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def ask(
    portal: Portal,
    way: str,
    authorization: str | None,
    *,
    address: str = HOME,
    method: str = "POST",
    path: str = "/v1/orders?level=0",
) -> Answer:
    """Send it to the portal as these bytes, over a connection of its own."""
    written = WAYS[way][0](authorization, address, method, path)
    with socket.create_connection(("127.0.0.1", portal.server.port), TIMEOUT) as connection:
        connection.sendall(written)
        response = HTTPResponse(connection, method=written.split()[0].decode())
        response.begin()
        return Answer(response.status, response.headers, response.read())


def basic(made: MadeKey) -> str:
    return made.headers["Authorization"]


def test_a_good_key_gets_a_yes_with_its_identity(portal: Portal, way: str, make_key: MakeKey) -> None:
    made = make_key(level=3)
    told = (str(portal.cast.alice.account_id), "alice", "user", "3", made.id)
    for shown, path in product((basic(made), f"Bearer {made.secret}"), PATHS):
        answer = ask(portal, way, shown, path=path)

        assert answer.status == WAYS[way][1], path
        assert tuple(answer.headers[name] for name in IDENTITY) == told
        assert "RateLimit" in answer.headers


def test_every_method_is_asked_about_alike(portal: Portal, way: str, make_key: MakeKey) -> None:
    shown = basic(make_key())
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
        assert ask(portal, way, shown, method=method).status == WAYS[way][1], method
        assert ask(portal, way, None, method=method).status == 401, method


def test_refusals_are_ready_to_be_passed_back(portal: Portal, way: str, make_key: MakeKey) -> None:
    made = make_key(calls_per_minute=1)
    wrong = MadeKey(made.id, secrets.make_secret("chk"))
    for shown, status in ((None, 401), (basic(wrong), 401), (basic(make_key(level=2)), 403)):
        answer = ask(portal, way, shown)
        assert answer.status == status
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
        assert not [name for name in answer.headers if name.startswith("Portal-")]
    ask(portal, way, basic(made))

    answer = ask(portal, way, basic(made))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1


def test_the_address_is_the_visitors(portal: Portal, way: str, make_key: MakeKey) -> None:
    bound = basic(make_key(networks=f"{HOME}/32"))

    assert ask(portal, way, bound, address=HOME).status == WAYS[way][1]
    assert ask(portal, way, bound, address=ABROAD).status == 403


def test_traefik_takes_forged_names_out_and_the_true_ones_over() -> None:
    config = traefik_file()
    pattern = re.compile(config["middlewares"]["chatelaine"]["forwardAuth"]["authResponseHeadersRegex"])
    asked, secret = config["routers"]["api"]["middlewares"]

    assert all(pattern.search(name) for name in (*IDENTITY, *FORGED))
    assert not any(pattern.search(name) for name in HARMLESS)
    assert (asked, secret) == ("chatelaine", "chatelaine-secret")
    assert config["middlewares"][secret]["headers"]["customRequestHeaders"] == {
        "Authorization": "",
        "Upgrade": "",
    }


def test_envoy_takes_forged_names_out_and_the_true_ones_over() -> None:
    manager, filters = envoy_file(), envoy_filters()
    mutation = filters["header_mutation"]["mutations"]["request_mutations"][0]
    pattern = re.compile(mutation["remove_on_match"]["key_matcher"]["safe_regex"]["regex"])
    told = filters["ext_authz"]["http_service"]["authorization_response"]

    assert list(filters) == ["header_mutation", "ext_authz", "router"]
    assert all(pattern.fullmatch(name.lower()) for name in (*IDENTITY, *FORGED))
    assert not any(pattern.fullmatch(name.lower()) for name in HARMLESS)
    assert told["allowed_upstream_headers"]["patterns"] == [{"prefix": "portal-"}]
    assert filters["ext_authz"]["failure_mode_allow"] is False
    assert manager["common_http_protocol_options"]["headers_with_underscores_action"] == "DROP_HEADER"
    assert manager["route_config"]["virtual_hosts"][0]["request_headers_to_remove"] == ["authorization"]
