"""Bodies of requests: JSON objects in UTF-8 (RFC 8259, RFC 7493), strictly read.

A byte order mark before them is passed over, as RFC 8259 (8.1) allows.
"""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8
from typing import Any, NoReturn

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from portal.services.core.errors import InvalidInput

UTF8 = ("utf-8", "utf8")
"""The one character set, and how many write it."""

LONGEST_NUMBER = 100
"""Digits of a number that is still read; no field needs a tenth of it."""


def read_object(*, may_be_empty: bool = False) -> dict[str, Any]:
    """The object that was sent.

    Raises InvalidInput with ``postBodyMissing`` when there is none (``{}`` is none, unless it
    ``may_be_empty``), with ``bodyNotJson`` for what is not one JSON object: also for a name
    that stands twice, for NaN, for a number beyond bounds, for half a surrogate pair and for
    NUL. Raises UnsupportedMediaType for another type, charset or coding.
    """
    if not _is_json():
        if request.content_length or "HTTP_TRANSFER_ENCODING" in request.environ:
            raise UnsupportedMediaType
        raise InvalidInput("postBodyMissing", "")
    data = request.get_data(cache=False)
    if not data.removeprefix(BOM_UTF8).strip():
        raise InvalidInput("postBodyMissing", "")
    found = parse(data)
    if not isinstance(found, dict):
        raise InvalidInput("bodyNotJson", "")
    if not found and not may_be_empty:
        raise InvalidInput("postBodyMissing", "")
    return found


def read_optional() -> dict[str, Any]:
    """The object that was sent, or an empty one when there is no body. Raises as read_object."""
    if not request.content_length and "HTTP_TRANSFER_ENCODING" not in request.environ:
        return {}
    return read_object(may_be_empty=True)


def text(body: dict[str, Any], name: str) -> str | None:
    """A field that is text; None when it is not there. InvalidInput for anything else."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise InvalidInput("fieldInvalid", name)


def number(body: dict[str, Any], name: str) -> int | float | None:
    """A field that is a number, whole ones as int; None when it is none. True is no number."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == math.floor(value) else value


def parse(data: bytes) -> Any:
    """What JSON says, strictly read. Raises InvalidInput with ``bodyNotJson``."""
    try:
        found = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_bounded_int,
            parse_float=_bounded_float,
        )
        written = json.dumps(found, ensure_ascii=False)
        written.encode()
    except (ValueError, RecursionError) as error:
        raise InvalidInput("bodyNotJson", "") from error
    if "\\u0000" in written:
        _refuse_nul(found)
    return found


def parse_loosely(data: bytes) -> Any:
    """What JSON says, where one odd part must not take the rest along.

    Bytes that are no UTF-8 become U+FFFD, of a name that stands twice the last counts, and
    numbers lose their digits. Raises InvalidInput with ``bodyNotJson`` for what is no JSON at all.
    """
    try:
        return json.loads(data.decode("utf-8-sig", "replace"), parse_int=float)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("bodyNotJson", "") from error


def _is_json() -> bool:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    coding = request.headers.get("Content-Encoding", "identity").lower()
    return request.mimetype == "application/json" and charset in UTF8 and coding == "identity"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _bounded_int(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return int(digits)


def _bounded_float(digits: str) -> float:
    value = float(digits)
    if len(digits) > LONGEST_NUMBER or math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _refuse_nul(value: Any) -> None:
    if isinstance(value, dict):
        for name, each in value.items():
            _refuse_nul(name)
            _refuse_nul(each)
    elif isinstance(value, list):
        for each in value:
            _refuse_nul(each)
    elif isinstance(value, str) and "\0" in value:
        raise InvalidInput("bodyNotJson", "")
