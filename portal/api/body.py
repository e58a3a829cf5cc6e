"""Bodies of requests: JSON objects in UTF-8 (RFC 8259, RFC 7493), strictly parsed, and read by models.

A byte order mark before them is passed over, as RFC 8259 (8.1) allows.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from functools import partial
from typing import Any, NoReturn, TypeVar

from flask import request
from pydantic import ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from portal.api.schemas import Request
from portal.services.core.errors import InvalidInput

Model = TypeVar("Model", bound=Request)
UTF8 = ("utf-8", "utf8")
"""The one character set, and how many write it."""

LONGEST_NUMBER = 100
"""Digits of a number that is still read; no field needs a tenth of it."""

NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""How JSON may write it: the backslash is not itself escaped."""


def read(model: type[Model], *, may_be_empty: bool = False) -> Model:
    """The object that was sent, as a model. Raises as :func:`read_object` and :func:`as_model`."""
    return as_model(model, read_object(may_be_empty=may_be_empty))


def as_model(model: type[Model], found: dict[str, Any]) -> Model:
    """An object as a model.

    Raises InvalidInput for the first fault, in the order of the model's fields: what the field's
    rule says, a code of ``model.codes``, ``<field>Missing``, or else ``fieldInvalid``.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
    said = fault.get("ctx", {}).get("error")
    if isinstance(said, InvalidInput):
        raise said
    kind, field = fault["type"], next(str(part) for part in reversed(fault["loc"]) if isinstance(part, str))
    usual = f"{field}Missing" if kind == "missing" else model.codes.get(field, "fieldInvalid")
    raise InvalidInput(model.codes.get(f"{field}.{kind}", usual), field)


def read_object(*, may_be_empty: bool = False) -> dict[str, Any]:
    """The object that was sent.

    Raises InvalidInput with ``postBodyMissing`` when there is none (``{}`` is none, unless it
    ``may_be_empty``), with ``bodyNotJson`` for what is not one JSON object: also for a name
    that stands twice, for NaN, for a number beyond bounds, for half a surrogate pair and for
    NUL. Raises UnsupportedMediaType for another type, charset or coding.
    """
    if not _is_json():
        if is_sent():
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


def is_sent() -> bool:
    """Whether the request has a body at all."""
    return bool(request.content_length) or "HTTP_TRANSFER_ENCODING" in request.environ


def parse(data: bytes) -> Any:
    """What JSON says, strictly read. Raises InvalidInput with ``bodyNotJson``."""
    try:
        text = data.decode("utf-8-sig")
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=partial(_bounded, int),
            parse_float=partial(_bounded, float),
        )
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidInput("bodyNotJson", "") from error
    if "\\u0000" in text and NUL.search(text):
        raise InvalidInput("bodyNotJson", "")
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


def _bounded(kind: type[int | float], digits: str) -> int | float:
    if len(digits) > LONGEST_NUMBER or math.isinf(float(digits)):
        raise ValueError("a number is beyond bounds")
    return kind(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
