"""What the tests of the mails have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask

from portal.models import MailKind
from portal.services.core.transaction import transaction
from portal.services.mail import outbox
from tests.support.ports import free_port


def enqueue(
    app: Flask,
    kind: MailKind = MailKind.ACCOUNT_REMOVED,
    *,
    recipient: str = "alice@example.org",
    language: str = "en",
    account_id: int | None = None,
    **params: Any,
) -> None:
    """Write down a mail, as an act would."""
    with app.app_context(), transaction() as session:
        outbox.enqueue(session, kind, account_id=account_id, recipient=recipient, language=language, **params)


class Receiver:
    """A mail server's inside: keeps what it gets; ``answer`` is what it says to a message."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[str] = []
        self.greetings = 0
        self.answer = "250 OK"

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count who comes."""
        session.host_name = hostname
        self.greetings += 1
        return responses

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Take a message."""
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            self.recipients += envelope.rcpt_tos
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
        return self.answer

    @property
    def ids(self) -> list[str]:
        """The Message-IDs of what came, in order."""
        return [str(message["Message-ID"]) for message in self.messages]


@contextmanager
def mail_server(receiver: Receiver, port: int | None = None, **options: Any) -> Iterator[int]:
    """Run a mail server on a loopback port while the block runs; gives its port."""
    controller = Controller(receiver, hostname="127.0.0.1", port=port or free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
