"""How a mail leaves: as a file in the instance folder, or through a mail server."""

from __future__ import annotations

import os
import re
import smtplib
import ssl
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from config import Settings
from config_values import ConfigurationError, is_loopback

TIMEOUT = 20.0
"""Seconds that one answer of a mail server may take."""
ASKING = 5.0
"""Seconds of one answer while a person waits for it."""

AUTHENTICATION = 53
"""How the answers begin that are about who sends (RFC 4954, 6)."""

FORM = r"(?<![\w-])[\w-]{43}(?![\w-])"
"""A token of ours, 256 bits in base64 (RFC 4648, 5), by itself."""
TOKEN = re.compile(rf"https?://\S+/({FORM})")

SUBMISSION_PORT = 587
SMTPS_PORT = 465
SMTP_PORT = 25


class DeliveryFailed(Exception):
    """A mail could not be handed over; the message holds no secret and no address."""


class DeliveryRefused(DeliveryFailed):
    """A mail that no attempt will bring through; ``answer`` is the server's code, if it gave one."""

    def __init__(self, why: str, answer: int | None = None) -> None:
        super().__init__(why)
        self.answer = answer


class Transport(Protocol):
    """Hands one message over."""

    @property
    def eight_bit(self) -> bool:
        """Whether it takes other letters than ASCII as they are."""

    def deliver(self, message: EmailMessage, name: str) -> None:
        """Hand a message over; ``name`` is its own and stays the same at every attempt.

        Raises DeliveryFailed, and DeliveryRefused where trying again is of no use.
        """

    def takes_utf8(self) -> bool:
        """Whether it takes addresses whose letters are not ASCII (RFC 6531). Raises DeliveryFailed."""


@dataclass(frozen=True, slots=True)
class FileTransport:
    """Writes each mail into a file, whole or not at all; a second attempt overwrites it."""

    folder: Path
    eight_bit: bool = True

    def deliver(self, message: EmailMessage, name: str) -> None:
        """Write ``<name>.eml``, readable only to the portal's own user, its lines ended as here."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name_until_whole = tempfile.mkstemp(dir=self.folder, prefix=f".{name}-")
            temporary = Path(name_until_whole)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(message.as_bytes(policy=message.policy.clone(linesep="\n")))
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                temporary.replace(self.folder / f"{name}.eml")
            except BaseException:
                temporary.unlink()
                raise
        except OSError as error:
            raise DeliveryFailed(f"The file can't be written: {error.strerror}.") from error

    def takes_utf8(self) -> bool:
        """Files take every letter."""
        return True


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """Sends each mail through a server (RFC 5321), with TLS.

    The links in mails open accounts, so nothing goes in the clear unless ``clear_text`` allows
    it; credentials never do. The server's certificate is always checked.
    """

    host: str
    port: int
    greeting: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    implicit_tls: bool = False
    clear_text: bool = False
    authorities: str = field(default="", repr=False)
    timeout: float = TIMEOUT
    eight_bit: bool = False

    def deliver(self, message: EmailMessage, name: str) -> None:  # noqa: ARG002  # for files
        """Send a message; its Message-ID is what a server can know a repetition by.

        Raises DeliveryFailed, and DeliveryRefused.
        """
        try:
            with self._signed_in() as server:
                if not str(message["To"]).isascii() and not server.has_extn("smtputf8"):
                    raise DeliveryRefused("The server does not take the letters of this address.")
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            answer = lasting_answer(error)
            why = describe(error, [*self._secrets(), *links_of(message)])
            if answer is not None:
                raise DeliveryRefused(why, answer) from error
            raise DeliveryFailed(why) from error

    def takes_utf8(self) -> bool:
        """Ask the server, in a few seconds: somebody waits for the answer."""
        try:
            with replace(self, timeout=min(self.timeout, ASKING))._signed_in() as server:
                return server.has_extn("smtputf8")
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(describe(error, self._secrets())) from error

    def _secrets(self) -> list[str]:
        """What the server was told, as it is and as it travels (RFC 4616, RFC 4954)."""
        if self.user is None:
            return []
        password = self.password or ""
        travels = (password, self.user, f"\0{self.user}\0{password}")
        return [password, *(b64encode(each.encode()).decode() for each in travels)]

    @contextmanager
    def _signed_in(self) -> Iterator[smtplib.SMTP]:
        """A connection that takes mails; how its end goes is of no matter."""
        server = self._connect()
        try:
            self._authenticate(server)
            yield server
        finally:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()

    def _connect(self) -> smtplib.SMTP:
        if self.implicit_tls:
            return smtplib.SMTP_SSL(
                self.host, self.port, self.greeting, timeout=self.timeout, context=self._context()
            )
        return smtplib.SMTP(self.host, self.port, self.greeting, timeout=self.timeout)

    def _context(self) -> ssl.SSLContext:
        """Checks the server's certificate, against the system's authorities or those of the setting."""
        return ssl.create_default_context(cadata=self.authorities or None)

    def _authenticate(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        encrypted = self.implicit_tls
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=self._context())
            server.ehlo()
            encrypted = True
        if not (encrypted or self.clear_text):
            raise DeliveryFailed("The server offers no TLS, and mails hold links that open accounts.")
        if self.user is None:
            return
        if not encrypted:
            raise DeliveryFailed("The server offers no TLS, and the password stays at home.")
        server.login(self.user, self.password or "")


MAIL_URL = (
    "PORTAL_MAIL_URL must be file:, smtp://user:password@host:port or smtps://…; in user and password "
    "write : / @ [ and ] as %3A %2F %40 %5B and %5D."
)


def create_transport(settings: Settings) -> Transport:
    """Read ``PORTAL_MAIL_URL``; ConfigurationError when it, or the sender, can't be used."""
    if not sender_is_usable(settings.mail_from):
        raise ConfigurationError("PORTAL_MAIL_FROM must be an address, like Name <name@host>.")
    try:
        parts = urlsplit(settings.mail_url.get_secret_value())
        port = parts.port
    except ValueError:  # it may quote a piece of the password, and so must not go with what is raised
        parts, port = urlsplit(""), None
    if parts.scheme == "file":
        return FileTransport(Path(parts.path or settings.instance_path / "mail"))
    credentials = [unquote(part) if part else None for part in (parts.username, parts.password)]
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or port == 0:
        raise ConfigurationError(MAIL_URL)
    if any(part and not part.isascii() for part in credentials):
        raise ConfigurationError("The user and password in PORTAL_MAIL_URL must be ASCII.")
    usual = SUBMISSION_PORT if parts.username else SMTP_PORT
    return SmtpTransport(
        host=parts.hostname,
        port=port or (SMTPS_PORT if parts.scheme == "smtps" else usual),
        greeting=_greeting(settings.base_url),
        user=credentials[0],
        password=credentials[1],
        implicit_tls=parts.scheme == "smtps",
        clear_text=settings.mail_clear_text or is_loopback(parts.hostname),
        authorities=settings.mail_ca,
    )


