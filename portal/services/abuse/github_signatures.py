"""Has GitHub signed this? ECDSA on P-256 with SHA-256, over the raw bytes of the body.

The jobs read the public keys from a URL or a file, as
``{"public_keys": [{"key_identifier": …, "key": <PEM>, "is_current": …}]}``, and keep them in the
database; a request only looks them up. All that are listed count: GitHub lists a key as long as it
may still have signed with it, and one that is not listed any more is forgotten.
"""

from __future__ import annotations

import json
import logging
import time
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import delete, insert, select

from portal import clock
from portal.extensions import db
from portal.models.github_key import LONGEST_IDENTIFIER, GithubKey
from portal.services.core.transaction import transaction

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=5)
"""Between two looks at the source, whoever asks for what: twelve of the sixty an hour that GitHub allows."""

FRESH = 2 * EVERY
"""So long after a look, a key that it did not show is known not to be GitHub's."""

LONGEST_KEPT = timedelta(hours=24)
"""How long known keys serve while no newer ones can be had."""

LEEWAY = timedelta(milliseconds=clock.LEEWAY_MS)
"""How far ahead of ours the clock of the machine may be that looked."""

TIMEOUT = 10.0
"""Seconds that the source has for all of its answer."""

LARGEST = 64 * 1024

_one_at_a_time = Lock()


class KeysUnavailable(Exception):
    """The public keys can't be had at the moment; ask again later."""


def has_signed(source: str, body: bytes, identifier: str, signature: str) -> bool:
    """Whether the key of this identifier has made this signature, which is base64 of DER.

    Raises KeysUnavailable when that can't be known now.
    """
    if not _is_identifier(identifier):
        return False
    known = db.session.scalars(select(GithubKey).where(GithubKey.source == source)).all()
    now = clock.utcnow()  # after the look: a first connection tells of the latest moment that was seen
    ages = {key: now - key.read_at for key in known if key.read_at <= now + LEEWAY}
    keys = {key.identifier: key for key, age in ages.items() if age < LONGEST_KEPT}
    if identifier in keys:
        return is_signed(keys[identifier].pem, body, signature)
    if not any(age < FRESH for age in ages.values()):
        raise KeysUnavailable
    return False


def read_keys(source: str) -> None:
    """Look at the source and keep just what it lists; when it fails, what is known stays. For the jobs."""
    keys = _read_in_time(source)
    if not keys:
        return
    now = clock.utcnow()
    rows = [{"identifier": name, "pem": pem, "source": source, "read_at": now} for name, pem in keys.items()]
    with transaction() as session:
        session.execute(delete(GithubKey))
        session.execute(insert(GithubKey), rows)


def parse(data: bytes) -> dict[str, str]:
    """The keys as PEM, by their identifiers. Raises ValueError, LookupError, TypeError or RecursionError."""
    found: Any = json.loads(data)
    keys = {each["key_identifier"]: each["key"] for each in found["public_keys"]}
    if not keys or not all(_is_identifier(name) and _is_pem(pem) for name, pem in keys.items()):
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


def _is_identifier(name: Any) -> bool:
    is_word = isinstance(name, str) and name.isascii() and name.isprintable()
    return is_word and 0 < len(name) <= LONGEST_IDENTIFIER


def _is_pem(text: Any) -> bool:
    return isinstance(text, str) and text.isascii() and "\0" not in text


def _read_in_time(source: str) -> dict[str, str]:
    """Read the source in a thread, since no timeout of a socket ends an answer that drips."""
    found: Queue[dict[str, str]] = Queue()
    Thread(target=_read_into, args=(found, source), daemon=True).start()
    try:
        return found.get(timeout=TIMEOUT)
    except Empty:
        log.warning("no public keys of GitHub: no answer in time")
        return {}


def _read_into(found: Queue[dict[str, str]], source: str) -> None:
    keys: dict[str, str] = {}
    if not _one_at_a_time.acquire(blocking=False):
        log.warning("no public keys of GitHub: the last look has not ended")
        found.put(keys)
        return
    try:
        keys = parse(_read(source))
    except Exception as error:  # noqa: BLE001  # nothing that the source sends stops the other jobs
        log.warning("no public keys of GitHub: %s", type(error).__name__)
    finally:
        _one_at_a_time.release()
        found.put(keys)


def _read(source: str) -> bytes:
    if "://" not in source:
        with Path(source).open("rb") as file:
            return _bounded(file)
    asked = Request(source, headers={"Accept": "application/json", "User-Agent": "Chatelaine"})  # noqa: S310  # a setting, checked when it is read
    with build_opener(_NoRedirects).open(asked, timeout=TIMEOUT) as answer:
        return _bounded(answer)


def _bounded(file: Any) -> bytes:
    """All that it gives, in time. Raises ValueError for more than a list of public keys takes."""
    data, end = b"", time.monotonic() + TIMEOUT
    while chunk := file.read1(LARGEST):
        data += chunk
        if len(data) > LARGEST or time.monotonic() > end:
            raise ValueError("more than public keys take")
    return data


class _NoRedirects(HTTPRedirectHandler):
    """The keys are what we trust: they come from the address that was set, or not at all."""

    def redirect_request(self, *_args: Any) -> None:
        """Follow nothing; the answer becomes an error."""
