"""GitHub, as the receiver of its reports knows it: it signs, and publishes its public keys."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Headers = dict[str, str]


class Signer:
    """One of its keys; ``identifier`` is the key's name."""

    def __init__(self, identifier: str = "first", curve: ec.EllipticCurve | None = None) -> None:
        self.identifier = identifier
        self._key = ec.generate_private_key(curve or ec.SECP256R1())

    @property
    def public(self) -> dict[str, Any]:
        """The public key, as GitHub lists it."""
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {"key_identifier": self.identifier, "key": pem.decode(), "is_current": True}

    def signature(self, body: bytes) -> str:
        """Sign a body: base64 of DER."""
        return b64encode(self._key.sign(body, ec.ECDSA(SHA256()))).decode()

    def headers(self, body: bytes) -> Headers:
        """What GitHub sends with a body."""
        return {
            "Content-Type": "application/json",
            "Github-Public-Key-Identifier": self.identifier,
            "Github-Public-Key-Signature": self.signature(body),
        }


def listing(*signers: Signer) -> bytes:
    """The list of the public keys."""
    return json.dumps({"public_keys": [each.public for each in signers]}).encode()


class KeyServer:
    """Serves the list of public keys; ``status`` and ``body`` may be changed, ``asked`` counts.

    While it ``drips``, it sends a header now and then until the event is set.
    """

    def __init__(self, body: bytes) -> None:
        self.body, self.status, self.asked, self.url = body, 200, 0, ""
        self.drips: Event | None = None


@contextmanager
def key_server(body: bytes) -> Iterator[KeyServer]:
    """Serve a list of keys on a loopback port while the block runs."""
    state = KeyServer(body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the standard library looks for
            """Answer with what is to be answered now."""
            state.asked += 1
            self.send_response(state.status)
            if state.status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(state.body)))
            while state.drips and not state.drips.wait(0.1):
                self.send_header("X-Not-Yet", "wait")
                self.flush_headers()
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/keys"
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
