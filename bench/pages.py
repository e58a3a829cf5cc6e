"""Measure the pages with many accounts and keys: ``python -m bench.pages --help``.

Each page is asked for by somebody who is signed in, one after another, while the jobs run, and has
to be answered with 200. Exit code 0 means that each was; with ``--strict``, that the aim is
reached too.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http.cookiejar import CookieJar
from pathlib import Path

from bench import portal_client, report, seed
from bench.databases import KINDS, open_databases
from bench.portal_client import FLASK, SERVE
from bench.processes import ROOT, Server, ServerError, serving
from bench.spells import Spell

WARM_UP = 8
"""How often a page is asked for before it counts: each worker reads its templates once."""
SETTLED = 30.0
"""Seconds after a start in which its jobs look through all rows for the first time."""
OWNER, OPERATOR = "owner@example.org", "operator@example.org"
PUBLIC = ("/", "/signin", "/docs")
OWNERS = (
    "/account",
    "/account/keys",
    "/account/keys?sort=calls&order=desc",
    "/account/keys?status=refused",
    "/account/keys?query=build",
    "/account/keys/new",
    "/account/keys/{key}",
    "/account/keys/{key}/rotate",
    "/account/usage-limits",
    "/account/activity",
)
OPERATORS = (
    "/admin",
    "/admin/accounts",
    "/admin/accounts?query=person-500",
    "/admin/accounts/{account}",
    "/admin/keys",
    "/admin/keys?query=Importer",
    "/admin/keys/{key}",
    "/admin/audit-log",
    "/admin/audit-log?account={account}",
    "/admin/usage",
)
LISTS = {
    "/account/keys/{key}": "/account/keys",
    "/admin/keys/{key}": "/admin/keys",
    "/admin/accounts/{account}": "/admin/accounts?query=person-",
}
"""Where the pages of one key or account are found."""


class WrongPage(Exception):
    """A page was not answered with 200, or nobody could sign in."""


class Person:
    """Somebody with a browser's cookies."""

    def __init__(self, server: Server) -> None:
        self._base = f"http://127.0.0.1:{server.port}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def sign_in(self, email: str, password: str) -> None:
        """Sign in through the form. Raises WrongPage when it is not taken."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get("/signin")[1])
        fields = {"username": email, "password": password, "csrf_token": token[1] if token else ""}
        body = urllib.parse.urlencode(fields).encode()
        with self._opener.open(f"{self._base}/signin", body, timeout=60) as response:
            if not urllib.parse.urlsplit(response.url).path.startswith("/account"):
                raise WrongPage(f"{email} could not sign in and was led to {response.url}.")

    def get(self, path: str) -> tuple[float, str]:
        """Ask for a page: the milliseconds that it took, and its text. Raises WrongPage."""
        began = time.perf_counter()
        try:
            with self._opener.open(f"{self._base}{path}", timeout=60) as response:
                text = response.read().decode()
        except OSError as error:
            raise WrongPage(f"{path}: {error}") from error
        took = (time.perf_counter() - began) * 1000
        if urllib.parse.urlsplit(response.url).path != path.partition("?")[0]:
            raise WrongPage(f"{path} leads on to {response.url}.")
        return took, text


def main() -> int:
    """Fill a database, measure the pages and print the table."""
    options = read_options()
    busy = os.getloadavg()[0]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="portal-bench-") as folder,
            open_databases(options.database, Path(folder)) as databases,
        ):
            spells = run(options, Path(folder), databases.create("pages"))
    except (ServerError, WrongPage) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    rounds = f"one after another, {options.rounds} times each page"
    what = f"{options.accounts:,} accounts, {options.keys:,} keys; {rounds}"
    print(report.pages_table(spells, what, database=options.database, busy=busy))
    missed = [spell for spell in spells if spell.p95 > report.PAGE_P95_MS]
    return 1 if missed and options.strict else 0


def read_options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="bench.pages", description="Measure the pages.")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40, help="how often each page is asked for")
    parser.add_argument("--strict", action="store_true", help="fail when a page takes too long")
    return parser.parse_args()


def run(options: argparse.Namespace, folder: Path, database_url: str) -> list[Spell]:
    """Fill the database, serve it, and ask for the pages in turn."""
    settings = portal_client.environment(folder, database_url, workers=2)
    settings["PORTAL_PEPPERS"] = f"{seed.PEPPER_ID}:{secrets.token_urlsafe(32)}"
    password = secrets.token_urlsafe(24)
    create_people(settings, password)
    began = time.perf_counter()
    seed.fill(database_url, OWNER, seed.Size(options.accounts, options.keys), random.Random(7))
    print(f"filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    with serving("pages", SERVE, settings, folder) as server:
        time.sleep(SETTLED)
        return [
            *measure(Person(server), PUBLIC, options.rounds),
            *measure(signed_in(server, OWNER, password), OWNERS, options.rounds),
            *measure(signed_in(server, OPERATOR, password), OPERATORS, options.rounds),
        ]


def create_people(settings: dict[str, str], password: str) -> None:
    """Make the database, and in it an owner of keys and an operator."""
    done = settings | {"PORTAL_PORT": "8000"}
    subprocess.run([*FLASK, "db", "upgrade"], env=done, cwd=ROOT, check=True, capture_output=True)
    for email, role in ((OWNER, "bughunter"), (OPERATOR, "admin")):
        command = [*FLASK, "account", "create", email, "--role", role, "--password-stdin"]
        subprocess.run(command, input=password.encode(), env=done, cwd=ROOT, check=True, capture_output=True)


def signed_in(server: Server, email: str, password: str) -> Person:
    """Somebody who has signed in. Raises WrongPage."""
    person = Person(server)
    person.sign_in(email, password)
    return person


def measure(person: Person, paths: Sequence[str], rounds: int) -> list[Spell]:
    """Ask for each page so often."""
    found = places(person, paths)
    return [ask(person, path, path.format(**found), rounds) for path in paths]


def ask(person: Person, name: str, path: str, rounds: int) -> Spell:
    """Ask for one page; the first times warm it up."""
    answers = [person.get(path) for _ in range(rounds + WARM_UP)][WARM_UP:]
    return Spell(name, [took for took, _text in answers], len(answers[0][1].encode()))


def places(person: Person, paths: Sequence[str]) -> dict[str, str]:
    """A key and an account that the pages lead to, for the paths that name one. Raises WrongPage."""
    found = {}
    for path, listed in LISTS.items():
        if path in paths:
            link = re.escape(path).replace(r"\{key\}", "([0-9a-f-]{36})").replace(r"\{account\}", r"(\d+)")
            match = re.search(link, person.get(listed)[1])
            if not match:
                raise WrongPage(f"{listed} leads to no {path}.")
            found["key" if "{key}" in path else "account"] = match[1]
    return found


if __name__ == "__main__":
    sys.exit(main())
