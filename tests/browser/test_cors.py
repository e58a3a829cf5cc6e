"""A page of another site, in a real Chromium, calls the API where the operator has named it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from portal.app import create_app
from tests.conftest import StartServer, close_app
from tests.support.cast import make_person
from tests.support.rows import forge
from tests.support.settings import settings_for

pytestmark = pytest.mark.sqlite_only(reason="what a browser allows has nothing to do with the database")
CALL = """async ([url, options]) => {
    try {
        const answer = await fetch(url, options)
        const text = await answer.text()
        const left = answer.headers.get("RateLimit")
        return {status: answer.status, body: text && JSON.parse(text), left}
    } catch (error) {
        return {status: 0, body: String(error)}
    }
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with an empty page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>An app</title><h1>An app</h1>")

    def log_message(self, *args: Any) -> None:
        """Write nothing."""


@contextmanager
def site() -> Iterator[str]:
    """A site of somebody else; its origin."""
    created = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=created.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{created.server_port}"
    created.shutdown()
    thread.join()
    created.server_close()


def call(page: Page, url: str, method: str = "GET", **options: Any) -> Any:
    return page.evaluate(CALL, [url, {"method": method, **options}])


def test_a_named_site_works_with_keys_and_no_other_does(chromium: Browser, start_server: StartServer) -> None:
    with site() as named, site() as stranger:
        server = start_server(PORTAL_CORS_ORIGINS=named)
        app = create_app(settings_for(server.database.url, server.instance))
        context = chromium.new_context()
        try:
            key = forge(app, make_person(app, "kim"))
            api, json = f"{server.url}/api", {"Content-Type": "application/json"}
            own = {"X-API-Key": key.secret}
            page = context.new_page()
            page.goto(named)
            created = call(
                page, f"{api}/apikeys/key", "POST", headers={**key.headers, **json},
                body='{"name": "app", "level": 1, "expiresIn": 3600}',
            )  # fmt: skip
            assert (created["status"], created["body"]["result"]) == (201, "created")
            told = call(page, f"{api}/whoami/key", headers=own)
            assert (told["status"], told["body"]["apikey"]["key"]) == (200, key.id)
            assert told["left"].startswith('"minute";r=')
            assert call(page, f"{api}/account/key", "PATCH", headers={**own, **json}, body='{"bio": "x"}')[
                "status"
            ] == 200  # fmt: skip
            gone = f"{api}/apikeys/{created['body']['apikey']['key']}/key"
            assert call(page, gone, "DELETE", headers=own)["status"] == 204
            refused = call(page, f"{api}/whoami/key", headers={"Authorization": "Bearer x"})
            assert (refused["status"], refused["body"]["error"]) == (401, "authenticationFailed")
            assert call(page, f"{api}/whoami/key", headers=own, credentials="include")["status"] == 0
            assert call(page, f"{server.url}/healthz")["status"] == 0
            page.goto(stranger)
            for headers in (own, key.headers, {}):
                assert call(page, f"{api}/whoami/key", headers=headers)["status"] == 0
        finally:
            context.close()
            close_app(app)
