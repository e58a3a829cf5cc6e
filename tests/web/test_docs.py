"""The documentation: readable by anybody, complete, and of one text, whatever form it is read in."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup
from flask import Flask

from portal.error_messages import SENTENCES
from portal.permissions import LEVELS, Role
from portal.runtime import runtime_of
from portal.services.keys import secrets
from portal.web.docs.book import MOVED, PAGES
from portal.web.docs.examples import EXAMPLES, LANGUAGES
from tests.conftest import MakeApp, MakeKey
from tests.support import pages
from tests.support.cast import Cast
from tests.support.client import PageChecker

pytestmark = pytest.mark.sqlite_only(reason="what the documentation says has nothing to do with the database")
PATHS = ["/docs" if name == "start" else f"/docs/{name}" for name in PAGES]


def rows(page: BeautifulSoup, column: str) -> list[list[str]]:
    """The cells of the table that has a column of this name."""
    (table,) = [
        table
        for table in page.select("table")
        if column in [head.get_text() for head in table.select("thead th")]
    ]
    return [
        [" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])]
        for row in table.select("tbody tr")
    ]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_for_anybody_and_leads_to_all_others(client: PageChecker, path: str) -> None:
    page = client.page(path)
    led = {str(link["href"]) for link in page.select(".docs-nav a")}

    assert led >= set(PATHS)
    [current] = page.select(".wide-only [aria-current]")
    assert current["href"] == path


@pytest.mark.usefixtures("cast")
def test_every_link_between_them_leads_somewhere(client: PageChecker) -> None:
    """To a page that is there, and on it to an anchor that is there."""
    found = {path: client.page(path) for path in PATHS}
    links = {
        str(link["href"])
        for page in found.values()
        for link in page.select("main a")
        if "?" not in str(link["href"])
    }
    for link in sorted(links):
        path, _, anchor = link.partition("#")
        if path in found:
            assert not anchor or found[path].find(id=anchor), link
        else:
            assert client.get(path).status_code < 400, link


def test_anchors_of_the_one_page_that_there_was_are_still_there(client: PageChecker) -> None:
    old = "key use protect levels conditions authentication routes errors limits calls left secret leaks"
    page = client.page("/docs")

    assert set(MOVED) == set(old.split())
    for anchor, (name, place) in MOVED.items():
        there = page.find(id=anchor)
        assert there, anchor
        if name != "start":
            listed = there.find_parent("li")
            assert listed, anchor
            assert listed.select_one(f"a[href='/docs/{name}']"), anchor
            assert not place or client.page(f"/docs/{name}").find(id=place), anchor


def test_it_lists_every_level_with_its_roles(client: PageChecker) -> None:
    told = rows(client.page("/docs/levels"), "Level")

    assert [row[:2] for row in told] == [[str(level.number), level.sentence] for level in LEVELS]
    assert [row[2].split() for row in told] == [
        [role.value for role in Role if role.level == level.number] for level in LEVELS
    ]


def test_it_lists_every_route_of_the_description_once(app: Flask, client: PageChecker) -> None:
    described = {
        f"{'any' if path == '/api/authorize' else method.upper()} {path}"
        for path, operations in runtime_of(app).openapi()["paths"].items()
        for method in operations
    }
    headings = [
        " ".join(heading.get_text().split())
        for name in ("api-accounts", "api-keys", "api-checks")
        for heading in client.page(f"/docs/{name}").select("h2")
    ]

    told = [re.sub(r"\{auth\}$", way, each) for each in headings for way in ("key", "jwt")]
    assert set(told) == described
    assert len(headings) == len(set(headings))


def test_a_route_tells_what_it_takes_and_links_its_errors(client: PageChecker) -> None:
    page = client.page("/docs/api-keys")
    listing, creating = (
        page.find(id=anchor).find_next("ul")  # type: ignore[union-attr]  # it is there, or the test fails
        for anchor in ("get-apikeys-auth", "post-apikeys-auth")
    )

    assert "In the URL: limit, cursor, status" in listing.get_text()  # type: ignore[union-attr]
    assert "Level: 4 or higher." in creating.get_text()  # type: ignore[union-attr]
    assert creating.select_one("a[href='/docs/errors#tooManyKeys']")  # type: ignore[union-attr]


def test_it_explains_whatever_may_be_given_to_a_new_key(app: Flask, client: PageChecker) -> None:
    schema = runtime_of(app).openapi()["components"]["schemas"]["NewKey"]
    told = rows(client.page("/docs/restrictions"), "Field")

    assert {row[0] for row in told} == schema["properties"].keys() - {"name", "level", "expiresIn"}
    assert all(row[1] and row[2] for row in told)


def test_examples_of_restrictions_create_a_key(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    own = make_key(cast.ada, level=9, days=365)
    told = rows(client.page("/docs/restrictions"), "Field")
    restrictions = {name: json.loads(example) for name, _, example in told}
    del restrictions["kind"]
    wanted = {"name": "shop", "level": 1, "expiresIn": 364 * 24 * 3600, **restrictions}

    answer = client.post("/api/apikeys/key", json=wanted, headers=own.headers)

    assert answer.status_code == 201, answer.text


def test_every_error_code_has_its_anchor_its_status_and_what_to_do(app: Flask, client: PageChecker) -> None:
    page = client.page("/docs/errors")
    statuses: dict[str, set[str]] = {}
    for operations in runtime_of(app).openapi()["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for code in response.get("x-codes", ()):
                    statuses.setdefault(code, set()).add(status)

    for code, sentence in SENTENCES.items():
        heading = page.find("h3", id=code)
        assert heading, code
        told = heading.find_next("p")
        assert told, code
        assert re.split(r"%\(\w+\)s", sentence)[0].strip() in told.get_text(), code
        above = heading.find_previous("h2")
        if code in statuses and above:
            assert above.get_text().removeprefix("Status ") in statuses[code], code
    assert page.find("h3", id="consentLacking").find_previous("h2").get_text() == "Status 451"  # type: ignore[union-attr]
    assert page.select("h2")[-1].get_text() == "On pages only", "what no call meets comes last"
    assert "%(" not in page.get_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_language_is_shown_at_a_time_and_remembered(client: PageChecker, language: str) -> None:
    """By a link and a cookie; scripts have no part in it."""
    chosen = client.get(f"/docs/keys?lang={language}")
    shown = [str(each["id"]) for each in pages.parse(chosen).select(".example pre")]
    assert shown == [f"create-{language}", f"revoke-{language}"]
    assert "HttpOnly; Path=/; SameSite=Lax" in chosen.headers["Set-Cookie"]

    later = client.page("/docs")
    [example] = later.select(".example pre")
    assert example["id"] == f"ask-{language}"
    [current] = later.select(".example [aria-current]")
    assert current.get_text() == LANGUAGES[language]


def test_a_language_that_there_is_not_changes_nothing(client: PageChecker) -> None:
    answer = client.get("/docs?lang=<cobol>")

    assert "Set-Cookie" not in answer.headers
    assert [each["id"] for each in pages.parse(answer).select(".example pre")] == ["ask-curl"]


def test_with_https_the_cookie_of_the_language_is_of_this_host_only(make_app: MakeApp) -> None:
    client = make_app(PORTAL_BASE_URL="https://keys.example.org").test_client()

    cookie = client.get("/docs?lang=go").headers["Set-Cookie"]

    assert cookie.startswith("__Host-docs-language=go;")
    assert "Secure; HttpOnly; Path=/;" in cookie


def test_each_example_is_copied_as_it_runs(client: PageChecker) -> None:
    """The colours change no letter of it."""
    seen = set()
    for language in LANGUAGES:
        for path in PATHS:
            for shown in client.page(f"{path}?lang={language}").select(".example pre"):
                name, _, of = str(shown["id"]).rpartition("-")
                assert shown.get_text() == EXAMPLES[name][of].text
                seen.add((name, of))
    assert seen == {(name, language) for name, found in EXAMPLES.items() for language in found}


def test_the_whole_is_there_as_markdown(client: PageChecker) -> None:
    answer = client.get("/docs.md")

    assert answer.content_type == "text/markdown; charset=utf-8"
    for page in PAGES.values():
        part = client.get(f"/docs/{page.name}.md")
        assert part.content_type == "text/markdown; charset=utf-8"
        assert part.text.startswith(f"# {page.title}\n\n{page.summary}\n\n")
        assert part.text in answer.text
    for mark in ("{#", "{{", "{%", "](/"):
        assert mark not in answer.text


def test_markdown_and_page_say_the_same(client: PageChecker) -> None:
    """Every heading and every paragraph of the Markdown stands on the page, in the same order."""
    for path, name in zip(PATHS, PAGES, strict=True):
        text = " ".join(client.page(path).select_one("main").get_text(" ").split())  # type: ignore[union-attr]
        at = 0
        for line in client.get(f"/docs/{name}.md").text.splitlines():
            words = re.findall(r"\w{4,}", re.sub(r"\]\([^)]*\)|\\", "", line))
            if line.startswith(("#", "- ")) or (words and line[0].isupper()):
                at = min(text.find(words[0], at) if words else at, len(text))
                assert at >= 0, (path, line)


def test_language_models_find_every_page(client: PageChecker) -> None:
    """As llmstxt.org has it: a title, a summary in a quotation, and lists of links."""
    answer = client.get("/llms.txt")
    lines = answer.text.splitlines()

    assert answer.content_type == "text/plain; charset=utf-8"
    assert lines[0].startswith("# ")
    assert lines[2].startswith("> ")
    links = re.findall(r"^- \[[^\]]+\]\(http://127\.0\.0\.1:8000(/[^)]+)\)", answer.text, re.MULTILINE)
    assert links == [*(f"/docs/{name}.md" for name in PAGES), "/docs.md", "/api/openapi.json"]
    assert all(client.get(link).status_code == 200 for link in links)
    assert "\n\n\n" not in answer.text


def test_it_leads_to_the_documentation_of_the_operators_own_api(make_app: MakeApp) -> None:
    own = {"PORTAL_NAME": "Seams", "PORTAL_API_DOCS_URL": "https://docs.example.org/api"}
    client = make_app(**own).test_client()

    page = pages.parse(client.get("/docs"))
    assert len(page.select(".wide-only a[href='https://docs.example.org/api']")) == 1
    for path in ("/docs.md", "/llms.txt"):
        assert "](https://docs.example.org/api)" in client.get(path).text
    assert client.get("/llms.txt").text.startswith("# Seams\n")


def places(client: PageChecker, question: str) -> list[str]:
    found = client.get("/docs/search", query_string={"q": question})
    return [str(link["href"]) for link in pages.parse(found).select(".docs-found a")]


def test_search_finds_the_place_that_is_about_it_first(client: PageChecker) -> None:
    assert places(client, "apikeyExpired")[0] == "/docs/errors#apikeyExpired"
    assert places(client, "APIKEYexpired")[0] == "/docs/errors#apikeyExpired"
    assert places(client, "rotate a key")[0] == "/docs/rotation#rotate"
    assert places(client, "secret checksum")[0] == "/docs/keys#secret"
    assert places(client, "gitleaks") == ["/docs/leaks#scanners"]
    assert places(client, "rotate")[:2] == ["/docs/rotation", "/docs/rotation#rotate"]


def test_every_word_has_to_be_there(client: PageChecker) -> None:
    assert places(client, "checksum zebra") == []
    assert places(client, "") == []
    assert "Nothing found" in client.page("/docs/search?q=zebra").get_text()


def test_an_excerpt_marks_what_was_found_and_nothing_else(client: PageChecker) -> None:
    page = client.page("/docs/search?q=crc-32")

    [first, *_] = page.select(".docs-found p")
    assert [mark.get_text() for mark in first.select("mark")] == ["CRC-32"]


@pytest.mark.parametrize("question", ["<script>alert(1)</script>", "(", "\\", "a " * 1000, "\x00", "&lt;"])
def test_whatever_is_searched_for_is_only_text(client: PageChecker, question: str) -> None:
    found = client.get("/docs/search", query_string={"q": question})

    assert found.status_code in {200, 400}
    assert "<script>alert" not in found.text
    assert len(found.data) < 60_000


def shown(page: BeautifulSoup, name: str) -> str:
    found = page.find(id=f"leak-{name}")
    assert found
    return found.get_text()


@pytest.mark.parametrize("prefix", ["chk", "acme_2"])
def test_scanners_are_given_the_pattern_of_this_installation(make_app: MakeApp, prefix: str) -> None:
    """The rules are read as the scanners read them, and hold the very pattern that we search with."""
    client = make_app(PORTAL_KEY_PREFIX=prefix).test_client()
    page = pages.parse(client.get("/docs/leaks"))
    own = secrets.pattern(prefix).pattern
    [rule] = tomllib.loads(shown(page, "gitleaks"))["rules"]
    [detector] = yaml.safe_load(shown(page, "trufflehog"))["detectors"]

    assert shown(page, "pattern") == rule["regex"] == detector["regex"]["secret"] == own
    assert rule["keywords"] == detector["keywords"] == [f"{prefix}_"]
    assert set(rule) == {"id", "description", "regex", "keywords"}
    assert set(detector) == {"name", "keywords", "regex"}
    assert not set(re.findall(r"\(\?(.)", own)) - {":"}, "RE2 knows no look-around"


def test_the_check_of_the_page_tells_secrets_from_look_alikes(client: PageChecker) -> None:
    told: dict[str, Any] = {}
    exec(shown(client.page("/docs/leaks"), "check"), told)  # what the page tells readers to run
    secret = secrets.create_secret("chk")

    assert told["is_secret"](secret)
    for wrong in ("chk_" + "0" * 49, secret[:-1], f"{secret}0", f" {secret}", secret.lower()):
        assert not told["is_secret"](wrong)


def test_the_example_of_a_report_is_taken(client: PageChecker) -> None:
    curl, option, body, url = shlex.split(shown(client.page("/docs/leaks"), "report"))
    assert (curl, option) == ("curl", "--json")

    assert client.post(url.partition("127.0.0.1:8000")[2], json=json.loads(body)).status_code == 202
