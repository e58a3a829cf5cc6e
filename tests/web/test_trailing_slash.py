"""A trailing slash leads on to the page, and nowhere else."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.sqlite_only(reason="nothing of this asks the database")


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/docs/", "/docs"),
        ("/account/keys/?status=live&q=a%20b", "/account/keys?status=live&q=a%20b"),
        ("/admin/accounts/", "/admin/accounts"),
        (
            "/account/keys/0190b1f2-0000-7000-8000-000000000001/",
            "/account/keys/0190b1f2-0000-7000-8000-000000000001",
        ),
    ],
)
def test_it_leads_to_the_page(client, asked, led_to):
    answer = client.get(asked)

    assert (answer.status_code, answer.location) == (308, led_to)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing/",
        "/docs//",
        "//evil.example/",
        "/%2fevil.example/",
        "/\\evil.example/",
        "/account/keys/no-id/",
        "/api/whoami/key/",
        "/api/",
    ],
)
def test_what_is_no_page_is_not_there(client, path):
    answer = client.get("/", environ_overrides={"PATH_INFO": unquote(path)})

    assert answer.status_code in {404, 405}
    assert answer.location is None


def test_slashes_in_the_middle_lead_to_this_portal(client):
    answer = client.get("/", environ_overrides={"PATH_INFO": "//docs/"})

    assert answer.location in {"/docs", "http://localhost/docs/"}


def test_only_reading_leads_on(client):
    assert client.post("/signin/").status_code in {400, 404}


def test_below_a_path_it_stays_there(make_app):
    client = make_app(PORTAL_BASE_URL="http://localhost/keys").test_client()

    assert client.get("/keys/docs/").location == "/keys/docs"
