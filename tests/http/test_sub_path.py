"""The portal below a path of its host (PORTAL_BASE_URL=https://host/keys)."""

from __future__ import annotations

import pytest

from portal.web.auth.safe_redirect import safe_target
from tests.http.conftest import Guard

PLACE = "https://keys.example/keys"
WITHIN = {
    "/keys/": 200,
    "/keys": 200,
    "/keys/api/thing": 200,
    "/keys/static/app.css": 200,
    "/healthz": 200,
    "/keys/healthz": 200,
    "/": 404,
    "/keyssecret": 404,
    "/KEYS/": 404,
    "/api/thing": 404,
    "/static/app.css": 404,
    "/keys//api/thing": 404,
    "/keys/keys/": 404,
}


@pytest.mark.parametrize("path", WITHIN)
def test_only_what_is_below_the_path_is_there(guard: Guard, path: str) -> None:
    client = guard(PORTAL_BASE_URL=PLACE).test_client()

    answer = client.get(path, base_url="https://keys.example", buffered=True)

    assert answer.status_code == WITHIN[path]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        ("/keys/account/keys", True),
        ("/keys/docs?x=..", True),
        ("/account/keys", False),
        ("/keysecret/", False),
        ("/keys/../admin", False),
        ("/keys/%2e%2E/admin", False),
        ("/keys/.", False),
        ("//keys/", False),
        ("https://evil.example/keys/", False),
    ],
)
def test_nobody_is_led_beside_the_path(text: str, is_ours: bool) -> None:
    assert safe_target(text, "/keys") == (text if is_ours else None)
