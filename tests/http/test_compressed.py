"""Static files go as gzip to those who take it, and mean the same."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.http import compressed

STYLE = "body { color: red; }\n" * 100


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    (tmp_path / "a.css").write_text(STYLE)
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(1000))
    app = Flask("static", static_folder=str(tmp_path), static_url_path="/static")
    compressed.init_app(app)
    return app.test_client()


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.1", "*"])
def test_who_takes_gzip_gets_it(client: FlaskClient, accepted: str) -> None:
    answer = client.get("/static/a.css", headers={"Accept-Encoding": accepted})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data).decode() == STYLE
    assert int(answer.headers["Content-Length"]) == len(answer.data) < len(STYLE) / 5
    assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.parametrize("accepted", [None, "", "identity", "br", "gzip;q=0", "gzip;q=0, *"])
def test_who_does_not_gets_the_file(client: FlaskClient, accepted: str | None) -> None:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    answer = client.get("/static/a.css", headers=headers, buffered=True)

    assert "Content-Encoding" not in answer.headers
    assert answer.text == STYLE
    assert "Accept-Encoding" in answer.headers["Vary"], "a cache must know that there is another"


def test_what_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    for accepted in ("gzip", "identity"):
        headers = {"Accept-Encoding": accepted}
        etag = client.get("/static/a.css", headers=headers, buffered=True).headers["ETag"]
        again = client.get("/static/a.css", headers=headers | {"If-None-Match": etag}, buffered=True)
        assert (again.status_code, again.data) == (304, b"")


def test_a_part_is_a_part_of_the_file_itself(client: FlaskClient) -> None:
    headers = {"Accept-Encoding": "gzip", "Range": "bytes=0-3"}
    answer = client.get("/static/a.css", headers=headers, buffered=True)

    assert (answer.status_code, answer.text) == (206, "body")
    assert "Content-Encoding" not in answer.headers


def test_a_file_that_has_changed_is_compressed_anew(client: FlaskClient, tmp_path: Path) -> None:
    headers = {"Accept-Encoding": "gzip"}
    client.get("/static/a.css", headers=headers)
    (tmp_path / "a.css").write_text("body {}")

    assert gzip.decompress(client.get("/static/a.css", headers=headers).data) == b"body {}"


def test_what_is_compressed_already_is_left_alone(client: FlaskClient) -> None:
    answer = client.get("/static/a.png", headers={"Accept-Encoding": "gzip"}, buffered=True)

    assert "Content-Encoding" not in answer.headers
