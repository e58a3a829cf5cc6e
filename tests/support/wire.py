"""A small client for the real server: one kept connection, cookies, forms."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from bs4 import BeautifulSoup

from tests.support.client import find_form, form_values

TIMEOUT = 30.0


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: http.client.HTTPMessage
    data: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.data.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.data)

    @property
    def page(self) -> BeautifulSoup:
        """The body as a page."""
        return BeautifulSoup(self.text, "html.parser")


class Wire:
    """One kept connection to one server, with cookies of its own."""

    def __init__(self, port: int, *, headers: dict[str, str] | None = None) -> None:
        self.cookies: dict[str, str] = {}
        self.headers = headers or {}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request and read its answer."""
        sent = {**self.headers, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self._connection.request(method, path, body, sent)
        response = self._connection.getresponse()
        data = response.read()
        for line in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return Answer(response.status, response.headers, data)

    def get(self, path: str, **headers: str) -> Answer:
        """Get a page."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, fields: dict[str, Any]) -> Answer:
        """Post the fields of a form as they are."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(fields).encode(), kind)

    def submit(self, path: str, fields: dict[str, Any], *, form: str | None = None) -> Answer:
        """Fill in the form that stands on the page at ``path``, and send it."""
        answer = self.get(path)
        assert answer.status == 200, f"GET {path} gave {answer.status}"
        found = find_form(answer.page, form)
        return self.post(str(found["action"]), {**form_values(found), **fields})

    def send_json(self, method: str, path: str, body: Any, **headers: str) -> Answer:
        """Send a JSON body."""
        kind = {"Content-Type": "application/json", **headers}
        return self.ask(method, path, json.dumps(body).encode(), kind)


def path_of(link: str) -> str:
    """The path of a link, with its query."""
    parts = urlsplit(link)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def basic(user: str, password: str) -> dict[str, str]:
    """What ``curl -u user:password`` sends."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
