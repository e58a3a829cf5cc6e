"""Leaked secrets over the wire: from strangers, and from GitHub (row 55)."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.runtime import runtime_of
from portal.services.abuse.github_signatures import read_keys
from portal.services.abuse.leaks import MOST_SECRETS
from portal.services.keys.secrets import create_secret
from portal.services.ratelimits import questions
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.github import Signer, listing
from tests.support.mailbox import Mailbox

SIGNER = Signer()
URL = "https://github.com/alice/repo/blob/1234/.env"
UNKNOWN = create_secret("chk")

Send = Callable[..., TestResponse]


@pytest.fixture
def app(make_app: MakeApp, tmp_path: Path) -> Flask:
    """The application, told where GitHub's public keys are."""
    path = tmp_path / "keys.json"
    path.write_bytes(listing(SIGNER))
    app = make_app(PORTAL_GITHUB_KEYS=str(path))
    with app.app_context():
        read_keys(str(path))
    return app


@pytest.fixture
def send(client: PageChecker) -> Send:
    """Send what GitHub would: matches, or raw bytes, with the headers of its signature."""

    def send(matches: Any, signer: Signer = SIGNER, **headers: str) -> TestResponse:
        body = matches if isinstance(matches, bytes) else json.dumps(matches).encode()
        return client.post("/api/leaks/github", data=body, headers=signer.headers(body) | headers)

    return send


def match(token: str, **more: str) -> dict[str, str]:
    return {"token": token, "type": "chatelaine_key", "url": URL, "source": "content", **more}


def outcome(app: Flask, created: CreatedKey) -> str:
    return str(runtime_of(app).verifier.decide(created.id, created.secret).outcome)


def code(answer: TestResponse) -> tuple[int, str]:
    assert answer.json
    return answer.status_code, str(answer.json["error"])


def test_a_report_ends_the_key_and_tells_the_reporter_nothing(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, mailbox: Mailbox
) -> None:
    created = make_key(cast.alice)
    bodies = (
        {"secrets": [UNKNOWN], "url": URL},
        {"secrets": ["nothing of ours"]},
        {"secrets": [created.secret, UNKNOWN], "url": URL},
        {"secrets": [created.secret], "url": URL},
    )

    answers = [client.post("/api/leaks", json=body) for body in bodies]

    assert {(each.status_code, each.data) for each in answers} == {(202, b'{"result":"success"}')}
    assert len({tuple(sorted(each.headers.keys())) for each in answers}) == 1
    assert outcome(app, created) == "apikeyRevoked"
    assert f"Found at: {URL}" in mailbox.last(to=cast.alice.email).text


