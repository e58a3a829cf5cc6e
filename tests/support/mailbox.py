"""The mails that the portal has written, as their reader gets them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

LINK = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Mail:
    """One mail."""

    message: EmailMessage

    @property
    def to(self) -> str:
        """The address it goes to."""
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        """What it is about."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The same as HTML."""
        return self._part("html")

    def link(self, part: str = "/") -> str:
        """The first link of the text that has ``part`` in it."""
        links: list[str] = [link.rstrip(".>)") for link in LINK.findall(self.text) if part in link]
        assert links, f"the mail {self.subject!r} has no link with {part!r} in it"
        return links[0]

    def path(self, part: str = "/") -> str:
        """The same link without scheme and host, as the test client wants it."""
        return "/" + self.link(part).split("/", 3)[3]

    def _part(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        assert part, f"the mail {self.subject!r} has no part in {subtype}"
        return str(part.get_content())


class Mailbox:
    """The folder that the ``file:`` transport writes to. Reading it lets the jobs run first."""

    def __init__(self, folder: Path, run_jobs: Callable[[], object]) -> None:
        self.folder = folder
        self._run_jobs = run_jobs

    def all(self, to: str | None = None) -> list[Mail]:
        """Every mail (to an address), oldest first."""
        self._run_jobs()
        files = sorted(self.folder.glob("*.eml"), key=lambda path: int(path.name.partition("-")[0]))
        mails = [Mail(_parse(path.read_bytes())) for path in files]
        return [mail for mail in mails if to is None or to in mail.to]

    def last(self, to: str | None = None) -> Mail:
        """The newest mail (to an address)."""
        mails = self.all(to)
        assert mails, f"there is no mail{f' to {to}' if to else ''}"
        return mails[-1]

    def clear(self) -> None:
        """Throw away what was written up to now."""
        self._run_jobs()
        for path in self.folder.glob("*.eml"):
            path.unlink()


def _parse(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message
