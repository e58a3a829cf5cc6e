"""The client's address comes only from trusted hops (row 13)."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from portal.http.proxy import canonical_ip_address
from tests.http.conftest import Guard

TRUSTED = "10.0.0.0/8, fd00::/8"
FORWARDED = "X-Forwarded-For"
SECRET = "Visitor7d02f9e4b6a8"


def seen(guard: Guard, header: str, peer: str, **headers: str) -> dict[str, str]:
    """What the application knows of a request; by ``header`` trusted proxies may tell it an address."""
    settings = {"PORTAL_TRUSTED_PROXIES": TRUSTED, "PORTAL_PROXY_HEADER": header} if header else {}
    answer = asked(guard(**settings), peer, headers)
    assert answer.json
    return dict(answer.json)


def headers_left(told: dict[str, str]) -> set[str]:
    return set(told["headers"].split())


def asked(app: Flask, peer: str, headers: dict[str, str]) -> TestResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().get("/api/thing", headers=sent, environ_overrides={"REMOTE_ADDR": peer})


@pytest.mark.parametrize("header", [FORWARDED, SECRET])
@pytest.mark.parametrize(
    ("peer", "told", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "nonsense, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1,10.0.0.2 , 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1%eth0", "::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8::5", "198.51.100.1", "2001:db8::5"),
    ],
)
def test_it_is_walked_from_the_right_over_trusted_hops(
    guard: Guard, header: str, peer: str, told: str, client: str
) -> None:
    assert seen(guard, header, peer, **{header: told})["address"] == client


@pytest.mark.parametrize("header", [FORWARDED, SECRET])
@pytest.mark.parametrize(
    "told",
    [
        "",
        " ",
        ",",
        "nonsense",
        "198.51.100.1,",
        "198.51.100.1, nonsense",
        "198.51.100.1, nonsense, 10.0.0.2",
        ", 10.0.0.2",
        "198.51.100.1, <script>",
        "unix:",
        "9" * 5000,
    ],
)
def test_who_tells_no_address_is_refused_and_not_taken_for_the_proxy(
    guard: Guard, header: str, told: str
) -> None:
    app = guard(PORTAL_TRUSTED_PROXIES=TRUSTED, PORTAL_PROXY_HEADER=header)

    assert asked(app, "10.0.0.1", {header: told}).status_code == 400
    assert asked(app, "203.0.113.9", {header: told}).status_code == 200, "of a stranger it is nothing"


def test_who_asks_past_the_proxy_is_itself_and_the_log_says_so_once(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(PORTAL_TRUSTED_PROXIES=TRUSTED, PORTAL_PROXY_HEADER=SECRET)

    answers = [asked(app, "10.0.0.1", {}).get_json()["address"] for _ in range(50)]
    asked(app, "10.0.0.2", {SECRET: "nonsense"})
    asked(app, "203.0.113.9", {})

    assert set(answers) == {"10.0.0.1"}
    told = [record.getMessage() for record in caplog.records if "PORTAL_PROXY_HEADER" in record.getMessage()]
    assert told == ["a request through 10.0.0.1: the header of PORTAL_PROXY_HEADER is not there"]


def test_only_the_header_that_is_named_is_believed(guard: Guard) -> None:
    forged = {FORWARDED: "198.51.100.1", "Forwarded": "for=198.51.100.1", "Visitor": "198.51.100.1"}

    assert seen(guard, SECRET, "10.0.0.1", **forged)["address"] == "10.0.0.1"
    assert seen(guard, SECRET, "10.0.0.1", **forged, **{SECRET: "192.0.2.1"})["address"] == "192.0.2.1"
    assert seen(guard, FORWARDED, "10.0.0.1", **{SECRET: "198.51.100.1"})["address"] == "10.0.0.1"


def test_without_trusted_proxies_nothing_is_believed(guard: Guard) -> None:
    forged = {FORWARDED: "198.51.100.1", "X-Forwarded-Proto": "https", SECRET: "198.51.100.1"}
    told = seen(guard, "", "10.0.0.1", **forged)

    assert (told["address"], told["scheme"]) == ("10.0.0.1", "http")


@pytest.mark.parametrize("header", [FORWARDED, SECRET])
@pytest.mark.parametrize("peer", ["10.0.0.1", "203.0.113.9"])
def test_other_headers_are_believed_from_nobody(guard: Guard, header: str, peer: str) -> None:
    told = seen(
        guard,
        header,
        peer,
        Forwarded="for=198.51.100.1;host=evil.example;proto=https",
        X_Real_IP="198.51.100.1",
        True_Client_IP="198.51.100.1",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Port="1",
        X_Forwarded_Prefix="/evil",
        X_Forwarded_Proto="https",
        X_Forwarded_Ssl="on",
    )

    assert (told["address"], told["scheme"], told["host"]) == (peer, "http", "localhost")
    assert headers_left(told) <= {"HTTP_HOST", "HTTP_USER_AGENT"}, "nor can anything below believe them"


@pytest.mark.parametrize("header", ["", FORWARDED, SECRET])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_scheme_is_that_of_the_base_url(guard: Guard, header: str, scheme: str) -> None:
    settings = {"PORTAL_TRUSTED_PROXIES": TRUSTED, "PORTAL_PROXY_HEADER": header} if header else {}
    app = guard(PORTAL_BASE_URL=f"{scheme}://localhost", **settings)

    for other in ("http", "https"):
        answer = asked(app, "10.0.0.1", {"X-Forwarded-Proto": other, header or "X-A": "192.0.2.1"})
        assert answer.get_json()["scheme"] == scheme


@pytest.mark.parametrize(
    ("header", "peer", "left"),
    [
        (FORWARDED, "10.0.0.1", {"HTTP_X_FORWARDED_METHOD", "HTTP_X_ORIGINAL_METHOD"}),
        (FORWARDED, "203.0.113.9", set()),
        (SECRET, "10.0.0.1", set()),
        ("", "10.0.0.1", set()),
    ],
)
def test_a_method_is_told_in_headers_only_where_no_twin_of_them_comes_through(
    guard: Guard, header: str, peer: str, left: set[str]
) -> None:
    told = {"X-Forwarded-Method": "GET", "X-Original-Method": "GET"}

    assert {each for each in headers_left(seen(guard, header, peer, **told)) if "METHOD" in each} == left


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_whatever_a_client_writes_before_changes_nothing(guard: Guard, left: str) -> None:
    told = seen(guard, FORWARDED, "10.0.0.1", X_Forwarded_For=f"{left}, 198.51.100.1")

    assert told["address"] == "198.51.100.1"


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_an_address_is_canonical_or_none(text: str) -> None:
    address = canonical_ip_address(text)

    assert canonical_ip_address(address) == address


@pytest.mark.parametrize("text", ["", "unix:", "localhost", "1.2.3", "01.2.3.4", "::g", "1.2.3.4/8", "[::1"])
def test_what_is_no_address_is_empty(text: str) -> None:
    assert canonical_ip_address(text) in {"", "::1"}
