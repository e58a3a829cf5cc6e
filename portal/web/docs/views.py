"""The pages that explain the API, made of the same tables that the API is made of."""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.extensions import settings
from portal.web.docs import library
from portal.web.docs.book import CHAPTERS, MOVED, PAGES, START, Page, neighbours
from portal.web.docs.examples import FIRST, LANGUAGES
from portal.web.docs.search import LONGEST, search

COOKIE = "docs-language"
A_YEAR = 365 * 24 * 60 * 60

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
def index() -> str:
    """Show the first page; anybody may read it."""
    return _show(START)


@blueprint.get("/docs/<name>")
def page(name: str) -> ResponseReturnValue:
    """Show one page; anybody may read it."""
    found = _page(name)
    return redirect(url_for("docs.index")) if found is START else _show(found)


@blueprint.get("/docs/search")
def find() -> str:
    """Show the places that have the words of ``?q=``."""
    question = request.args.get("q", "").strip()[:LONGEST]
    found = search(library.read_all(language()), question)
    return render_template("docs/search.html", question=question, found=found, **_frame(None))


@blueprint.get("/docs.md")
def markdown() -> Response:
    """The whole documentation as one text in Markdown."""
    texts = [library.as_markdown(written) for written in library.read_all(language())]
    return _text("\n".join(texts), "text/markdown")


@blueprint.get("/docs/<name>.md")
def page_markdown(name: str) -> Response:
    """One page in Markdown."""
    return _text(library.as_markdown(library.read(_page(name), language())), "text/markdown")


@blueprint.get("/llms.txt")
def llms() -> Response:
    """What there is to read, for language models (llmstxt.org)."""
    return _text(render_template("docs/llms.txt", **_frame(None)), "text/plain")


@blueprint.after_request
def remember(response: Response) -> Response:
    """Keep the language of the examples that somebody has chosen."""
    chosen = request.args.get("lang", "")
    if chosen in LANGUAGES and response.mimetype == "text/html":
        response.set_cookie(
            cookie_name(), chosen, A_YEAR,
            path=settings.path or "/", secure=settings.is_https, httponly=True, samesite="Lax",
        )  # fmt: skip
    return response


def cookie_name() -> str:
    """With a prefix that browsers hold it to, as the session's has."""
    if not settings.is_https:
        return COOKIE
    return f"__Secure-{COOKIE}" if settings.path else f"__Host-{COOKIE}"


def language() -> str:
    """The language of the examples: as asked for, else as chosen before, else the first."""
    wanted = (request.args.get("lang", ""), request.cookies.get(cookie_name(), ""))
    return next((each for each in wanted if each in LANGUAGES), FIRST)


def _page(name: str) -> Page:
    return PAGES.get(name) or abort(404)


def _show(page: Page) -> str:
    written = library.read(page, language())
    before, after = neighbours(page)
    return render_template("docs/page.html", written=written, before=before, after=after, **_frame(page))


def _frame(current: Page | None) -> dict[str, object]:
    """What stands around every text."""
    return {
        "chapters": CHAPTERS,
        "current": current,
        "start": START,
        "path_of": library.path_of,
        "moved": MOVED,
        "base_url": settings.base_url,
        "origin": settings.origin,
        "pages": PAGES,
    }


def _text(text: str, kind: str) -> Response:
    return Response(text, content_type=f"{kind}; charset=utf-8")
