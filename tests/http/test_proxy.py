"""The client's address comes only from trusted hops (row 13)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.http.proxy import canonical_address
from tests.http.conftest import Guard

TRUSTED = "10.0.0.0/8, fd00::/8"


def seen(guard: Guard, trusted: str, peer: str, **headers: str) -> dict[str, str]:
    client = guard(PORTAL_TRUSTED_PROXIES=trusted).test_client()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.get("/api/thing", headers=sent, environ_overrides={"REMOTE_ADDR": peer})
    assert answer.json
    return dict(answer.json)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1,10.0.0.2 , 10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1, <script>", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1%eth0", "::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8::5", "198.51.100.1", "2001:db8::5"),
    ],
)
def test_it_is_walked_from_the_right_over_trusted_hops(
    guard: Guard, peer: str, forwarded: str, client: str
) -> None:
    assert seen(guard, TRUSTED, peer, X_Forwarded_For=forwarded)["address"] == client


def test_without_trusted_proxies_nothing_is_believed(guard: Guard) -> None:
    told = seen(guard, "", "10.0.0.1", X_Forwarded_For="198.51.100.1", X_Forwarded_Proto="https")

    assert (told["address"], told["scheme"]) == ("10.0.0.1", "http")


@pytest.mark.parametrize("peer", ["10.0.0.1", "203.0.113.9"])
def test_other_headers_are_believed_from_nobody(guard: Guard, peer: str) -> None:
    told = seen(
        guard,
        TRUSTED,
        peer,
        Forwarded="for=198.51.100.1;host=evil.example;proto=https",
        X_Real_IP="198.51.100.1",
        True_Client_IP="198.51.100.1",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Port="1",
        X_Forwarded_Prefix="/evil",
        X_Forwarded_Ssl="on",
    )

    assert (told["address"], told["scheme"], told["host"]) == (peer, "http", "localhost")


@pytest.mark.parametrize(
    ("peer", "given_scheme", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "HTTPS", "https"),
        ("10.0.0.1", "http, https", "https"),
        ("10.0.0.1", "javascript", "http"),
        ("203.0.113.9", "https", "http"),
    ],
)
def test_the_scheme_comes_from_a_trusted_peer(
    guard: Guard, peer: str, given_scheme: str, scheme: str
) -> None:
    assert seen(guard, TRUSTED, peer, X_Forwarded_Proto=given_scheme)["scheme"] == scheme


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_whatever_a_client_writes_before_changes_nothing(guard: Guard, left: str) -> None:
    told = seen(guard, TRUSTED, "10.0.0.1", X_Forwarded_For=f"{left}, 198.51.100.1")

    assert told["address"] == "198.51.100.1"


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_an_address_is_canonical_or_none(text: str) -> None:
    address = canonical_address(text)

    assert canonical_address(address) == address


@pytest.mark.parametrize("text", ["", "unix:", "localhost", "1.2.3", "01.2.3.4", "::g", "1.2.3.4/8", "[::1"])
def test_what_is_no_address_is_empty(text: str) -> None:
    assert canonical_address(text) in {"", "::1"}
