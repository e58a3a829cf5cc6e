"""What runs by the clock: the outbox, excessive use, rotated keys, GitHub's public keys, and cleaning."""

from __future__ import annotations

import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType

import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from portal import mailer
from portal.extensions import db, settings
from portal.models import MailKind
from portal.services.abuse import excess, github_signatures
from portal.services.accounts import email_change, recovery, removal, signup
from portal.services.core import sent_forms, trouble
from portal.services.keys import rotation
from portal.services.mail import outbox
from portal.services.mail.outbox import Claim, Prepare
from portal.services.system import job_leases, retention
from portal.services.usage import moments, rollup
from portal.transports import DeliveryFailed, DeliveryRefused, Transport
from portal.unattended import Unattended

PAUSE = 1.0
"""Seconds between two looks at the outbox."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts at a database that is away."""

PREPARE: dict[MailKind, Prepare] = {
    MailKind.SIGN_UP: signup.prepare_sign_up_mail,
    MailKind.RESET: recovery.prepare_reset_mail,
    MailKind.LOCKED: recovery.prepare_unlock_mail,
    MailKind.EMAIL_ASKED: email_change.prepare_asked_mail,
    MailKind.EMAIL_CONFIRM: email_change.prepare_email_mail,
}
"""Mails with a link: their token is made when they are sent. Others say what their row says."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Stop:
    """Whether somebody asked this process to end (SIGTERM or SIGINT)."""

    asked: bool = False
    _receiver: socket.socket | None = field(default=None, repr=False)

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until asked to end; return whether it was asked."""
        if self._receiver is None:
            time.sleep(0 if self.asked else seconds)
        elif not self.asked and select.select([self._receiver], [], [], seconds)[0]:
            self._receiver.recv(4096)
        return self.asked

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Hear the signals, in the main thread, for as long as the block runs."""
        self._receiver, sender = socket.socketpair()
        sender.setblocking(False)
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._hear) for number in numbers}
        wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._receiver.close()
            sender.close()
            self._receiver = None

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def run(app: Flask, transport: Transport, stop: Stop) -> None:
    """Do what is due, again and again, until asked to stop.

    A database that is away is waited for, with growing pauses.
    """
    worker = OutboxWorker(transport)
    log.info("jobs.started")
    with Unattended(app.config["PORTAL"].selfcheck_after).running() as selfcheck:
        _go_on(app, worker, stop, selfcheck)
    log.info("jobs.stopped")


def _go_on(app: Flask, worker: OutboxWorker, stop: Stop, selfcheck: Unattended) -> None:
    pause = PAUSE
    while not stop.asked:
        try:
            do_round(app, worker, stop)
            with app.app_context():
                selfcheck.look()
        except DBAPIError as error:
            pause = min(LONGEST_PAUSE, pause * 2)
            with app.app_context():
                trouble.note(db.engine, error)
            log.warning("jobs.database-away", why=trouble.words_of(error), again_in=pause)
        else:
            pause = PAUSE
        stop.wait(pause)


def run_once(app: Flask, transport: Transport) -> int:
    """Do all that is due now, once; return how many mails were handed over.

    Raises DBAPIError when the database is away.
    """
    worker = OutboxWorker(transport)
    do_round(app, worker, Stop())
    return worker.sent


def do_round(app: Flask, worker: OutboxWorker, stop: Stop) -> None:
    """Look for excess, send what is due, and clean, each if it is time. Raises DBAPIError."""
    with app.app_context():
        moments.keep_if_due()
        EXCESS.do_if_due()
    with app.app_context():
        worker.send_due(stop)
    for job in (CLEANING, RETIRING, FORMS, GITHUB_KEYS):
        with app.app_context():
            job.do_if_due()


@dataclass(slots=True)
class OutboxWorker:
    """Sends the outbox through one transport.

    ``unmarked`` are mails that were handed over while the database went away: they are
    marked before anything else is done, so that they are not sent again.
    """

    transport: Transport = field(repr=False)
    sent: int = 0
    failed: int = 0
    unmarked: list[Claim] = field(default_factory=list)

    def send_due(self, stop: Stop) -> None:
        """Send every mail whose time has come. Raises DBAPIError."""
        self._mark()
        while not stop.asked and (claim := outbox.claim_next()):
            self._send(claim)
            db.session.remove()

    def _send(self, claim: Claim) -> None:
        """Send one claimed mail and note how it went."""
        try:
            self._hand_over(claim)
        except DBAPIError as error:
            if not trouble.is_of_the_statement(error):
                raise  # the database is away; other errors of it are about this mail
            self._fail(claim, f"The mail can't be made: {type(error).__name__}")
        except DeliveryRefused as error:
            self._refuse(claim, str(error), error.answer)
        except mailer.MailUnusable as error:
            self._refuse(claim, str(error), None)
        except DeliveryFailed as error:
            self._fail(claim, str(error))
        except Exception as error:  # noqa: BLE001  # one mail that can't be made stops no other
            self._fail(claim, f"The mail can't be made: {type(error).__name__}")
        else:
            self.unmarked.append(claim)
            self._mark()

    def _hand_over(self, claim: Claim) -> None:
        prepared = outbox.prepare(claim, PREPARE.get(claim.kind))
        if prepared is None:
            return
        message = mailer.compose(prepared, claim, eight_bit=self.transport.eight_bit)
        self.transport.deliver(message, f"{claim.id}-{claim.kind.value}")
        self.sent += 1
        log.info("mail.sent", mail=claim.id, kind=claim.kind.value)

    def _mark(self) -> None:
        while self.unmarked:
            outbox.mark_sent(self.unmarked[0])
            self.unmarked.pop(0)

    def _fail(self, claim: Claim, why: str) -> None:
        self.failed += 1
        log.warning("mail.failed", mail=claim.id, kind=claim.kind.value, why=why)
        outbox.mark_failed(claim, why)

    def _refuse(self, claim: Claim, why: str, answer: int | None) -> None:
        self.failed += 1
        log.warning("mail.refused", mail=claim.id, kind=claim.kind.value, why=why)
        outbox.mark_refused(claim, why, answer)


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done every so often, in whichever process comes first."""

    name: str
    every: timedelta
    do: Callable[[], object]

    def do_if_due(self) -> None:
        """Do it, if it is time. Raises DBAPIError."""
        if job_leases.take_lease(self.name, self.every):
            self.do()


def _clean() -> None:
    gone = retention.clean()
    gone["accounts"] = removal.forget_unconfirmed()
    gone["acts"] = retention.end_old_acts(settings.audit_days)
    gone |= rollup.fold()
    log.info("jobs.cleaned", **gone)


def _retire() -> None:
    log.info("jobs.retired", keys=rotation.retire_due())


def _read_github_keys() -> None:
    if settings.github_keys:
        github_signatures.read_keys(settings.github_keys)


def _watch_excess() -> None:
    taken = {step.value: number for step, number in excess.look(excess.policy_of(settings)).items() if number}
    if taken:
        log.info("jobs.excess", **taken)


EXCESS = Job("excess", timedelta(minutes=1), _watch_excess)
CLEANING = Job("cleaning", timedelta(hours=1), _clean)
RETIRING = Job("retiring", timedelta(minutes=5), _retire)
GITHUB_KEYS = Job("github-keys", github_signatures.EVERY, _read_github_keys)
FORMS = Job("forms", timedelta(minutes=1), sent_forms.forget)
