"""What the levels open at the API behind the portal, in the operator's own sentences."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from config_values import ConfigurationError
from portal.permissions import LEVELS

LONGEST_SENTENCE = 60
KIND = (
    "PORTAL_LEVELS must be an object of JSON or a table of TOML: "
    '{"3": "Write patterns"} or 3 = "Write patterns".'
)


def levels_of(text: str) -> dict[int, str]:
    """The sentences by their levels; a level that is not named keeps the portal's own."""
    if not text:
        return {}
    try:
        pairs = json.loads(text, object_pairs_hook=list) if text.startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{KIND} It can't be read{_where(error)}.") from None
    told = list(pairs.items()) if isinstance(pairs, Mapping) else pairs
    wrong = [each for each in (_fault(number, sentence) for number, sentence in told) if each]
    if len({str(number).strip() for number, _ in told}) < len(told):
        wrong.append("A level stands there twice.")
    if wrong:
        raise ConfigurationError(f"PORTAL_LEVELS: {' '.join(wrong)}")
    return {int(number): sentence.strip() for number, sentence in told}


def _where(error: Exception) -> str:
    """The line, where it is known; what stands there may be anything and is not repeated."""
    line = getattr(error, "lineno", None)
    return f" (line {line})" if line else ""


def _fault(number: str, sentence: Any) -> str:
    if number not in {str(level.number) for level in LEVELS}:
        return f"{number[:20]!a} is no level; levels are 0 to {LEVELS[-1].number}."
    if not isinstance(sentence, str) or not sentence.strip():
        return f"Level {number} has no sentence."
    if not sentence.isprintable():
        return f"The sentence of level {number} has more than one line, or a character that can't be shown."
    if len(sentence) > LONGEST_SENTENCE:
        return f"The sentence of level {number} is longer than {LONGEST_SENTENCE} characters."
    return ""
