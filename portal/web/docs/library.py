"""The documentation as it is read: each page written once in a process, in each language.

One text, Markdown in ``templates/docs/text``, becomes the page, ``/docs.md`` and what the search
looks through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import current_app, render_template, url_for
from flask_babel import get_locale, gettext
from markupsafe import Markup

from portal.extensions import settings
from portal.web.docs import facts
from portal.web.docs.book import PAGES, START, Page
from portal.web.docs.examples import ANSWERS, FENCES, LANGUAGES, Example, written_in
from portal.web.docs.highlight import highlighted
from portal.web.docs.marked import Marked, Part, escaped, plain

_SHELF = "docs.library"
ROOTED = re.compile(r"\]\(/")
"""Where a link of the Markdown begins with the path, not with the host."""


@dataclass(frozen=True, slots=True)
class Written:
    """One page in the reader's language, with its examples in one language of programs."""

    page: Page
    title: str
    summary: str
    markdown: str
    html: Markup
    parts: tuple[Part, ...]


def read(page: Page, language: str) -> Written:
    """The page, written the first time that anybody asks."""
    shelf: dict[tuple[str, str, str], Written] = current_app.extensions.setdefault(_SHELF, {})
    place = (page.name, str(get_locale()), language)
    if place not in shelf:
        shelf[place] = _write(page, language)
    return shelf[place]


def read_all(language: str) -> list[Written]:
    """Every page, in reading order."""
    return [read(page, language) for page in PAGES.values()]


def path_of(page: Page, **values: Any) -> str:
    """The address of a page, on this host."""
    return (
        url_for("docs.index", **values) if page is START else url_for("docs.page", name=page.name, **values)
    )


def as_markdown(written: Written) -> str:
    """The page for those who read Markdown: with its title, and links that lead here from anywhere."""
    body = ROOTED.sub(f"]({settings.origin}/", plain(written.markdown))
    return f"# {written.title}\n\n{written.summary}\n\n{body.strip()}\n"


def _write(page: Page, language: str) -> Written:
    markdown = render_template(page.template, **facts.gather(), **_pens(language))
    marked = Marked(markdown)
    parts = tuple(marked.parts())
    html = marked.html(lambda info, text: _fence(page, language, info, text))
    return Written(page, gettext(page.title), gettext(page.summary), markdown, html, parts)


def _pens(language: str) -> dict[str, Any]:
    """What the texts write with, besides what they tell."""
    return {
        "md": escaped,
        "h2": lambda anchor, title: f"## {title} {{#{anchor}}}",
        "h3": lambda anchor, title: f"### {title} {{#{anchor}}}",
        "link": _link,
        "code": lambda text: f"`{text}`",
        "codes": lambda names: ", ".join(f"`{name}`" for name in names),
        "error": _error,
        "errors_of": lambda names: ", ".join(map(_error, names)),
        "fence": _fenced,
        "example": lambda name: _shown(written_in(name, language)),
        "answer": _answer,
    }


def _link(text: str, name: str, anchor: str = "") -> str:
    return f"[{text}]({path_of(PAGES[name], _anchor=anchor or None)})"


def _error(code: str) -> str:
    return _link(f"`{code}`", "errors", code)


def _fenced(kind: str, text: str) -> str:
    return f"```{kind}\n{text}\n```"


def _shown(example: Example) -> str:
    return _fenced(f"{FENCES[example.language]} {example.name}", example.text)


def _answer(name: str) -> str:
    status, text = ANSWERS[name]
    kind = "http" if text.startswith("Portal-") else "json"
    return _fenced(f"{kind} {status}", text.replace("{prefix}", settings.key_prefix))


def _fence(page: Page, language: str, info: str, text: str) -> str:
    kind, _, name = info.partition(" ")
    macros: Any = current_app.jinja_env.get_template("docs/_code.html").module
    lines = highlighted(kind, text.rstrip("\n"))
    if name.isdecimal():
        return str(macros.answer(name, lines))
    if name in facts.SHOWN:
        return str(macros.lines(f"leak-{name}", facts.SHOWN[name], lines))
    if not name:
        return str(macros.plain(lines))
    example = written_in(name, language)
    choices = [
        (label, path_of(page, lang=each, _anchor=f"example-{name}"), each == example.language)
        for each, label in LANGUAGES.items()
        if written_in(name, each).language == each
    ]
    return str(macros.example(example, lines, choices))