def sender_is_usable(sender: str) -> bool:
    """Whether a text such as ``Name <name@host>`` can stand as the sender."""
    name, _, host = parseaddr(sender)[1].rpartition("@")
    return bool(name and host) and sender.isprintable()


def lasting_answer(error: Exception) -> int | None:
    """The code with which a server refused this recipient or this message for good (RFC 5321, 4.2.1).

    None for anything else. What it says of the sender, of the sign-in (530 to 538) or of itself
    is for an operator to mend, and the mail is tried again then.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    elif isinstance(error, smtplib.SMTPDataError):
        codes = [error.smtp_code]
    else:
        return None
    lasting = [code for code in codes if 500 <= code < 600 and code // 10 != AUTHENTICATION]
    return lasting[0] if lasting and len(lasting) == len(codes) else None


def links_of(message: EmailMessage) -> list[str]:
    """What the links of a message open something with: the last part of each."""
    body = message.get_body(("plain",))
    return TOKEN.findall(body.get_content()) if body is not None else []


def describe(error: Exception, secrets: Iterable[str] = ()) -> str:
    """Say in one line what went wrong, in the words of who says it.

    Left out are ``secrets``, wherever they stand, and what has the form of an address, a link or a
    token of ours.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = [f"{code} {_text(words)}" for code, words in error.recipients.values()]
        said = f"The recipient was refused: {'; '.join(answers)}"
    elif isinstance(error, smtplib.SMTPResponseException):
        said = f"The server answered {error.smtp_code}: {_text(error.smtp_error)}"
    elif isinstance(error, ssl.SSLError):
        said = f"TLS failed: {_reason(error)}"
    elif isinstance(error, OSError) and error.strerror:
        said = f"The server can't be reached: {error.strerror}"
    else:
        said = f"The server can't be reached: {type(error).__name__}"
        said += f": {error}" if str(error) else ""
    for secret in sorted(filter(None, set(secrets)), key=len, reverse=True):
        said = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", said)
    said = re.sub(rf"\S+@\S+|https?://\S+|{FORM}", "…", said)
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's name for it, and what it says of a certificate."""
    parts = [getattr(error, "reason", None), getattr(error, "verify_message", None)]
    return ": ".join(part for part in parts if part) or "no reason given"


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _greeting(base_url: str) -> str:
    """The name for EHLO: the portal's host; an address stands in brackets (RFC 5321, 4.1.3)."""
    host = urlsplit(base_url).hostname or "localhost"
    if ":" in host:
        return f"[IPv6:{host}]"
    return f"[{host}]" if host.replace(".", "").isdigit() else host