@pytest.mark.sqlite_only(reason="what is refused never reaches the database")
@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"url": URL}, "secretsMissing"),
        ({"secrets": []}, "secretsMissing"),
        ({"secrets": None}, "secretsMissing"),
        ({"secrets": UNKNOWN}, "fieldInvalid"),
        ({"secrets": [None, 7]}, "fieldInvalid"),
        ({"secrets": {"0": UNKNOWN}}, "fieldInvalid"),
        ({"secrets": [UNKNOWN], "url": 7}, "fieldInvalid"),
        ({"secrets": ["x"] * (MOST_SECRETS + 1)}, "secretsTooMany"),
        ([UNKNOWN], "bodyNotJson"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_report_of_the_wrong_shape_is_refused(client: PageChecker, body: object, error: str) -> None:
    answer = client.post("/api/leaks", json=body)

    assert code(answer) == (400, error)
    assert UNKNOWN not in answer.text


def test_a_thousand_secrets_fit_into_one_report(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.alice)
    secrets = [create_secret("chk_a_longer_one") for _ in range(MOST_SECRETS - 1)] + [created.secret]

    assert client.post("/api/leaks", json={"secrets": secrets}).status_code == 202
    assert outcome(app, created) == "apikeyRevoked"


def test_a_flood_is_slowed_and_told_until_when(client: PageChecker, clock: Clock) -> None:
    clock.stop()
    body = {"secrets": [UNKNOWN]}
    for _ in range(questions.LEAK_SOURCE.amount):
        assert client.post("/api/leaks", json=body).status_code == 202

    refused = client.post("/api/leaks", json=body)

    assert code(refused) == (429, "tooManyRequests")
    wait = int(refused.headers["Retry-After"])
    assert 0 < wait <= 3600
    assert client.post("/leaks", data={"text": UNKNOWN}).status_code == 429, "pages and API count together"
    clock.forward(seconds=wait)
    assert client.post("/api/leaks", json=body).status_code == 202


def test_what_github_has_signed_ends_keys_and_is_answered(
    app: Flask, send: Send, cast: Cast, make_key: MakeKey, mailbox: Mailbox
) -> None:
    created = make_key(cast.alice)

    answer = send([match(UNKNOWN), match(created.secret), match(created.secret, url="", source="npm")])

    assert answer.status_code == 200
    verdicts = [
        (UNKNOWN, "false_positive"),
        (created.secret, "true_positive"),
        (created.secret, "true_positive"),
    ]
    assert answer.json == [
        {
            "token_hash": sha256(token.encode()).hexdigest(),
            "token_type": "chatelaine_key",
            "label": label,
        }
        for token, label in verdicts
    ]
    assert created.secret not in answer.text
    assert outcome(app, created) == "apikeyRevoked"
    mail = mailbox.last(to=cast.alice.email)
    assert f"Found at: {URL} (content)\n" in mail.text
    assert "- (npm)\n" in mail.text


def test_a_replay_ends_nothing_twice_and_mails_nothing_twice(
    database: Database, send: Send, cast: Cast, make_key: MakeKey, mailbox: Mailbox
) -> None:
    created = make_key(cast.alice)
    first, mails = send([match(created.secret)]), len(mailbox.all())
    rows = database.rows()

    again = send([match(created.secret)])

    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert database.rows() == rows
    assert len(mailbox.all()) == mails


def test_a_thousand_matches_are_taken_at_once(app: Flask, send: Send, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    others = [match(create_secret("chk")) for _ in range(1000)]

    answer = send([*others, match(created.secret)])

    assert [each["label"] for each in answer.json or []] == ["false_positive"] * 1000 + ["true_positive"]
    assert outcome(app, created) == "apikeyRevoked"


FORGERIES: dict[str, Callable[[bytes], tuple[bytes, dict[str, str], int]]] = {
    "tampered": lambda body: (body.replace(b"content", b"commit!"), SIGNER.headers(body), 400),
    "a space more": lambda body: (body + b" ", SIGNER.headers(body), 400),
    "by somebody else": lambda body: (body, Signer().headers(body), 400),
    "with an unknown key": lambda body: (body, Signer("other").headers(body), 400),
    "cut short": lambda body: (
        body,
        {**SIGNER.headers(body), "Github-Public-Key-Signature": SIGNER.signature(body)[:20]},
        400,
    ),
    "without its signature": lambda body: (body, {"Github-Public-Key-Identifier": "first"}, 404),
    "without its key": lambda body: (body, {"Github-Public-Key-Signature": "x"}, 404),
    "with nothing": lambda body: (body, {}, 404),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forgery_does_nothing(
    app: Flask, database: Database, client: PageChecker, cast: Cast, make_key: MakeKey, how: str
) -> None:
    created = make_key(cast.alice)
    body, headers, status = FORGERIES[how](json.dumps([match(created.secret)]).encode())
    rows = database.rows()

    answer = client.post("/api/leaks/github", data=body, headers=headers)

    assert code(answer) == (status, "signatureInvalid" if status == 400 else "notFound")
    assert outcome(app, created) == "good"
    changed = {name for name, found in database.rows().items() if found != rows[name]}
    assert changed <= {"limit_counters"}


def test_the_signature_is_looked_at_before_the_body(client: PageChecker, send: Send) -> None:
    body = b"{not JSON"

    assert code(client.post("/api/leaks/github", data=body, headers=Signer().headers(body))) == (
        400,
        "signatureInvalid",
    )
    assert code(send(body)) == (400, "bodyNotJson")


@pytest.mark.sqlite_only(reason="what is refused never reaches the database")
@pytest.mark.parametrize(
    ("matches", "error"),
    [
        ({"token": UNKNOWN}, "bodyNotJson"),
        ("text", "bodyNotJson"),
        ([UNKNOWN], "fieldInvalid"),
        ([{"type": "x"}], "fieldInvalid"),
        ([{"token": 7}], "fieldInvalid"),
        ([None, {"token": None}, [match(UNKNOWN)]], "fieldInvalid"),
        (b'[{"token": "a"}', "bodyNotJson"),
    ],
    ids=range(7),  # the secret is another one in each process of a test run
)
def test_signed_nonsense_is_refused(send: Send, matches: Any, error: str) -> None:
    answer = send(matches)

    assert code(answer) == (400, error)
    assert UNKNOWN not in answer.text


BAD_ENTRIES: dict[str, tuple[bytes, int]] = {
    "no object": (b'"text"', 0),
    "nothing": (b"null", 0),
    "a list": (b"[[]]", 0),
    "no token": (b'{"type": "x"}', 0),
    "a token that is a number": (b'{"token": 7}', 0),
    "a type that is a number": (b'{"token": "x", "type": 7}', 1),
    "a place that is a number": (b'{"token": "x", "url": 7, "source": {}}', 1),
    "nothing but a token": (b'{"token": "x", "type": null, "url": null, "source": null}', 1),
    "a name that stands twice": (b'{"token": "a", "token": "b", "url": "", "url": ""}', 1),
    "NUL": (b'{"token": "a\\u0000", "type": "\\u0000", "url": "\\u0000"}', 1),
    "half a pair": (b'{"token": "\\ud800", "type": "\\ud800", "url": "\\udfff"}', 1),
    "no UTF-8": (b'{"token": "\xff", "type": "\xc3", "url": "\xff"}', 1),
    "no number": (b'{"token": "x", "more": NaN}', 1),
    "a long number": (b'{"token": "x", "more": ' + b"9" * 5000 + b"}", 1),
}


@pytest.mark.parametrize("what", BAD_ENTRIES)
@pytest.mark.parametrize("before", [True, False])
def test_an_entry_that_can_not_be_read_keeps_no_leaked_key_alive(
    app: Flask, send: Send, cast: Cast, make_key: MakeKey, what: str, before: bool
) -> None:
    created = make_key(cast.alice)
    entry, verdicts = BAD_ENTRIES[what]
    good = json.dumps(match(created.secret)).encode()

    answer = send(b"[" + b",".join([entry, good] if before else [good, entry]) + b"]")

    assert answer.status_code == 200
    labels = [each["label"] for each in answer.json or []]
    assert sorted(labels) == ["false_positive"] * verdicts + ["true_positive"]
    assert outcome(app, created) == "apikeyRevoked"


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf%s", b"\r\n %s \n"])
def test_a_mark_or_space_around_githubs_report_is_no_error(
    app: Flask, send: Send, cast: Cast, make_key: MakeKey, data: bytes
) -> None:
    created = make_key(cast.alice)

    assert send(data % json.dumps([match(created.secret)]).encode()).status_code == 200
    assert outcome(app, created) == "apikeyRevoked"


@pytest.mark.parametrize("odd", [7, None, {}, ["x"], True], ids=ascii)
def test_so_does_none_in_a_strangers_list(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, odd: object
) -> None:
    created = make_key(cast.alice)

    answer = client.post("/api/leaks", json={"secrets": [odd, created.secret]})

    assert answer.status_code == 202
    assert outcome(app, created) == "apikeyRevoked"


def test_an_empty_report_and_unknown_fields_are_no_error(send: Send) -> None:
    assert (send([]).status_code, send([]).json) == (200, [])
    assert send([{"token": "x", "new": {"field": 1}}]).status_code == 200


def test_a_flood_of_forgeries_is_slowed_and_a_good_signature_passes(
    client: PageChecker, send: Send, cast: Cast, make_key: MakeKey, app: Flask
) -> None:
    created, forger = make_key(cast.alice), Signer()
    statuses = [send([], forger).status_code for _ in range(questions.SIGNATURE_SOURCE.amount + 1)]

    assert set(statuses[:-1]) == {400}
    assert statuses[-1] == 429
    assert send([match(created.secret)]).status_code == 200
    assert outcome(app, created) == "apikeyRevoked"


def test_without_the_keys_it_is_asked_to_come_again(make_app: MakeApp, tmp_path: Path) -> None:
    path = tmp_path / "soon-gone.json"
    path.write_text("soon gone")
    client = make_app(PORTAL_GITHUB_KEYS=str(path)).test_client()

    answer = client.post("/api/leaks/github", data=b"[]", headers=SIGNER.headers(b"[]"))

    assert code(answer) == (503, "busy")
    assert answer.headers["Retry-After"] == "300"


def test_where_it_is_not_set_up_there_is_no_receiver(make_app: MakeApp) -> None:
    client = make_app().test_client()

    answer = client.post("/api/leaks/github", data=b"[]", headers=SIGNER.headers(b"[]"))

    assert code(answer) == (404, "notFound")
