from __future__ import annotations

import os
import signal
import threading

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal import jobs
from portal.cli import jobs as commands
from portal.cli import process_watchdog
from portal.services.mail import outbox
from tests.conftest import MakeApp
from tests.support.mailbox import Mailbox
from tests.support.outbox import enqueue
from tests.support.ports import free_port


def test_once_sends_what_is_due(app: Flask, mailbox: Mailbox) -> None:
    enqueue(app)

    result = app.test_cli_runner().invoke(args=["jobs", "run", "--once"])

    assert result.exit_code == 0
    assert len(list(mailbox.folder.glob("*.eml"))) == 1


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_once_fails_when_a_mail_could_not_be_sent(make_app: MakeApp) -> None:
    app = make_app(PORTAL_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")
    enqueue(app)

    result = app.test_cli_runner().invoke(args=["jobs", "run", "--once"])

    assert result.exit_code == 1
    assert "Error: Some email couldn't be sent; the jobs will try again.\n" in result.stderr


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_once_fails_when_the_database_is_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("SELECT 1", {}, Exception("away"))

    monkeypatch.setattr(outbox, "claim_next", away)

    result = app.test_cli_runner().invoke(args=["jobs", "run", "--once"])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database can't be used: away. Database: ")


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_a_mail_url_that_can_not_be_used_is_told(make_app: MakeApp) -> None:
    result = make_app(PORTAL_MAIL_URL="carrier-pigeon:").test_cli_runner().invoke(args=["jobs", "run"])

    assert result.exit_code == 1
    assert "Error: PORTAL_MAIL_URL must be" in result.stderr


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
def test_it_runs_until_it_is_asked_to_end(
    app: Flask, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(app)
    watched: list[int] = []
    monkeypatch.setattr(commands, "end_with", watched.append)  # its thread would outlive this test
    rounds: list[int] = []
    do_round = jobs.do_round

    def counted(*words: object) -> None:
        do_round(*words)  # type: ignore[arg-type]  # passed on
        rounds.append(1)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(jobs, "do_round", counted)

    result = app.test_cli_runner().invoke(args=["jobs", "run", "--parent", "4711"])

    assert result.exit_code == 0
    assert watched == [4711]
    assert len(rounds) == 1
    assert len(list(mailbox.folder.glob("*.eml"))) == 1


def test_a_process_ends_when_its_parent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    sent: list[tuple[int, int]] = []
    answers = iter([4711, 4711, 1])
    monkeypatch.setattr(process_watchdog, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(process_watchdog.os, "getppid", lambda: next(answers))
    monkeypatch.setattr(process_watchdog.os, "kill", lambda *words: (sent.append(words), asked.set()))

    process_watchdog.end_with(4711)

    assert asked.wait(10)
    assert sent == [(os.getpid(), signal.SIGTERM)]
