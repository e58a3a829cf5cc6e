"""Audiences: short names of services. A key may be bound to some; a service key is of one.

A key that is bound to audiences is good for nobody who asks in the name of another one, so that
a service can't use its visitor's key at its neighbour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from portal.models.key import AUDIENCES_LENGTH
from portal.services.core.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def parse_audiences(given: Iterable[str]) -> str:
    """Write audiences as they are kept: each once, in the order that was given.

    Raises InvalidInput with ``audiencesInvalid``, naming the first that is none, and with
    ``audiencesTooLong``.
    """
    kept: dict[str, None] = {}
    for text in filter(None, (each.strip() for each in given)):
        check_audience(text)
        kept[text] = None
    joined = " ".join(kept)
    if len(joined) > AUDIENCES_LENGTH:
        raise InvalidInput("audiencesTooLong", "audiences", maximum=AUDIENCES_LENGTH)
    return joined


def check_audience(text: str) -> None:
    """Raise InvalidInput, ``audiencesInvalid``, for what can't be the name of an audience."""
    if not _NAME.fullmatch(text):
        raise InvalidInput("audiencesInvalid", "audiences", value=text[:50])


def allows(audiences: str, asked: str) -> bool:
    """Whether a key with these audiences, as they are kept, is good for the one that asks."""
    return not audiences or asked in audiences.split(" ")


def are_within(audiences: str, bounds: str) -> bool:
    """Whether ``audiences`` allow none that ``bounds`` don't; both as they are kept."""
    return not bounds or (bool(audiences) and set(audiences.split(" ")) <= set(bounds.split(" ")))
