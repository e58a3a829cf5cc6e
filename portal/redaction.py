"""What is secret is hidden where it would show: by its value where that is known, and by its form."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from config import Settings

HIDDEN = "[hidden]"
ENOUGH = 8
"""Characters from which on a value is looked for anywhere; a shorter one is a word of many lines."""
LINKS = "confirm|confirm/signup|confirm-email|password/reset|setup|stop-email|unlock"
"""What stands before a one-time token in a path."""


class Redactor:
    """Hides the secrets of one installation, and whatever has the form of one."""

    def __init__(self, prefix: str, known: Iterable[str] = ()) -> None:
        values = sorted({form for value in known for form in _forms(value)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None
        self._patterns = (
            (re.compile(rf"{re.escape(prefix)}_(?:live_|test_)?[0-9A-Za-z]{{49}}"), HIDDEN),
            (re.compile(r"\b(Basic|Bearer)\s+[^\s\"',;]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
            (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
            (re.compile(rf"/({LINKS})/(?!signup\b|<)[^\s/?\"'\\<>]+"), rf"/\1/{HIDDEN}"),
            (re.compile(r"(://[^/\s:@\"']*:)[^@/\s\"']+@"), rf"\1{HIDDEN}@"),
        )

    def hide(self, text: str) -> str:
        """Give a text back without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, replacement in self._patterns:
            text = pattern.sub(replacement, text)
        return text


def redactor_of(settings: Settings) -> Redactor:
    """The redactor that knows what the settings hold."""
    return Redactor(settings.key_prefix, _secrets_of(settings))


def _secrets_of(settings: Settings) -> Iterator[str]:
    yield settings.secret_key.get_secret_value()
    yield from (pepper.decode("utf-8", "replace") for pepper in settings.peppers.get_secret_value().values())
    yield os.environ.get("PGPASSWORD", "")
    for url in (settings.database_url, settings.mail_url, settings.limits_store):
        with suppress(ValueError):  # what can't be read is refused elsewhere
            parts = urlsplit(url.get_secret_value())
            yield parts.password or ""
            yield from re.findall(r"(?:^|&)(?:ssl)?password=([^&]+)", parts.query)


def _forms(value: str) -> Iterator[str]:
    """How a secret may be written: as it is, as an address has it, in a line of JSON, in base64."""
    plain = unquote(value)
    if len(plain) >= ENOUGH:
        for text in (value, plain, quote(plain, safe="")):
            yield text
            yield json.dumps(text)[1:-1]
            yield repr(text)[1:-1]
        yield b64encode(plain.encode("utf-8", "replace")).decode()
