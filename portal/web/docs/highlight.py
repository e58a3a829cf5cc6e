"""Colours for the examples: comments, texts and words of the language, and nothing else of it."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_TEXTS = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`"
_WORDS = {
    "python": "import from with as for in def return if not try except class while else lambda",
    "js": "const let await async new for of if return import from function else",
    "go": "package import func var struct if defer return nil for range string int bool",
    "json": "true false null",
    "sh": "curl",
}
_COMMENTS = {"python": "#.*", "sh": "#.*", "toml": "#.*", "yaml": "#.*", "js": "//.*", "go": "//.*"}


def highlighted(kind: str, text: str) -> Markup:
    """The lines as HTML; the text of it stays what it was, to the letter."""
    marks = []
    if kind in _COMMENTS:
        marks.append(rf"(?P<remark>(?:^|(?<=\s)){_COMMENTS[kind]})")
    marks.append(f"(?P<text>{_TEXTS})")
    if kind in _WORDS:
        marks.append(rf"(?P<word>\b(?:{'|'.join(_WORDS[kind].split())})\b)")
    pieces, end = [], 0
    for found in re.finditer("|".join(marks), text, re.MULTILINE):
        name = found.lastgroup or ""
        pieces += [
            escape(text[end : found.start()]),
            Markup('<span class="{}">{}</span>').format(name, found[0]),
        ]
        end = found.end()
    return Markup("").join([*pieces, escape(text[end:])])
