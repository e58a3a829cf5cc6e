"""Logs tell no secret, and nobody can forge a line (row 45)."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.http import logs
from tests.http.conftest import Guard

SECRET = f"chk_{'aB3' * 16}Z"
BASIC = base64.b64encode(f"0190b2c4-key:{SECRET}".encode()).decode()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLWl0c2VsZg"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail(text: str) -> None:
    raise ValueError(text)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"Authorization: Basic {BASIC}",
        f"authorization=bearer {JWT}",
        JWT,
        "/confirm/Tok3n-of_the-mail",
        "https://keys.example/password/reset/Tok3n-of_the-mail?x=1",
        "/unlock/Tok3n-of_the-mail",
        "/confirm-email/Tok3n-of_the-mail",
        "/api/confirm/signup/Tok3n-of_the-mail",
        "smtp://mailer:Tok3n-of_the-mail@mail.example",
        "postgresql+psycopg://portal:Tok3n-of_the-mail@db/portal",
    ],
)
def test_what_looks_like_a_secret_is_hidden(
    guard: Guard, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    guard()

    structlog.get_logger().warning(f"it says {text} here", also=text, nested={"deep": [text]})
    logging.getLogger("some.library").warning("it says %s", text)
    try:
        fail(text)
    except ValueError:
        logging.getLogger("some.library").exception("failed")

    written = capsys.readouterr().err
    assert len(written.splitlines()) == 3
    for canary in (SECRET, BASIC, JWT, "Tok3n"):
        assert canary not in written
    assert written.count("[hidden]") >= 5


def test_a_token_in_a_path_is_not_logged_when_its_page_fails(
    guard: Guard, capsys: pytest.CaptureFixture[str]
) -> None:
    guard().test_client().get("/confirm/Tok3n-of_the-mail?next=Tok3n")

    failed, answered = lines(capsys)
    assert failed["event"] == "Exception on /confirm/[hidden] [GET]"
    assert answered["route"] == "/confirm/<token>"
    assert answered["status"] == 500
    assert answered["level"] == "warning"
    assert failed["request_id"] == answered["request_id"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_whatever_is_logged_is_one_line_of_json(
    guard: Guard, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    guard()

    structlog.get_logger().info(text, value=text)

    written = capsys.readouterr().err
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written
    assert json.loads(written)["level"] == "info"


def test_a_request_cannot_forge_a_line(guard: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    forged = '/x\r\n{"event": "forged"}\x1b[31m'

    guard().test_client().get("/", environ_overrides={"PATH_INFO": forged, "HTTP_USER_AGENT": forged})

    (line,) = lines(capsys)
    assert (line["event"], line["status"], line["route"]) == ("answered", 404, None)
    assert "forged" not in json.dumps(line)


def test_what_a_stranger_sends_takes_little_room(guard: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    long = "A" * 60_000
    app = guard()

    @app.get("/fails/<path:_path>")
    def fails(_path: str) -> None:
        raise ValueError(f"no good: {long}")

    client = app.test_client()
    client.open("/x", method=long)
    client.get(f"/fails/{'a' * 3000}", headers={"User-Agent": "a" * 5000, "Referer": "b" * 5000})
    structlog.get_logger().info(long, value=long, deep=[{"a": long}])
    logging.getLogger("some.library").warning("it says %s", long)

    written = capsys.readouterr().err.splitlines()
    assert len(written) == 5
    assert max(map(len, written)) < 10_000, "a traceback is the longest"
    assert [json.loads(line)["event"][:3] for line in written[-2:]] == ["AAA", "it "]


@pytest.mark.parametrize("place", range(470, 530))
def test_no_half_of_a_secret_is_left_where_a_line_is_cut(
    guard: Guard, capsys: pytest.CaptureFixture[str], place: int
) -> None:
    guard()

    structlog.get_logger().info("told", value=f"{'.' * place}{SECRET}", also=f"{'.' * place}Bearer {JWT}")

    written = capsys.readouterr().err
    assert "aB3" not in written
    assert "eyJ" not in written


def test_good_and_fast_answers_and_refusals_of_keys_write_nothing(
    guard: Guard, capsys: pytest.CaptureFixture[str]
) -> None:
    app = guard()

    @app.get("/api/refused")
    def refused() -> tuple[str, int]:
        return "no", 401

    client = app.test_client()
    client.get("/")
    client.get("/api/thing")
    client.get("/api/refused")

    assert capsys.readouterr().err == ""


def test_a_slow_answer_is_told(
    guard: Guard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.http.headers.SLOW", -1.0)
    monkeypatch.setattr(logs, "SLOW", -1.0)

    guard().test_client().get("/")

    (line,) = lines(capsys)
    assert (line["route"], line["status"], line["level"]) == ("/", 200, "warning")
    assert line["milliseconds"] >= 0


def test_the_level_is_set_by_its_setting(guard: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    guard(PORTAL_LOG_LEVEL="error").test_client().get("/nowhere")
    assert capsys.readouterr().err == ""

    guard(PORTAL_LOG_LEVEL="info").test_client().get("/nowhere")
    assert len(lines(capsys)) == 1, "and there is one handler, however many applications are made"


def test_on_a_terminal_it_is_read_by_people_and_forged_by_nobody(
    guard: Guard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.http.logs.sys.stderr.isatty", lambda: True, raising=False)
    guard()

    try:
        fail(f"one\ntwo \x1b[31m {SECRET}")
    except ValueError:
        structlog.get_logger("shop").exception("it\nfailed", key="a\r\x1bb")

    first, *rest = capsys.readouterr().err.split("\n")[:-1]
    assert " error it\\nfailed " in first
    assert "key=a\\r\\x1bb" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert not any("\x1b" in line or SECRET in line for line in rest)
