"""The fixtures that every test may ask for.

``database`` runs a test on SQLite and on PostgreSQL; everything below rests on it:

    app, make_app      the application (with other settings)
    client, new_client clients that check every page they get
    cast               alice, bob, sue and ada
    make_key           a key with its secret
    mailbox            the mails, after the jobs have run
    clock              the time, to move
    server, start_server   the production server in processes of its own
    visit              a window of Chromium on that server
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal import cli, jobs
from portal import clock as times
from portal.app import create_app
from portal.extensions import db
from portal.runtime import runtime_of
from portal.services.auth import passwords
from portal.services.keys import creation
from portal.services.ratelimits import counters, questions
from portal.transports import create_transport
from portal.web import languages
from tests.support import clock as clocks
from tests.support import network
from tests.support.cast import Cast, CreatedKey, Person, make_cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import KINDS, Database, Databases
from tests.support.kept import KeptHasher, keep_comparisons, keep_routes, keep_templates
from tests.support.mailbox import Mailbox
from tests.support.server import Server, make_server
from tests.support.settings import settings_for

pytest_plugins = ["tests.support.lanes"]
MakeApp = Callable[..., Flask]
MakeKey = Callable[..., CreatedKey]
StartServer = Callable[..., Server]
SLOW = {"start_server", "shared_server", "server", "visit"}
"""Fixtures of tests that take seconds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a developer run on one database only; the whole suite runs on both."""
    parser.addoption(
        "--database",
        choices=KINDS,
        help="run on this database only; what needs none runs with sqlite",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what rests on the database on each of them that makes sense."""
    if "database" not in metafunc.fixturenames:
        return
    only = [kind for kind in KINDS if metafunc.definition.get_closest_marker(f"{kind}_only")]
    metafunc.parametrize("database", only or KINDS, indirect=True)


def pytest_collection_finish() -> None:
    """Let the collector of garbage come less often, and not for what stays: it took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hold markers to their reasons, leave out what --database does not name, begin with the slow."""
    items.sort(key=_takes_no_server)
    for item in items:
        for marker in item.iter_markers():
            if marker.name.endswith("_only") and not marker.kwargs.get("reason"):
                raise pytest.UsageError(f"{item.nodeid}: {marker.name} wants reason='...'")
    if chosen := config.getoption("--database"):
        wanted = {chosen, None} if chosen == "sqlite" else {chosen}
        other = [item for item in items if _database_of(item) not in wanted]
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if _database_of(item) in wanted]


def _takes_no_server(item: pytest.Item) -> bool:
    """Whether a test is quick: at the end, a slow one would leave the other processes idle."""
    return SLOW.isdisjoint(getattr(item, "fixturenames", ()))


def _database_of(item: pytest.Item) -> str | None:
    call = getattr(item, "callspec", None)
    return call.params.get("database") if call else None


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        network.refuse_the_network(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PORTAL_", "FLASK_"))]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _keep_what_is_always_the_same() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        keep_comparisons(patch)
        keep_routes(patch)
        yield


@pytest.fixture(autouse=True)
def _no_moment_of_another_test() -> None:
    """Let no test see the later moments that another one has been to."""
    times.forget()


@pytest.fixture(autouse=True)
def _logs_as_much_as_before() -> Iterator[None]:
    """Fail the test that leaves the process silent, and not a later one that looks for a line."""
    before = _what_is_not_logged()
    yield
    assert _what_is_not_logged() == before


def _what_is_not_logged() -> dict[str, int]:
    manager = logging.root.manager
    ours = {name: each for name, each in manager.loggerDict.items() if name.partition(".")[0] == "portal"}
    levels = {
        name: each.level for name, each in ours.items() if isinstance(each, logging.Logger) and each.level
    }
    return {**levels, "": manager.disable}


@pytest.fixture
def every_hash_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare each password each time, for tests of what that costs."""
    kept = passwords._hasher
    assert isinstance(kept, KeptHasher)
    monkeypatch.setattr(passwords, "_hasher", kept.plain)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Where databases come from: ``migrated(kind)`` and ``empty(kind)``."""
    created = Databases(tmp_path_factory.mktemp("databases"))
    yield created
    created.stop()


@pytest.fixture
def database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Database]:
    """A migrated database with nothing in it: first SQLite, then PostgreSQL."""
    with databases.migrated(request.param) as created:
        yield created


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """The instance folder of the test's portal."""
    return tmp_path / "instance"


