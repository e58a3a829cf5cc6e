from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError, OperationalError

from portal import jobs
from portal.models import MailKind
from portal.services.accounts import recovery, signup
from portal.services.core.actor import Actor
from portal.services.mail import outbox
from portal.services.system import retention
from portal.transports import DeliveryFailed, FileTransport, SmtpTransport
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import ROOT, Database
from tests.support.mailbox import Mailbox
from tests.support.outbox import Receiver, enqueue, mail_server
from tests.support.ports import free_port
from tests.support.server import wait_until
from tests.support.settings import settings_for

RunJobs = Callable[[], int]
AWAY = OperationalError("SELECT 1", {}, Exception("the database is away"))


@contextmanager
def jobs_process(
    database: Database, instance: Path, mail_url: str, *words: str
) -> Iterator[subprocess.Popen[str]]:
    """Run ``flask jobs run`` in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "jobs", "run", *words],
        cwd=ROOT,
        env={**environment, **settings_for(database.url, instance, PORTAL_MAIL_URL=mail_url)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def waiting(database: Database) -> int:
    return int(database.execute("SELECT count(*) FROM outbox WHERE sent_at IS NULL")[0][0])


def test_a_mail_goes_out_once(app: Flask, run_jobs: RunJobs, mailbox: Mailbox) -> None:
    enqueue(app)

    assert run_jobs() == 1
    assert run_jobs() == 0
    assert [mail.subject for mail in mailbox.all()] == ["Your account was removed"]


def test_each_step_of_an_account_is_mailed(app: Flask, mailbox: Mailbox, cast: Cast) -> None:
    with app.app_context():
        signup.request_sign_up(Actor.system(), "new@example.org", "en")
        signup.request_sign_up(Actor.system(), cast.alice.email, "en")
        recovery.request_reset(Actor.system(), cast.bob.email)

    assert "/confirm/" in mailbox.last(to="new@example.org").link("/confirm/")
    assert mailbox.last(to=cast.alice.email).subject == "You already have an account"
    assert mailbox.last(to=cast.bob.email).link("/password/reset/")


def test_the_mail_goes_to_the_address_that_was_proven(app: Flask, mailbox: Mailbox, cast: Cast) -> None:
    with app.app_context():
        recovery.request_reset(Actor.system(), cast.alice.email.replace("alice", "ALICE"))

    assert mailbox.last().to == cast.alice.email


def test_the_same_work_is_done_for_an_unknown_address_but_nothing_is_sent(
    app: Flask, run_jobs: RunJobs, database: Database
) -> None:
    with app.app_context():
        recovery.request_reset(Actor.system(), "stranger@example.org")

    assert run_jobs() == 0
    assert waiting(database) == 0


def test_a_mail_server_that_was_away_gets_the_mail_later(
    app: Flask, clock: Clock, database: Database
) -> None:
    receiver, port = Receiver(), free_port()
    transport = SmtpTransport("127.0.0.1", port, "localhost", clear_text=True)
    enqueue(app)

    assert jobs.run_once(app, transport) == 0
    assert database.execute("SELECT attempts, last_error FROM outbox") == [
        (1, "The server can't be reached: Connection refused")
    ]
    with mail_server(receiver, port):
        clock.forward(seconds=58)
        assert jobs.run_once(app, transport) == 0
        clock.forward(seconds=3)
        assert jobs.run_once(app, transport) == 1
        assert jobs.run_once(app, transport) == 0

    assert len(receiver.messages) == 1
    assert database.execute("SELECT attempts, last_error FROM outbox") == [(1, None)]


def test_a_mail_that_was_taken_but_not_answered_comes_again_under_the_same_id(
    app: Flask, clock: Clock
) -> None:
    class Forgetful(Receiver):
        async def handle_DATA(self, *words: object) -> str:  # noqa: N802  # aiosmtpd's name
            await super().handle_DATA(*words)  # type: ignore[arg-type]  # passed on
            return "451 try again" if len(self.messages) == 1 else "250 OK"

    receiver = Forgetful()
    enqueue(app)
    with mail_server(receiver) as port:
        transport = SmtpTransport("127.0.0.1", port, "localhost", clear_text=True)
        assert jobs.run_once(app, transport) == 0
        clock.forward(minutes=2)
        assert jobs.run_once(app, transport) == 1

    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


def test_one_mail_that_can_not_be_made_stops_no_other(
    app: Flask, mailbox: Mailbox, database: Database
) -> None:
    enqueue(app, MailKind.KEY_CREATED, name="half a mail")
    enqueue(app, recipient="nobody")
    enqueue(app, recipient="alice@example.org")

    assert [mail.to for mail in mailbox.all()] == ["alice@example.org"]
    assert [row[0] for row in database.execute("SELECT last_error FROM outbox ORDER BY id")] == [
        "The mail can't be made: UndefinedError",
        "The address can't stand in a header.",
        None,
    ]


def test_two_processes_that_make_one_account_at_once_do_not_take_the_database_for_away(
    app: Flask, cast: Cast, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Somebody signed up twice: the other process was quicker, so the address is taken by now."""
    taken = IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed: accounts.lemail"))
    with app.app_context():
        signup.request_sign_up(Actor.system(), "carol@example.org", "en")
    enqueue(app, recipient="alice@example.org")
    with monkeypatch.context() as raced:
        raced.setitem(jobs.PREPARE, MailKind.SIGN_UP, _fail_with(taken))
        assert [mail.to for mail in mailbox.all()] == ["alice@example.org"]

    clock.forward(minutes=2)

    assert mailbox.all(to="carol@example.org")


