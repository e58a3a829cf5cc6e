"""What the gate refuses has the portal's own page, or its own JSON."""

from __future__ import annotations

import pytest

from tests.support import pages
from tests.support.client import PageChecker

CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}


def test_a_foreign_site_is_told_on_a_page(client: PageChecker) -> None:
    response = client.post("/signin", headers=CROSS_SITE, data={"username": "alice", "password": "x"})

    assert response.status_code == 403
    text = pages.parse(response).get_text()
    assert "Another site has sent this" in text
    assert response.headers["X-Request-Id"] in text


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Host": "evil.example"}, 400),
        ("/", {"Host": "x" * 5000}, 400),
        ("/signin", {"Host": "ü..example:99999"}, 400),
        ("/account/keys?" + "x" * 5000, {}, 414),
        ("/", {"X-Much": "x" * 20_000}, 431),
    ],
)
def test_a_page_says_what_is_wrong(
    client: PageChecker, path: str, headers: dict[str, str], status: int
) -> None:
    response = client.get(path, headers=headers)

    assert response.status_code == status
    assert response.headers["X-Request-Id"] in pages.parse(response).get_text()
    assert "evil.example" not in response.text


def test_the_api_says_it_in_json(client: PageChecker) -> None:
    for response in (
        client.get("/api/whoami/key", headers={"Host": "evil.example"}),
        client.get("/api/whoami/key?" + "x" * 5000),
        client.post("/api/signin", data=b"x" * 70_000, content_type="application/json"),
    ):
        assert response.status_code in {400, 413, 414}
        assert response.json
        assert response.json["result"] == "error"
        assert response.json["requestId"] == response.headers["X-Request-Id"]


def test_a_refusal_does_not_count_and_starts_nothing(client: PageChecker) -> None:
    response = client.post("/signup", headers=CROSS_SITE, data={"email": "new@example.org"})

    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
