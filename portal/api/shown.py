"""What a request shows of a key: in its head, or in the form of a door of OAuth's (RFC 6749, 2.3.1)."""

from __future__ import annotations

from flask import request

from portal.api.answers import FORM
from portal.api.errors import OAUTH
from portal.http.credentials import are_same
from portal.runtime import runtime
from portal.services.verify.doorkeeper import Credentials

LONGEST_CLIENT_FORM = 4096
"""Bytes of a form that is read before anybody is let in; a client, its secret and a token need fewer."""


def shown(*, body_is_there: bool = True) -> Credentials | None:
    """The credentials of the request; None where it shows none, what is none, or two that differ.

    The body of whoever shows something in the head is not waited for.
    """
    found, is_in_head = runtime.key_headers.read(request.environ), shows_header()
    posted = _posted() if body_is_there or not is_in_head else None
    if posted is None:
        return found
    return posted if not is_in_head or are_same(found, posted) else None


def shows_header() -> bool:
    """Whether the head of the request shows anything at all."""
    return runtime.key_headers.are_there(request.environ)


def shows_something() -> bool:
    """Whether the request shows anything at all, in its head or its form."""
    return shows_header() or _posted() is not None


def _posted() -> Credentials | None:
    is_short = request.content_length is not None and request.content_length <= LONGEST_CLIENT_FORM
    if not (request.path in OAUTH and request.mimetype == FORM and is_short):
        return None
    secret = request.form.get("client_secret")
    return None if secret is None else Credentials(request.form.get("client_id"), secret)