def test_a_mail_handed_over_while_the_database_goes_away_is_not_sent_again(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    delivered: list[str] = []

    class Counting(FileTransport):
        def deliver(self, _message: EmailMessage, name: str) -> None:
            delivered.append(name)

    worker = jobs.OutboxWorker(Counting(tmp_path))
    enqueue(app)
    with monkeypatch.context() as broken, app.app_context():
        broken.setattr(outbox, "mark_sent", _fail_with(AWAY))
        with pytest.raises(OperationalError):
            worker.send_due(jobs.Stop())

    clock.forward(minutes=20)
    with app.app_context():
        worker.send_due(jobs.Stop())

    assert len(delivered) == worker.sent == 1
    assert worker.unmarked == []


def test_the_loop_survives_a_database_that_is_away(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    stop = jobs.Stop()
    failures = iter([AWAY, AWAY, None, AWAY, None])

    def claim_next() -> None:
        if failure := next(failures):
            raise failure

    def wait(_self: jobs.Stop, seconds: float) -> bool:
        pauses.append(seconds)
        stop.asked = len(pauses) == 5
        return stop.asked

    monkeypatch.setattr(outbox, "claim_next", claim_next)
    monkeypatch.setattr(jobs.Stop, "wait", wait)

    jobs.run(app, FileTransport(tmp_path), stop)

    assert pauses == [2.0, 4.0, 1.0, 2.0, 1.0]


def test_the_pause_of_a_database_that_is_away_ends_at_half_a_minute(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    stop = jobs.Stop()

    def wait(_self: jobs.Stop, seconds: float) -> bool:
        pauses.append(seconds)
        stop.asked = len(pauses) == 8
        return stop.asked

    monkeypatch.setattr(outbox, "claim_next", _fail_with(AWAY))
    monkeypatch.setattr(jobs.Stop, "wait", wait)

    jobs.run(app, FileTransport(tmp_path), stop)

    assert pauses[-2:] == [30.0, 30.0]


def test_nothing_more_is_sent_once_it_is_asked_to_stop(
    app: Flask, tmp_path: Path, database: Database
) -> None:
    stop = jobs.Stop()

    class Stopping(FileTransport):
        def deliver(self, _message: EmailMessage, _name: str) -> None:
            stop.asked = True

    enqueue(app)
    enqueue(app)
    jobs.run(app, Stopping(tmp_path), stop)

    assert waiting(database) == 1


def test_a_signal_ends_a_wait_at_once() -> None:
    started = time.monotonic()
    with jobs.Stop().listening() as stop:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert stop.wait(30) is True
        assert stop.wait(30) is True
    assert time.monotonic() - started < 10


def test_a_wait_without_a_signal_ends_by_itself() -> None:
    with jobs.Stop().listening() as stop:
        assert stop.wait(0.01) is False
    assert stop.wait(0.01) is False


def test_two_processes_send_each_mail_once(app: Flask, database: Database, instance: Path) -> None:
    receiver = Receiver()
    for number in range(40):
        enqueue(app, recipient=f"reader-{number}@example.org")
    with mail_server(receiver) as port:
        url = f"smtp://127.0.0.1:{port}"
        with jobs_process(database, instance, url) as one, jobs_process(database, instance, url) as two:
            wait_until(lambda: waiting(database) == 0, 60, "not all mails were sent")
            for process in (one, two):
                process.send_signal(signal.SIGTERM)
            assert [process.wait(20) for process in (one, two)] == [0, 0]

    assert len(receiver.messages) == 40
    assert set(Counter(str(message["To"]) for message in receiver.messages).values()) == {1}


def test_a_mail_is_not_lost_when_its_process_is_killed_in_the_middle(
    app: Flask, database: Database, instance: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    class Slow(Receiver):
        async def handle_DATA(self, *words: object) -> str:  # noqa: N802  # aiosmtpd's name
            reached.set()
            go_on.wait(30)
            return await super().handle_DATA(*words)  # type: ignore[arg-type]  # passed on

    enqueue(app)
    with mail_server(Slow()) as port, jobs_process(database, instance, f"smtp://127.0.0.1:{port}") as process:
        assert reached.wait(30)
        process.kill()
        process.wait()
        go_on.set()
    assert waiting(database) == 1

    receiver = Receiver()
    with mail_server(receiver) as port:
        transport = SmtpTransport("127.0.0.1", port, "localhost", clear_text=True)
        assert jobs.run_once(app, transport) == 0, "the lease still holds"
        ten_minutes = int(outbox.LEASE.total_seconds() * 1000)
        database.execute(f"UPDATE outbox SET leased_until = leased_until - {ten_minutes}")
        assert jobs.run_once(app, transport) == 1

    assert len(receiver.messages) == 1
    assert waiting(database) == 0


@pytest.mark.sqlite_only(reason="the database that is away is always the same")
def test_a_database_that_is_not_there_is_told_and_waited_for(database: Database, instance: Path) -> None:
    gone = Database("postgresql", f"postgresql+psycopg://portal@127.0.0.1:{free_port()}/gone")
    with jobs_process(gone, instance, "file:") as process:
        assert process.stderr
        line = next(line for line in process.stderr if "jobs.database-away" in line)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0

    assert "Connection refused" in line


def test_cleaning_is_done_once_an_hour(app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(retention, "clean", lambda: done.append(1) or {})

    def look(_worker: int) -> None:
        with app.app_context():
            jobs.CLEANING.do_if_due()

    for _ in range(2):
        look(0)
    assert len(done) == 1
    clock.forward(minutes=59)
    look(0)
    assert len(done) == 1
    clock.forward(minutes=2)
    look(0)
    assert len(done) == 2


def test_no_token_is_logged(
    app: Flask, cast: Cast, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with app.app_context():
        signup.request_sign_up(Actor.system(), "new@example.org", "en")
    token = mailbox.last().link("/confirm/").rsplit("/", 1)[1]

    written = capsys.readouterr()

    assert "mail.sent" in written.err
    assert token not in written.err + written.out
    assert "new@example.org" not in written.err + written.out


def test_a_failure_is_logged_without_the_address(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    class Refusing(FileTransport):
        def deliver(self, _message: EmailMessage, _name: str) -> None:
            raise DeliveryFailed("The server answered 554: no")

    enqueue(app)
    assert jobs.run_once(app, Refusing(Path())) == 0

    written = capsys.readouterr().err
    assert "The server answered 554: no" in written
    assert "alice@example.org" not in written


def _fail_with(error: Exception) -> Callable[..., None]:
    def fail(*_words: object) -> None:
        raise error

    return fail
