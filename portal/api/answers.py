"""Good answers of the API."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel

from portal.http.headers import JSON_TYPE
from portal.http.kept import kept_if_short

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
KEPT_ANSWERS = 4096
"""Answers to good keys that a worker keeps written, of each kind."""
ACCEPTED = frozenset({"*/*", "application/*", JSON})
LONGEST_ACCEPT = 1000

PLAIN_ACCEPTS = frozenset({None, "", "*/*", JSON, "application/json, text/plain, */*"})
"""What clients send most; nothing else has to be read closely."""


def answer(body: BaseModel, status: int = 200) -> Response:
    """Make a JSON answer of a model."""
    return Response(body.model_dump_json(by_alias=True).encode(), status, content_type=JSON_TYPE)


def empty(status: int = 204) -> Response:
    """Make an answer with nothing in it."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


@kept_if_short(256, LONGEST_ACCEPT)
def is_acceptable(accept: str) -> bool:
    """Whether a client that sends this ``Accept`` takes JSON (RFC 9110, 12.5.1)."""
    best, quality = 0, 1.0 if not accept.strip() else 0.0
    for entry in accept[:LONGEST_ACCEPT].split(","):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        if media not in ACCEPTED:
            continue
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        precision = len(media)
        if precision >= best:
            best, quality = precision, _quality(weight)
    return quality > 0


def _quality(weight: str) -> float:
    try:
        return float(weight)
    except ValueError:
        return 0.0
