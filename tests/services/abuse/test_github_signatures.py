"""Whether GitHub has signed: vectors, and keys that come, go and can't be had (row 55)."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from time import perf_counter

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from portal import clock as times
from portal.services.abuse import github_signatures
from portal.services.abuse.github_signatures import (
    FRESH,
    LARGEST,
    KeysUnavailable,
    has_signed,
    is_signed,
    read_keys,
)
from portal.services.usage import moments
from tests.conftest import MakeApp, StartServer, close_app
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.github import KeyServer, Signer, key_server, listing
from tests.support.waiting import wait_until

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


Ask = Callable[..., bool]


@pytest.fixture
def signed(app: Flask, server: KeyServer) -> Ask:
    """Whether GitHub has signed, as a request sees it: it reads the database and asks nobody."""

    def ask(signer: Signer, source: str = "", identifier: str = "") -> bool:
        asked, signature = server.asked, signer.signature(BODY)
        with app.app_context():
            try:
                return has_signed(source or server.url, BODY, identifier or signer.identifier, signature)
            finally:
                assert server.asked == asked

    return ask


@pytest.fixture
def read(app: Flask, server: KeyServer) -> Callable[..., None]:
    """Look at the source, as the jobs do."""

    def look(source: str = "") -> None:
        with app.app_context():
            read_keys(source or server.url)

    return look


Read = Callable[..., None]


def test_keys_come_from_a_file(tmp_path: Path, signed: Ask, read: Read) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(listing(OTHER, SIGNER))
    read(str(path))

    assert signed(SIGNER, str(path))
    assert signed(OTHER, str(path))
    assert not signed(SIGNER, str(path), OTHER.identifier)
    for made_up in ("x" * 1000, "made up", "é", "\x00", "a\nb", "\ud800"):
        assert not signed(SIGNER, str(path), made_up)
    with pytest.raises(KeysUnavailable):
        signed(SIGNER)  # they are not the keys of another source


def test_before_the_first_look_it_is_asked_to_wait(signed: Ask) -> None:
    with pytest.raises(KeysUnavailable):
        signed(SIGNER)


def test_a_key_that_is_not_listed_any_more_is_forgotten(server: KeyServer, signed: Ask, read: Read) -> None:
    server.body = listing(SIGNER, OTHER)
    read()
    assert signed(SIGNER)

    server.body = listing(OTHER)
    read()
    assert not signed(SIGNER)
    assert signed(OTHER)


def test_an_unknown_key_is_refused_only_after_a_recent_look(
    server: KeyServer, signed: Ask, read: Read, clock: Clock
) -> None:
    read()
    clock.forward(seconds=FRESH.seconds - 1)
    assert not signed(OTHER)
    clock.forward(seconds=1)
    with pytest.raises(KeysUnavailable):
        signed(OTHER)
    assert signed(SIGNER)


def test_old_keys_serve_for_a_day_while_no_newer_ones_can_be_had(
    server: KeyServer, signed: Ask, read: Read, clock: Clock
) -> None:
    read()
    server.status = 403
    clock.forward(hours=23)
    read()
    assert signed(SIGNER)
    clock.forward(hours=1)
    read()
    with pytest.raises(KeysUnavailable):
        signed(SIGNER)
    server.status = 200
    read()
    assert signed(SIGNER)


@pytest.mark.parametrize(
    ("ahead", "serves"),
    [(timedelta(seconds=9), True), (timedelta(hours=1), False), (timedelta(days=365), False)],
    ids=["within what clocks may differ", "an hour", "a year"],
)
def test_keys_that_a_clock_ahead_has_read_do_not_serve_the_longer(
    database: Database, signed: Ask, read: Read, clock: Clock, ahead: timedelta, serves: bool
) -> None:
    clock.stop()
    read()
    moment = times.to_ms(clock.now() + ahead)
    database.execute("UPDATE github_keys SET read_at = :moment", moment=moment)

    if serves:
        assert signed(SIGNER)
    else:
        with pytest.raises(KeysUnavailable):
            signed(SIGNER)


def test_keys_that_had_their_day_stay_without_it_after_a_restart_with_the_clock_set_back(
    app: Flask, make_app: MakeApp, server: KeyServer, signed: Ask, read: Read, clock: Clock
) -> None:
    read()
    clock.forward(hours=25)
    with app.app_context():
        moments.keep_now()
    clock.back(hours=25)
    close_app(app)
    times.forget()

    with make_app().app_context(), pytest.raises(KeysUnavailable):
        has_signed(server.url, BODY, SIGNER.identifier, SIGNER.signature(BODY))


def test_a_look_while_another_one_hangs_does_not_wait_for_it(
    server: KeyServer, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_signatures, "TIMEOUT", 0.5)
    server.drips = threading.Event()
    read()
    monkeypatch.setattr(github_signatures, "TIMEOUT", 30.0)
    begun = perf_counter()
    read()
    assert perf_counter() - begun < 10.0
    server.drips.set()
    wait_until(lambda: not github_signatures._one_at_a_time.locked())


def test_a_look_that_could_not_begin_keeps_no_later_one_out(
    signed: Ask, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            read()

    read()

    assert signed(SIGNER)


def no_thread(_self: threading.Thread) -> None:
    """What the system says when it has none left."""
    raise RuntimeError("can't start new thread")


DEEP = b'{"public_keys": ' + b"[" * 60_000


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"\xff\xfe"),
        (200, DEEP),
        (200, b'{"public_keys": []}'),
        (200, b'{"public_keys": [{"key": "x"}]}'),
        (200, b'{"public_keys": [{"key_identifier": 1, "key": "x"}]}'),
        (200, b'{"public_keys": [{"key_identifier": "x", "key": "a\\u0000"}]}'),
        (200, b'{"public_keys": [{"key_identifier": "\\ud800", "key": "a"}]}'),
        (200, b'{"public_keys": [{"key_identifier": "' + b"x" * 201 + b'", "key": "a"}]}'),
        (200, b"[]"),
        (200, listing(OTHER) + b" " * LARGEST),
        (302, listing(OTHER)),
        (500, listing(OTHER)),
    ],
    ids=[
        "no JSON", "no text", "too deep", "no keys", "no name", "a number", "a NUL", "half a character",
        "a long name", "a list", "too much", "elsewhere", "an error",
    ],
)  # fmt: skip
def test_an_answer_that_is_none_changes_nothing(
    server: KeyServer, signed: Ask, read: Read, status: int, body: bytes
) -> None:
    read()
    server.status, server.body = status, body
    asked = server.asked
    read()

    assert server.asked == asked + 1
    assert signed(SIGNER)
    assert not signed(OTHER)


def test_a_source_that_drips_is_left_and_asked_again_when_it_is_done(
    server: KeyServer, signed: Ask, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_signatures, "TIMEOUT", 0.5)
    server.drips = threading.Event()
    begun = perf_counter()
    read()
    assert perf_counter() - begun < 5.0

    read()
    assert server.asked == 1, "one answer at a time is waited for"
    server.drips.set()
    server.drips = None
    wait_until(lambda: not github_signatures._one_at_a_time.locked())
    monkeypatch.undo()
    read()
    assert signed(SIGNER)


def test_a_server_that_is_not_there_changes_nothing(server: KeyServer, signed: Ask, read: Read) -> None:
    gone = server.url.replace("127.0.0.1", "127.0.0.2")
    read(gone)

    with pytest.raises(KeysUnavailable):
        signed(SIGNER, gone)


@pytest.mark.timeout(120)
def test_the_jobs_read_the_keys_and_workers_ask_nobody(
    server: KeyServer, start_server: StartServer, database: Database
) -> None:
    """Jobs, workers and source are processes of their own; the source is asked once, and then is down."""
    portal = start_server(PORTAL_GITHUB_KEYS=server.url, PORTAL_WORKERS="2", PORTAL_LIMITS_ENABLED="false")
    wait_until(lambda: report(portal.url, SIGNER) == 200, 30)
    asked = server.asked
    server.status = 500

    answers = {report(portal.url, Signer(f"made-up-{number}")) for number in range(20)}

    assert answers == {400}
    assert report(portal.url, SIGNER) == 200
    assert (server.asked, asked) == (1, 1)

    server.status, server.body = 200, listing(OTHER)
    database.execute("UPDATE job_leases SET leased_until = 0 WHERE name = 'github-keys'")
    wait_until(lambda: report(portal.url, OTHER) == 200, 30)
    assert report(portal.url, SIGNER) == 400


def report(url: str, signer: Signer) -> int:
    request = urllib.request.Request(f"{url}/api/leaks/github", data=b"[]", headers=signer.headers(b"[]"))
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
