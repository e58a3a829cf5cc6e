"""The one rule for text that people type, and how text is shown whose writer knew no rule.

Letters, marks, digits, punctuation, symbols and spaces of every script are welcome. What acts on
a terminal or on the direction of a line is not, nor is a text in which there is nothing to see.
"""

from __future__ import annotations

import json
import re
import unicodedata

from portal.services.core.errors import InvalidInput

MOST_MARKS = 8
"""Combining marks in a row: pointed Hebrew has five and Tibetan stacks seven; more blot out a page."""

_JOINERS = "\u180e\u200b\u200c\u200d"
"""Mongolian's separator of vowels; zero-width space, non-joiner and joiner.

Mongolian, Khmer, Persian, Indic scripts and emoji are written with them.
"""

_SHOWN_FORMATS = frozenset(_JOINERS + "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol that look like spaces."""

_LINE_ENDS = "\t\n\r"
_ACTING = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_BLACK_FLAG = "\U0001f3f4"
_FLAG = re.compile(
    _BLACK_FLAG
    + "\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    + "|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
"""England, Scotland and Wales: the only emoji with tags that Unicode recommends; other tags just hide."""
_ACTS_IN_LINES = re.compile(f"({_FLAG.pattern})|[{_ACTING}]")
_ACTS_IN_A_LINE = re.compile(f"({_FLAG.pattern})|[{_ACTING}{_LINE_ENDS}]")


def check(text: str, code: str, field: str, *, lines: bool = False) -> None:
    """Raise InvalidInput with ``code`` for text that can't be shown; an empty one can.

    ``lines`` allows line ends and tabs. The details name the character that is in the way.
    """
    found = _first_refused(text, lines=lines)
    if found:
        raise InvalidInput(code, field, character=f"U+{ord(found):04X}")


def escaped(text: str, *, lines: bool = False) -> str:
    r"""The text with each character that acts, and is not seen, as an escape: ``\x1b``, ``\u202e``."""
    return (_ACTS_IN_LINES if lines else _ACTS_IN_A_LINE).sub(_escape, text)


def plain(text: str) -> str:
    """The text without such characters: what somebody looks for who has pasted one along."""
    return _ACTS_IN_A_LINE.sub(lambda match: match[1] or "", text)


def escaped_json(text: str) -> str:
    """JSON with each such character as JSON escapes it; what is read from it stays the same."""
    return _ACTS_IN_A_LINE.sub(lambda match: match[1] or json.dumps(match[0])[1:-1], text)


def _escape(match: re.Match[str]) -> str:
    return match[1] or match[0].encode("unicode_escape").decode()


def _first_refused(text: str, *, lines: bool) -> str | None:
    marks = 0
    for each in _FLAG.sub(_BLACK_FLAG, text):
        category = unicodedata.category(each)
        if not _may_stand(each, category, lines=lines):
            return each
        if category[0] == "M":
            marks += 1
        elif each not in _JOINERS:
            marks = 0
        if marks > MOST_MARKS:
            return each
    return None if not text or any(map(_is_seen, text)) else text[0]


def _may_stand(each: str, category: str, *, lines: bool) -> bool:
    if category[0] in "LMNPS" or category == "Zs":
        return True
    return each in _SHOWN_FORMATS or (lines and each in _LINE_ENDS)


def _is_seen(each: str) -> bool:
    return unicodedata.category(each)[0] in "LNPS" and each not in _BLANKS
