"""Markdown into what a page of the portal is made of: anchors, tables that fit a phone, lines to copy.

Nothing in the Markdown is taken as HTML: whatever stands in it is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

ANCHOR = re.compile(r"\s*\{#([\w-]+)\}$")
"""Behind a heading: its id, as Pandoc and kramdown write it."""

NOTES = re.compile(r"^(#+ .*?)\s*\{#[\w-]+\}$|^(```\w+) \S+$", re.MULTILINE)
"""The ids of headings, and what stands behind the language of lines of code."""

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
Fence = Callable[[str, str], str]
"""Makes the HTML of lines of code, from the word behind the fence and the lines."""


@dataclass(frozen=True, slots=True)
class Part:
    """What stands under one heading: its id, the heading, and the text without any marks."""

    id: str
    title: str
    depth: int
    text: str


def escaped(text: object) -> str:
    """A text in which Markdown sees no marks."""
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def plain(markdown: str) -> str:
    """The Markdown as people read it: without what it says to this module alone."""
    return NOTES.sub(lambda found: found[1] or found[2], markdown)


class Marked:
    """One text, read once."""

    def __init__(self, markdown: str) -> None:
        self._parser = MarkdownIt("commonmark", {"html": False}).enable("table")
        self._tokens = self._parser.parse(markdown)
        _name_headings(self._tokens)

    def html(self, fence: Fence) -> Markup:
        """The HTML of it; ``fence`` makes that of its lines of code."""
        _dress_tables(self._tokens)
        rules: dict[str, Any] = self._parser.renderer.rules  # type: ignore[attr-defined]  # of its own renderer
        rules["fence"] = lambda tokens, at, _options, _env: fence(tokens[at].info, tokens[at].content)
        rules["table_open"] = lambda *_: '<div class="card"><table class="table">\n'
        rules["table_close"] = lambda *_: "</table></div>\n"
        return Markup(self._parser.renderer.render(self._tokens, self._parser.options, {}))  # noqa: S704  # escaped by the parser

    def parts(self) -> Iterator[Part]:
        """What stands under each heading, its code at the end; first what has neither id nor title."""
        anchor, title, depth = "", "", 1
        said, lines = list[str](), list[str]()
        for at, token in enumerate(self._tokens):
            if token.type == "heading_open":
                yield Part(anchor, title, depth, _joined(said + lines))
                anchor, title = str(token.attrs.get("id", "")), _said(self._tokens[at + 1])
                depth, said, lines = int(token.tag[1:]), [], []
            elif token.type == "fence":
                lines.append(token.content)
            elif token.type == "inline" and self._tokens[at - 1].type != "heading_open":
                said.append(_said(token))
        yield Part(anchor, title, depth, _joined(said + lines))


def _name_headings(tokens: Sequence[Token]) -> None:
    for at, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        for child in (tokens[at + 1].children or [])[-1:]:
            if found := ANCHOR.search(child.content):
                token.attrSet("id", found[1])
                child.content = child.content[: found.start()]


def _dress_tables(tokens: Sequence[Token]) -> None:
    """Head each row by its first cell, and give every other cell the name of its column, for phones."""
    columns: list[str] = []
    column = 0
    for at, token in enumerate(tokens):
        if token.type == "thead_open":
            columns = []
        elif token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            columns.append(_said(tokens[at + 1]))
            token.attrs = {"scope": "col"}
        elif token.type == "td_open":
            token.attrs = {"data-label": columns[column]} if column else {"scope": "row"}
            token.tag = "td" if column else "th"
            column += 1
        elif token.type == "td_close":
            token.tag = "td" if column > 1 else "th"


def _said(token: Token) -> str:
    return "".join(
        " " if child.type in {"softbreak", "hardbreak"} else child.content for child in token.children or ()
    ).strip()


def _joined(said: list[str]) -> str:
    return " ".join(" ".join(said).split())