@pytest.fixture
def make_app(
    database: Database, instance: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeApp]:
    """Make an application on the test's database: ``make_app(PORTAL_LIMITS_ENABLED="false")``."""
    created: list[Flask] = []

    def make(**overrides: str) -> Flask:
        app = create_app(settings_for(database.url, instance, **overrides))
        cli.init_app(app)
        app.test_client_class = PageChecker
        keep_templates(app, tmp_path_factory.getbasetemp())
        created.append(app)
        return app

    yield make
    for app in created:
        close_app(app)


def close_app(app: Flask) -> None:
    """Let go of the threads and the connections of an application."""
    runtime_of(app).close()
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application as it is shipped, on the test's database."""
    return make_app()


@pytest.fixture
def every_language(app: Flask) -> None:
    """Have the pages offer all languages, as if each had a complete catalogue."""
    app.config["OFFERED_LANGUAGES"] = list(languages.NAMES)


@pytest.fixture
def new_client(app: Flask) -> Callable[[], PageChecker]:
    """Make another client, with cookies of its own: ``new_client()``."""

    def make() -> PageChecker:
        client = app.test_client()
        assert isinstance(client, PageChecker)
        return client

    return make


@pytest.fixture
def client(new_client: Callable[[], PageChecker]) -> PageChecker:
    """A client that nobody has signed in with."""
    return new_client()


@pytest.fixture
def cast(app: Flask) -> Cast:
    """Alice owns, Bob is a stranger, Sue is support, Ada is admin."""
    return make_cast(app)


@pytest.fixture
def make_key(app: Flask) -> MakeKey:
    """Make a key for somebody: ``make_key(cast.alice, level=4, days=30, name="ci")``.

    It does not count as one that they created, or a test with many would be slowed.
    """

    def make(owner: Person, *, level: int = 4, days: float = 30, name: str = "ci") -> CreatedKey:
        with app.app_context():
            key, secret = creation.create_key(owner.actor, name=name, level=level, life=timedelta(days=days))
            counters.give_back([counters.counter(questions.ISSUE_ACCOUNT, owner.account_id)])
            return CreatedKey(str(key.id), secret)

    return make


@pytest.fixture
def run_jobs(app: Flask) -> Callable[[], int]:
    """Do once what is due by the clock; returns how many mails were handed over."""
    return partial(jobs.run_once, app, create_transport(app.config["PORTAL"]))


@pytest.fixture
def mailbox(instance: Path, run_jobs: Callable[[], object]) -> Mailbox:
    """The mails that were written: ``mailbox.last(to=cast.alice.email).text``."""
    return Mailbox(instance / "mail", run_jobs)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The time of this process: ``clock.forward(days=31)``."""
    with clocks.travel() as travel:
        yield Clock(travel)


@pytest.fixture
def start_server(database: Database, tmp_path: Path) -> Iterator[StartServer]:
    """Start a production server on the test's database: ``start_server(PORTAL_WORKERS="2")``.

    A second one is a second machine of the same installation.
    """
    with ExitStack() as stack:

        def start(**settings: str) -> Server:
            home = tmp_path if not started else tmp_path / f"machine-{len(started) + 1}"
            home.mkdir(exist_ok=True)
            server = make_server(database, home, settings)
            started.append(server)
            stack.callback(server.finish)
            return server.start()

        started: list[Server] = []
        yield start


@pytest.fixture
def server(start_server: StartServer) -> Server:
    """The production server with one worker and the jobs, on the test's database."""
    return start_server()


@pytest.fixture(scope="module")
def shared_server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One production server on SQLite for the tests of a module that do not mind each other."""
    with databases.migrated("sqlite") as database:
        started = make_server(database, tmp_path_factory.mktemp("shared"), {})
        try:
            yield started.start()
        finally:
            started.finish()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, started once."""
    from tests.support.browser import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Open a window on the server: ``visit(width=390, scheme="dark", javascript=False)``.

    Returns a ``Visit``; its windows are closed, and checked for errors, when the test ends.
    """
    from tests.support.browser import Visit
    from tests.support.browser import visit as open_window

    with ExitStack() as stack:

        def start(*, width: int = 1280, scheme: str = "light", javascript: bool = True) -> Visit:
            window: AbstractContextManager[Visit] = open_window(
                chromium,
                server.url,
                width=width,
                scheme="dark" if scheme == "dark" else "light",
                javascript=javascript,
            )
            return stack.enter_context(window)

        yield start
