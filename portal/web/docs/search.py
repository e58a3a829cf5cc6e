"""Search in the documentation: every word has to be there; what stands in a heading comes first."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from portal.web.docs.book import Page
from portal.web.docs.library import Written
from portal.web.docs.marked import Part

LONGEST = 100
"""Characters of a question that are looked at."""

MOST = 30
"""Places that are shown."""

AROUND = 90
"""Characters of an excerpt on each side of the first word that was found."""


@dataclass(frozen=True, slots=True)
class Found:
    """A place, and the words there, the found ones marked."""

    page: Page
    page_title: str
    anchor: str
    title: Markup
    excerpt: Markup


def search(pages: list[Written], question: str) -> list[Found]:
    """The places that have all the words of the question, best first."""
    words = question[:LONGEST].casefold().split()
    if not words:
        return []
    longest_first = sorted(words, key=len, reverse=True)
    marks = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
    ranked = [
        (rank, _found(written, part, marks))
        for written in pages
        for part in written.parts
        if (rank := _rank(written, part, words))
    ]
    return [found for _rank_, found in sorted(ranked, key=lambda each: -each[0])[:MOST]]


def _rank(written: Written, part: Part, words: list[str]) -> int:
    """How well a place fits: 0 when a word is missing."""
    title = (part.title or written.title).casefold()
    text = part.text.casefold() if part.id else f"{written.summary} {part.text}".casefold()
    if not all(word in title or word in text for word in words):
        return 0
    begins = 4 * (not part.id) + 12 * title.startswith(" ".join(words)) + 4 * (title == " ".join(words))
    return 1 + begins + sum(_weight(word, title, text) for word in words)


def _weight(word: str, title: str, text: str) -> int:
    """A whole word of the heading counts more than a piece of one, and that more than the text."""
    whole = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", title)
    return (6 if whole else 3 if word in title else 0) + min(3, text.count(word))


def _found(written: Written, part: Part, marks: re.Pattern[str]) -> Found:
    text = part.text if part.id else f"{written.summary} {part.text}"
    return Found(
        page=written.page,
        page_title=written.title,
        anchor=part.id,
        title=_marked(part.title or written.title, marks),
        excerpt=_marked(_excerpt(text, marks), marks),
    )


def _excerpt(text: str, marks: re.Pattern[str]) -> str:
    first = marks.search(text)
    at = first.start() if first else 0
    start, end = max(0, at - AROUND), at + 2 * AROUND
    if start:
        start = text.find(" ", start, at) + 1 or start
    cut = text[start:end]
    if end < len(text):
        cut = cut.rpartition(" ")[0] or cut
    return ("… " if start else "") + cut + (" …" if end < len(text) else "")


def _marked(text: str, marks: re.Pattern[str]) -> Markup:
    pieces, end = [], 0
    for found in marks.finditer(text):
        pieces += [escape(text[end : found.start()]), Markup("<mark>{}</mark>").format(found[0])]
        end = found.end()
    return Markup("").join([*pieces, escape(text[end:])])
