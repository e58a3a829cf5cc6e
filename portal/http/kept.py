"""What is kept of what strangers send: never more than so many short texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

Found = TypeVar("Found")
Question = Callable[[str], Found]


def kept_if_short(most: int, longest: int) -> Callable[[Question[Found]], Question[Found]]:
    """Keep the last ``most`` answers about texts of up to ``longest`` characters.

    A count alone bounds no memory: of a thousand headers each may have 60 kB. What is longer
    is seldom sent in good faith, and is worked out each time.
    """

    def decorate(function: Question[Found]) -> Question[Found]:
        kept = lru_cache(most)(function)

        @wraps(function)
        def ask(text: str) -> Found:
            return kept(text) if len(text) <= longest else function(text)

        return ask

    return decorate
