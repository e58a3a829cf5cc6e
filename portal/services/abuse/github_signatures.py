"""Has GitHub signed this? ECDSA on P-256 with SHA-256, over the raw bytes of the body.

The public keys come from a URL or a file, as
``{"public_keys": [{"key_identifier": …, "key": <PEM>, "is_current": …}]}``. All that are
listed count: GitHub lists a key as long as it may still have signed with it.
"""

from __future__ import annotations

import json
import logging
import threading
from base64 import b64decode
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from portal import clock

log = logging.getLogger(__name__)

KEPT_MS = 30 * 60 * 1000
PAUSE_MS = 60 * 1000
"""At least this long between two looks, so that made-up identifiers cause no flood of them."""

LONGEST_KEPT_MS = 24 * 60 * 60 * 1000
"""How long known keys serve while no newer ones can be had."""

TIMEOUT = 5.0
"""Seconds."""

MOST_WAITING = 4
"""Threads that wait for the keys at once, so that a slow source leaves the others to everybody else."""

LARGEST = 64 * 1024
LONGEST_IDENTIFIER = 200


class KeysUnavailable(Exception):
    """The public keys can't be had at the moment; ask again later."""


class SigningKeys:
    """The public keys that GitHub signs with, by their identifiers; safe to share between threads."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._room = threading.Semaphore(MOST_WAITING)
        self._keys: dict[str, str] = {}
        self._read_at = self._tried_at = -LONGEST_KEPT_MS
        self._has_failed = False

    def has_signed(self, body: bytes, identifier: str, signature: str) -> bool:
        """Whether the key of this identifier has made this signature, which is base64 of DER.

        Raises KeysUnavailable when that can't be known now.
        """
        pem = self._find(identifier) if len(identifier) <= LONGEST_IDENTIFIER else None
        return pem is not None and is_signed(pem, body, signature)

    def _find(self, identifier: str) -> str | None:
        now, known = clock.now_ms(), self._keys
        if identifier in known and now - self._read_at < KEPT_MS:
            return known[identifier]
        if identifier in known and self._lock.locked() and now - self._read_at < LONGEST_KEPT_MS:
            return known[identifier]  # another thread looks for newer ones
        if not self._room.acquire(blocking=False):
            raise KeysUnavailable
        try:
            with self._lock:
                return self._find_or_look(identifier, now)
        finally:
            self._room.release()

    def _find_or_look(self, identifier: str, now: int) -> str | None:
        wants_look = identifier not in self._keys or now - self._read_at >= KEPT_MS
        if wants_look and now - self._tried_at >= PAUSE_MS:
            self._look(now)
        is_too_old = now - self._read_at >= LONGEST_KEPT_MS
        if is_too_old or (identifier not in self._keys and self._has_failed):
            raise KeysUnavailable
        return self._keys.get(identifier)

    def _look(self, now: int) -> None:
        self._tried_at = now
        try:
            self._keys = parse(_fetch(self._source))
        except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
            self._has_failed = True
            log.warning("no public keys of GitHub: %s", type(error).__name__)
            return
        self._has_failed, self._read_at = False, now


def parse(data: bytes) -> dict[str, str]:
    """The keys as PEM, by their identifiers. Raises ValueError, LookupError or TypeError."""
    found: Any = json.loads(data)
    keys = {each["key_identifier"]: each["key"] for each in found["public_keys"]}
    if not keys or not all(isinstance(each, str) for pair in keys.items() for each in pair):
        raise ValueError("no keys, or none that are texts")
    return keys


def is_signed(pem: str, body: bytes, signature: str) -> bool:
    """Whether the key has made this signature of the body; False for a key on another curve."""
    try:
        key = load_pem_public_key(pem.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            return False
        key.verify(b64decode(signature, validate=True), body, ec.ECDSA(SHA256()))
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return False
    return True


def is_url(source: str) -> bool:
    """Whether the keys are to be fetched, and not read from a file."""
    return source.startswith(("https://", "http://"))


def _fetch(source: str) -> bytes:
    if not is_url(source):
        with Path(source).open("rb") as file:
            return _bounded(file)
    asked = Request(source, headers={"Accept": "application/json", "User-Agent": "Chatelaine"})  # noqa: S310  # a setting, checked when it is read
    with build_opener(_NoRedirects).open(asked, timeout=TIMEOUT) as answer:
        return _bounded(answer)


def _bounded(file: IO[bytes]) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError("more than public keys take")
    return data


class _NoRedirects(HTTPRedirectHandler):
    """The keys are what we trust: they come from the address that was set, or not at all."""

    def redirect_request(self, *_args: Any) -> None:
        """Follow nothing; the answer becomes an error."""
