"""What the levels are called: by the operator's own sentences, or the portal's in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext

from portal.extensions import settings
from portal.permissions import HIGHEST_LEVEL, LEVELS, Level


def sentence_of(number: int) -> str:
    """What a level may do, in words."""
    return settings.levels.get(number) or str(gettext(LEVELS[number].sentence))


def levels(highest: int = HIGHEST_LEVEL) -> tuple[Level, ...]:
    """The levels up to one, each in the reader's words: they are not to be translated again."""
    return tuple(Level(number, sentence_of(number)) for number in range(highest + 1))


def told(own: Mapping[int, str]) -> str:
    """The levels as a list in Markdown, for who reads the description of the API."""
    return "\n".join(f"- {level.number}: {own.get(level.number, level.sentence)}" for level in LEVELS)
