"""The headers of every answer (row 39)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.http.conftest import Guard

TEMPLATES = Path(__file__).parents[2] / "templates"
PAGE = {
    "Content-Security-Policy": (
        "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

CLOSED = "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of what is no page."""
ANSWERS = [
    "/",
    "/nowhere",
    "/act",
    "/healthz",
    "/api/thing",
    "/api/nowhere",
    "/static/app.css",
    "/static/none.css",
]


@pytest.mark.parametrize("path", ANSWERS)
def test_no_answer_takes_plugins_a_base_or_a_frame(guard: Guard, path: str) -> None:
    """ASVS 3.4.3, 3.4.4 and 3.4.6: pages, API, files and errors alike."""
    headers = guard().test_client().get(path, buffered=True).headers

    policy = set(headers["Content-Security-Policy"].split("; "))
    assert {"object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= policy
    assert {"form-action 'self'", "form-action 'none'"} & policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/nowhere", "/confirmed/abc", "/act", "/healthz"])
def test_every_page_has_them_errors_too(guard: Guard, path: str) -> None:
    headers = guard().test_client().get(path).headers

    assert {name: headers[name] for name in PAGE} == PAGE
    assert "camera=()" in headers["Permissions-Policy"]
    assert not [name for name, times in Counter(headers.keys()).items() if times > 1]


@pytest.mark.parametrize(
    "door", ["confirm", "setup", "unlock", "confirm-email", "stop-email", "password/reset"]
)
def test_a_page_whose_path_opens_something_keeps_it_to_itself(guard: Guard, door: str) -> None:
    """A proxy in front logs the Referer of the style sheet that it can't fetch."""
    headers = guard().test_client().get(f"/{door}/abc").headers

    assert headers.getlist("Referrer-Policy") == ["strict-origin"]
    assert {name: headers[name] for name in PAGE if name != "Referrer-Policy"} == {
        name: value for name, value in PAGE.items() if name != "Referrer-Policy"
    }


@pytest.mark.parametrize("path", ["/", "/api/thing", "/static/app.css"])
def test_hsts_is_sent_with_https_only(guard: Guard, path: str) -> None:
    public = guard(PORTAL_BASE_URL="https://keys.example").test_client()

    headers = public.get(path, base_url="https://keys.example", buffered=True).headers

    assert headers["Strict-Transport-Security"] == "max-age=63072000"
    assert "Strict-Transport-Security" not in guard().test_client().get(path, buffered=True).headers


def test_names_below_are_bound_to_https_where_the_operator_says_so(guard: Guard) -> None:
    wide = guard(PORTAL_BASE_URL="https://keys.example", PORTAL_HSTS_SUBDOMAINS="true").test_client()

    headers = wide.get("/", base_url="https://keys.example").headers

    assert headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def test_no_template_of_a_page_holds_a_script_or_a_style() -> None:
    """The policy knows no nonce and no digest, so that nothing that stands in a page itself can run."""
    pages = list(TEMPLATES.rglob("*.html"))
    inline = re.compile(r"""<style|<script(?![^>]*\ssrc=)|\sstyle=|\snonce=|\son[a-z]+=["']""")

    assert len(pages) > 50
    assert [each.name for each in pages if inline.search(each.read_text("utf-8"))] == []


@pytest.mark.parametrize("path", ["/api/thing", "/api/nowhere"])
def test_the_api_is_never_kept_and_shows_nothing_in_a_browser(guard: Guard, path: str) -> None:
    headers = guard().test_client().get(path).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == CLOSED
    assert "Access-Control-Allow-Origin" not in headers


def test_a_page_may_say_that_it_can_be_kept(guard: Guard) -> None:
    assert guard().test_client().get("/kept").headers.getlist("Cache-Control") == ["public, max-age=60"]


def test_static_files_are_versioned_and_then_kept_for_a_year(guard: Guard) -> None:
    app = guard()
    with app.test_request_context():
        url = app.url_for("static", filename="app.css")
        missing = app.url_for("static", filename="missing.css")
    client = app.test_client()

    assert re.fullmatch(r"/static/app\.css\?v=[0-9a-f]{12}", url)
    kept = client.get(url, buffered=True).headers
    assert kept.getlist("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert kept["X-Content-Type-Options"] == "nosniff"
    assert client.get("/static/app.css", buffered=True).headers["Cache-Control"] == "public, max-age=300"
    for other in (
        "v=",
        "v=1",
        f"v={'0' * 12}",
        url.partition("?")[2].upper(),
        f"{url.partition('?')[2]}&x=1",
    ):
        short = client.get(f"/static/app.css?{other}", buffered=True).headers.getlist("Cache-Control")
        assert short == ["public, max-age=300"], f"{other} is not what the file holds"
    assert missing == "/static/missing.css"
    assert client.get(f"{missing}?v=1").headers["Cache-Control"] == "no-store"
    assert client.get(missing).headers["X-Frame-Options"] == "DENY", "what tells of an error is a page"


def test_a_static_file_that_changed_is_not_kept_under_its_old_version(guard: Guard) -> None:
    app = guard()
    with app.test_request_context():
        old = app.url_for("static", filename="app.css")
    (Path(app.static_folder or "") / "app.css").write_text("p { margin: 1px }", "utf-8")
    client = app.test_client()

    assert client.get(old, buffered=True).headers["Cache-Control"] == "public, max-age=300"
    with app.test_request_context():
        new = app.url_for("static", filename="app.css")
    assert client.get(new, buffered=True).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.head(new, buffered=True).headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "way", ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "./../", "..\\\\", "%252e%252e/", "/"]
)
def test_no_path_leads_out_of_the_folder_of_static_files(guard: Guard, tmp_path: Path, way: str) -> None:
    client = guard().test_client()
    (tmp_path / "secret.txt").write_text("not for visitors", "utf-8")
    name = f"{tmp_path}/secret.txt" if way == "/" else f"{way}secret.txt"

    answer = client.get(f"/static/{name}", buffered=True)

    assert answer.status_code in {308, 404}
    assert "not for visitors" not in answer.text


def test_each_request_has_an_id_of_ours(guard: Guard) -> None:
    client = guard().test_client()

    answers = [client.get("/api/thing", headers={"X-Request-Id": "forged"}) for _ in range(3)]

    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)
    assert len(set(ids)) == 3
    assert [answer.json["id"] for answer in answers if answer.json] == ids
