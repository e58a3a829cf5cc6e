"""Whether GitHub has signed: vectors, and keys that come, go and can't be had (row 55)."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from portal.services.abuse import github_signatures
from portal.services.abuse.github_signatures import LARGEST, KeysUnavailable, SigningKeys, is_signed
from tests.support.clock import Clock
from tests.support.github import KeyServer, Signer, key_server, listing

BODY = b'[{"token":"some_token","type":"some_type","url":"some_url"}]'

# A body that GitHub itself has signed, with its key of that time; both are public.
GITHUBS_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq
kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==
-----END PUBLIC KEY-----
"""
GITHUBS_SIGNATURE = (
    "MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc="
)
SIGNER, OTHER = Signer(), Signer("second")


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server(listing(SIGNER)) as server:
        yield server


def has_signed(keys: SigningKeys, signer: Signer) -> bool:
    return keys.has_signed(BODY, signer.identifier, signer.signature(BODY))


def test_what_github_has_signed_is_signed() -> None:
    assert is_signed(GITHUBS_KEY, BODY, GITHUBS_SIGNATURE)


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (BODY + b"\n", GITHUBS_SIGNATURE),
        (BODY.replace(b"some_token", b"any_token2"), GITHUBS_SIGNATURE),
        (json.dumps(json.loads(BODY)).encode(), GITHUBS_SIGNATURE),
        (BODY, GITHUBS_SIGNATURE[:-8]),
        (BODY, GITHUBS_SIGNATURE.rstrip("=")),
        (BODY, GITHUBS_SIGNATURE[:40] + " " + GITHUBS_SIGNATURE[40:]),
        (BODY, b64encode(bytes(64)).decode()),
        (BODY, b64encode(bytes.fromhex("3006020100020100")).decode()),
        (BODY, ""),
        (BODY, "é"),
        (BODY, SIGNER.signature(BODY)),
    ],
    ids=[
        "a byte more", "other words", "written anew", "cut short", "without its padding", "with a space",
        "not DER", "of zeros", "empty", "not ASCII", "another's",
    ],
)  # fmt: skip
def test_anything_else_is_not(body: bytes, signature: str) -> None:
    assert not is_signed(GITHUBS_KEY, body, signature)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()], ids=lambda curve: str(curve.name))
def test_a_key_on_another_curve_signs_nothing(curve: ec.EllipticCurve) -> None:
    signer = Signer(curve=curve)

    assert not is_signed(signer.public["key"], BODY, signer.signature(BODY))
    assert not is_signed("no PEM", BODY, signer.signature(BODY))


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(listing(OTHER, SIGNER))
    keys = SigningKeys(str(path))

    assert has_signed(keys, SIGNER)
    assert has_signed(keys, OTHER)
    assert not keys.has_signed(BODY, OTHER.identifier, SIGNER.signature(BODY))
    assert not keys.has_signed(BODY, "x" * 1000, SIGNER.signature(BODY))


def test_keys_are_kept_for_half_an_hour(server: KeyServer, clock: Clock) -> None:
    keys = SigningKeys(server.url)
    for _ in range(3):
        assert has_signed(keys, SIGNER)
    assert server.asked == 1

    clock.forward(minutes=30)
    assert has_signed(keys, SIGNER)
    assert server.asked == 2


def test_an_unknown_key_is_looked_for_at_most_once_a_minute(server: KeyServer, clock: Clock) -> None:
    keys = SigningKeys(server.url)
    for number in range(20):
        assert not keys.has_signed(BODY, f"made up {number}", "x")
    assert server.asked == 1

    server.body = listing(SIGNER, OTHER)
    clock.forward(seconds=61)
    assert has_signed(keys, OTHER)
    assert server.asked == 2


def test_old_keys_serve_for_a_day_while_no_newer_ones_can_be_had(server: KeyServer, clock: Clock) -> None:
    keys = SigningKeys(server.url)
    assert has_signed(keys, SIGNER)

    server.status = 403
    clock.forward(hours=23)
    assert has_signed(keys, SIGNER)
    with pytest.raises(KeysUnavailable):
        has_signed(keys, OTHER)
    clock.forward(hours=2)
    with pytest.raises(KeysUnavailable):
        has_signed(keys, SIGNER)
    server.status = 200
    clock.forward(minutes=2)
    assert has_signed(keys, SIGNER)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b'{"public_keys": []}'),
        (200, b'{"public_keys": [{"key": "x"}]}'),
        (200, b'{"public_keys": [{"key_identifier": 1, "key": "x"}]}'),
        (200, b"[]"),
        (200, listing(SIGNER) + b" " * LARGEST),
        (302, listing(SIGNER)),
        (500, listing(SIGNER)),
    ],
    ids=["no JSON", "no keys", "no name", "a number", "a list", "too much", "elsewhere", "an error"],
)
def test_an_answer_that_is_none_makes_it_wait(server: KeyServer, status: int, body: bytes) -> None:
    server.status, server.body = status, body
    keys = SigningKeys(server.url)

    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            has_signed(keys, SIGNER)
    assert server.asked == 1


def test_a_slow_server_holds_few_threads_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()
    monkeypatch.setattr(github_signatures, "_fetch", lambda _: answers.wait(20) and listing(SIGNER))
    keys = SigningKeys("https://example.org/keys")

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(has_signed, keys, SIGNER) for _ in range(20)]
        told, held = wait(asked, timeout=1.0)
        answers.set()

    assert len(held) == github_signatures.MOST_WAITING
    assert all(each.result() for each in held)
    assert all(isinstance(each.exception(), KeysUnavailable) for each in told)


def test_known_keys_wait_for_no_slow_server(
    server: KeyServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = SigningKeys(server.url)
    assert has_signed(keys, SIGNER)
    clock.forward(minutes=31)
    answers, asked = threading.Event(), threading.Event()
    monkeypatch.setattr(
        github_signatures, "_fetch", lambda _: asked.set() or (answers.wait(20) and listing(SIGNER))
    )

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(has_signed, keys, SIGNER)
        assert asked.wait(10)
        second = pool.submit(has_signed, keys, SIGNER)
        told, _held = wait([second], timeout=5.0)
        answers.set()

    assert told == {second}
    assert first.result()
    assert second.result()


def test_a_server_that_is_not_there_makes_it_wait(server: KeyServer) -> None:
    gone = SigningKeys(server.url.replace("127.0.0.1", "127.0.0.2"))

    with pytest.raises(KeysUnavailable):
        has_signed(gone, SIGNER)
