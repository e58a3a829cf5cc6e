"""The jobs try the promises once for each version, and nothing else waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from portal import jobs, unattended
from portal.promises import PROMISES
from portal.services.system import selfcheck_results
from portal.unattended import COMMAND, Unattended
from portal.version import running_version
from tests.support.clock import Clock
from tests.support.databases import ROOT, Database
from tests.support.server import wait_until
from tests.support.settings import settings_for

pytestmark = pytest.mark.usefixtures("app")
QUICK = (sys.executable, "-c", "pass")
SLOW = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture
def look(app: Flask) -> Callable[[Unattended], None]:
    def look(selfcheck: Unattended) -> None:
        with app.app_context():
            selfcheck.look()

    return look


def prove(app: Flask, *, held: bool = True, of: str | None = None) -> None:
    with app.app_context():
        selfcheck_results.note_run(dict.fromkeys(PROMISES, held), of or running_version())


def ended(selfcheck: Unattended) -> bool:
    assert selfcheck.process
    return selfcheck.process.poll() is not None


def wait_and_look(look: Callable[[Unattended], None], selfcheck: Unattended) -> None:
    wait_until(lambda: ended(selfcheck), 20, "it did not end")
    look(selfcheck)


def soon(command: tuple[str, ...], tries: int = 3) -> Unattended:
    return Unattended(after=1e-9, command=command, tries=tries)


def test_it_waits_first_so_that_the_start_is_quick(look: Callable[[Unattended], None]) -> None:
    selfcheck = Unattended(after=60, command=SLOW)
    look(selfcheck)
    assert selfcheck.process is None


def test_zero_is_never(look: Callable[[Unattended], None]) -> None:
    selfcheck = Unattended(after=0, command=SLOW)
    look(selfcheck)
    assert selfcheck.process is None


def test_of_two_jobs_processes_one_does_it(look: Callable[[Unattended], None]) -> None:
    one, other = soon(SLOW), soon(SLOW)
    with one.running(), other.running():
        look(one)
        look(other)

        assert one.process
        assert other.process is None


def test_it_is_done_once_for_a_version(app: Flask, look: Callable[[Unattended], None]) -> None:
    prove(app, of="0.0.1")
    first = soon(QUICK)
    look(first)
    assert first.process, "a run of another version says nothing of this one"
    prove(app)
    wait_and_look(look, first)
    assert first.tries == 0

    later = soon(SLOW)
    look(later)
    assert later.process is None


def test_what_did_not_hold_is_not_tried_for_ever(app: Flask, look: Callable[[Unattended], None]) -> None:
    prove(app, held=False)
    selfcheck = soon(SLOW)
    look(selfcheck)
    assert selfcheck.process is None


def test_a_run_that_fails_is_tried_again_when_its_lease_is_over_and_not_for_ever(
    look: Callable[[Unattended], None], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unattended, "PAUSE", 0.0)
    selfcheck = soon((sys.executable, "-c", "raise SystemExit(1)"), tries=2)
    for _try in range(2):
        look(selfcheck)
        assert selfcheck.process
        wait_and_look(look, selfcheck)
        look(selfcheck)
        assert selfcheck.process is None, "the lease is not over"
        clock.forward(hours=2)

    look(selfcheck)
    assert selfcheck.process is None


def test_a_program_that_is_not_there_stops_nothing(look: Callable[[Unattended], None]) -> None:
    selfcheck = soon(("/no/such/program",))
    look(selfcheck)
    assert selfcheck.process is None


def test_one_that_takes_too_long_is_ended(
    look: Callable[[Unattended], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unattended, "LONGEST", 0.0)
    selfcheck = soon(SLOW)
    look(selfcheck)
    process = selfcheck.process
    assert process
    look(selfcheck)

    assert process.poll() is not None
    assert selfcheck.process is None


def test_it_ends_with_the_jobs(look: Callable[[Unattended], None]) -> None:
    selfcheck = soon(SLOW)
    with selfcheck.running():
        look(selfcheck)
        process = selfcheck.process
    assert process
    assert process.poll() is not None


def test_the_real_command_gives_way_and_keeps_how_it_went(
    app: Flask, database: Database, instance: Path
) -> None:
    """What the installation rests on is enough to see it; the rest takes a minute."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    code = (
        "import os, sys; from portal.cli import selfcheck as s; nice = os.nice;"
        "os.nice = lambda by: print('nice', nice(by), file=sys.stderr)"
    )
    program = f"{code}; from flask.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *COMMAND[3:], str(os.getpid()), "guarded"],
        cwd=ROOT,
        env={**environment, **settings_for(database.url, instance)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "nice 19" in done.stderr
    with app.app_context():
        assert selfcheck_results.list_proofs()["guarded"].held
        assert not selfcheck_results.is_tried(PROMISES, running_version())


def test_the_jobs_look_after_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    monkeypatch.setattr(Unattended, "look", lambda self: looks.append(self.after))
    monkeypatch.setattr(jobs, "do_round", lambda *_: None)

    class Once(jobs.Stop):
        def wait(self, seconds: float) -> bool:
            self.asked = True
            return True

    jobs.run(app, None, Once())  # type: ignore[arg-type]  # no mail is sent

    assert looks == [0]
