"""Mails: from a letter to a message with a plain text and an HTML part.

Each mail is one template in ``templates/mail``, rendered twice: once with macros that write
text, once with macros of the same names that write HTML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from urllib.parse import urlsplit

import idna
from babel import Locale
from flask import current_app
from flask_babel import force_locale, format_date, get_babel, gettext
from jinja2 import Environment

from config_looks import THREAD
from portal import clock
from portal.extensions import settings
from portal.levels import levels
from portal.services.mail.outbox import Claim, MailContent, PreparedMail

LONGEST_LINE = 900
"""Characters; RFC 5321 (4.5.3.1.6) allows 998 octets, and links must not be cut."""

OPTIONAL = ("source", "made_by_key", "names", "service", "reported", "line", "others", "locked", "why")
"""Params that a mail may go without; all others must be there."""

SOURCE_LANGUAGE = "en"
DATES_OF_ENGLISH = "en_GB"
"""The day before the month, as on the pages."""


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class MailUnusable(Exception):
    """The mail can't be made, now or ever: its address can't stand in a header."""


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """What is read: the subject in one line, and the same words twice."""

    subject: str
    text: str
    html: str


def render(letter: MailContent, language: str) -> RenderedMail:
    """Write a letter in the language of its reader. It may hold a token, so it is not kept."""
    text, html = _environments(current_app.jinja_env)
    language = language if language in _translated() else SOURCE_LANGUAGE
    with force_locale(DATES_OF_ENGLISH if language == SOURCE_LANGUAGE else language):
        values = (
            dict.fromkeys(OPTIONAL)
            | letter.params
            | {
                "base_url": settings.base_url,
                "moment": _moment,
                "sentences": {level.number: level.sentence for level in levels()},
                "language": language,
                "direction": Locale.parse(language).text_direction,
                "brand": settings,
                "accent": settings.accent or THREAD,
                "people": settings.support_contact or gettext("the people who run this portal"),
            }
        )
        name = f"mail/{letter.template}.jinja"
        plain = text.get_template(name).make_module({**values, "macros": "mail/_text.jinja"})
        rich = html.get_template(name).make_module({**values, "macros": "mail/_html.jinja"})
        subject = " ".join(str(getattr(plain, "subject", "")).split())
        return RenderedMail(subject, _tidy(str(plain)), _tidy(str(rich)))


def compose(prepared: PreparedMail, claim: Claim, *, eight_bit: bool) -> EmailMessage:
    """Make the message of a claimed row (RFC 5322); the same row always has the same id.

    ``eight_bit`` keeps other letters than ASCII as they are instead of quoting them.
    Raises MailUnusable when the address can't stand in a header.
    """
    mail = render(prepared.letter, prepared.language)
    to = _recipient(prepared.recipient)
    message = EmailMessage(policy=SMTP.clone(utf8=not to.addr_spec.isascii()))
    message["From"] = _sender()
    message["To"] = to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(clock.utcnow())
    message["Message-ID"] = _message_id(claim)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte=_encoding(mail.text, eight_bit))
    message.add_alternative(mail.html, subtype="html", cte=_encoding(mail.html, eight_bit))
    return message


@lru_cache(maxsize=2)
def _environments(pages: Environment) -> tuple[Environment, Environment]:
    """The two environments of mails beside that of the pages: text and HTML."""
    text, html = (
        pages.overlay(
            autoescape=autoescape,
            bytecode_cache=None,  # it would hand the text to the HTML and the other way round
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for autoescape in (False, True)
    )
    return text, html


def _translated() -> set[str]:
    """The languages that there is a catalogue for; in others a mail is written in English."""
    return {locale.language for locale in get_babel().instance.list_translations()}


def _moment(text: str) -> str:
    """Write a moment that is kept as ISO 8601 for a reader: its day in words, minute and UTC."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{format_date(moment, 'long', rebase=False)}, {moment:%H:%M} UTC"


def _tidy(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def _sender() -> Address | str:
    """The sender, with the portal's name where the setting has only an address."""
    name, address = parseaddr(settings.mail_from)
    if name or not address.isascii():
        return settings.mail_from
    return Address(display_name=settings.name, addr_spec=address)


def _recipient(email: str) -> Address:
    """The address as headers have it: the domain in ASCII, the name before it in its own letters.

    Raises MailUnusable. The library knows no other letters than ASCII when it reads an address
    (RFC 6532), so that it is shown a letter in the place of each of them.
    """
    name, _, domain = email.rpartition("@")
    try:
        if not domain.isascii():
            domain = idna.encode(domain, uts46=True).decode("ascii")
        read = Address(addr_spec=f"{_NOT_ASCII.sub('x', name)}@{domain}")
    except (ValueError, IndexError, MessageError) as error:
        raise MailUnusable("The address can't stand in a header.") from error
    if not (read.username and read.domain):
        raise MailUnusable("The address can't stand in a header.")
    return read if name.isascii() else Address(username=name, domain=domain)


def _message_id(claim: Claim) -> str:
    host = urlsplit(settings.base_url).hostname or "localhost"
    return f"<{claim.kind.value}.{claim.id}.{clock.to_ms(claim.created_at)}@{host}>"


def _encoding(text: str, eight_bit: bool) -> str:
    if max(map(len, text.splitlines()), default=0) > LONGEST_LINE:
        return "quoted-printable"
    if text.isascii():
        return "7bit"
    return "8bit" if eight_bit else "quoted-printable"
