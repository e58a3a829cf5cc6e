"""What is true of every page and of every answer, whatever it is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from weakref import WeakKeyDictionary

from bs4 import BeautifulSoup, Tag
from werkzeug.test import TestResponse

SECRET = re.compile(r"chk_[0-9A-Za-z]{49}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
JSON = "application/json; charset=utf-8"
DATA_SCRIPTS = {"application/json", "application/ld+json"}
REFERENCES = {"for", "aria-describedby", "aria-labelledby", "aria-controls", "list", "form", "popovertarget"}


_read: WeakKeyDictionary[TestResponse, BeautifulSoup] = WeakKeyDictionary()


def parse(response: TestResponse) -> BeautifulSoup:
    """Read the page of an answer, once."""
    if response not in _read:
        _read[response] = BeautifulSoup(response.text, "html.parser")
    return _read[response]


def faults(response: TestResponse, *, may_show_secret: bool = False) -> list[str]:
    """What is wrong with an answer; nothing, if all is well."""
    found = [*_header_faults(response)]
    if response.mimetype == "text/html":
        if not may_show_secret and SECRET.search(response.text):
            found.append("there is a secret on the page")
        if response.text and not 300 <= response.status_code < 400:
            page = parse(response)
            found += _page_faults(page)
            if page.find("form", action="/signout") and "no-store" not in _caching(response):
                found.append("a signed-in page may be cached")
    return found


def _header_faults(response: TestResponse) -> Iterator[str]:
    for name, value in HEADERS.items():
        if response.headers.get(name) != value:
            yield f"the header {name} is {response.headers.get(name)!r} instead of {value!r}"
    if "Referrer-Policy" not in response.headers:
        yield "the header Referrer-Policy is missing"
    if response.mimetype == "application/json" and response.content_type != JSON:
        yield f"the Content-Type is {response.content_type!r}"
    if response.mimetype == "text/html" and "Cross-Origin-Opener-Policy" not in response.headers:
        yield "the header Cross-Origin-Opener-Policy is missing"
    policy = response.headers.get("Content-Security-Policy", "")
    if "frame-ancestors 'none'" not in policy:
        yield "the Content-Security-Policy lets others frame the page"
    if re.search("unsafe-|nonce-|sha256-", policy):
        yield "the Content-Security-Policy lets something inline run"
    if SECRET.search(str(response.headers)):
        yield "there is a secret in a header"


def _page_faults(page: BeautifulSoup) -> Iterator[str]:
    tags = [each for each in page.descendants if isinstance(each, Tag)]
    yield from _title_faults(page)
    yield from _id_faults(tags)
    yield from _form_faults(tag for tag in tags if tag.name == "form")
    yield from _inline_faults(tags)


def _title_faults(page: BeautifulSoup) -> Iterator[str]:
    html = page.find("html")
    if not isinstance(html, Tag) or not html.get("lang"):
        yield "the page has no language"
    headings = page.find_all("h1")
    if len(headings) != 1:
        yield f"the page has {len(headings)} h1"
        return
    heading, title = _words(headings[0]), _words(page.title) if page.title else ""
    if not title.startswith(heading) or not heading:
        yield f"the title {title!r} does not start with the h1 {heading!r}"


def _id_faults(tags: Sequence[Tag]) -> Iterator[str]:
    ids = Counter(str(tag["id"]) for tag in tags if "id" in tag.attrs)
    yield from (f"the id {name!r} stands {count} times" for name, count in ids.items() if count > 1)
    for tag in tags:
        for attribute in REFERENCES & tag.attrs.keys():
            for name in str(tag[attribute]).split():
                if name not in ids:
                    yield f"<{tag.name} {attribute}> points at the id {name!r}, which is not there"
        link = str(tag.get("href", "")) if tag.name == "a" else ""
        if link.startswith("#") and link[1:] not in ids:
            yield f"a link points at {link}, which is not there"


def _form_faults(forms: Iterable[Tag]) -> Iterator[str]:
    for form in forms:
        if not form.get("action"):
            yield "a form has no action"
        if str(form.get("method", "get")).lower() == "post":
            token = form.find("input", attrs={"name": "csrf_token"})
            if not isinstance(token, Tag) or not token.get("value"):
                yield f"the form to {form.get('action')} has no CSRF token"


def _inline_faults(tags: Sequence[Tag]) -> Iterator[str]:
    for tag in tags:
        if tag.name in {"script", "style"} and not (tag.get("src") or tag.get("type") in DATA_SCRIPTS):
            yield f"there is an inline <{tag.name}>"
        for attribute, value in tag.attrs.items():
            if attribute == "style" or attribute.startswith("on"):
                yield f"<{tag.name}> has the inline attribute {attribute}"
            if attribute in {"href", "action"} and str(value).startswith("javascript:"):
                yield f"<{tag.name}> points at a script"


def _caching(response: TestResponse) -> str:
    return response.headers.get("Cache-Control", "")


def _words(tag: Tag) -> str:
    return " ".join(tag.get_text().split())
