"""The page for leaked secrets: one field, the same thanks, and no memory (row 55)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from portal.models import Action
from portal.runtime import runtime_of
from portal.services.abuse.leaks import MOST_SECRETS
from portal.services.core import audit
from portal.services.keys.secrets import create_secret
from tests.conftest import MakeKey
from tests.support import pages
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

PLACE = "a wiki page of ours"
UNKNOWN = create_secret("chk")


def outcome(app: Flask, created: CreatedKey) -> str:
    return str(runtime_of(app).verifier.decide(created.id, created.secret).outcome)


def test_a_paste_ends_every_key_whose_secret_is_in_it(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, mailbox: Mailbox
) -> None:
    hers, his, other = make_key(cast.alice), make_key(cast.bob), make_key(cast.bob)
    paste = f'KEY="{hers.secret}"\r\n+curl -u {his.id}:{his.secret} https://x.example\r\n{other.secret[:-1]}'

    answer = client.submit("/leaks", {"text": paste, "found_at": PLACE}, follow=True)

    assert pages.parse(answer).h1.get_text(strip=True) == "Thank you"  # type: ignore[union-attr]
    assert [outcome(app, each) for each in (hers, his, other)] == ["apikeyRevoked", "apikeyRevoked", "good"]
    for owner in (cast.alice, cast.bob):
        assert f"Found at: {PLACE}" in mailbox.last(to=owner.email).text


def test_the_answer_is_the_same_whatever_was_found(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.alice)
    texts = ("nothing", UNKNOWN, created.secret, created.secret)

    answers = [client.submit("/leaks", {"text": text}) for text in texts]

    assert {(each.status_code, each.headers["Location"]) for each in answers} == {(303, "/leaks/thanks")}
    assert len({each.data for each in answers}) == 1


@pytest.mark.sqlite_only(reason="what is refused is shown without the database")
@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 422, "Paste the secret, or the text"),
        ("\n".join(create_secret("chk") for _ in range(MOST_SECRETS + 1)), 422, "at most 1000"),
        ("x" * 200_000, 413, ""),
        ("a\0b", 400, ""),
    ],
    ids=["empty", "too many", "too large", "NUL"],
)
def test_a_refusal_gives_nothing_back(client: PageChecker, text: str, status: int, said: str) -> None:
    answer = client.submit("/leaks", {"text": text, "found_at": f"see {UNKNOWN}"})

    assert answer.status_code == status
    assert said in answer.text
    assert UNKNOWN not in answer.text
    assert text[:60] not in answer.text or not text


def test_without_its_token_the_form_does_nothing(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.alice)

    answer = client.post("/leaks", data={"text": created.secret})

    assert answer.status_code == 400
    assert created.secret not in answer.text
    assert outcome(app, created) == "good"


def test_the_text_is_kept_nowhere(
    database: Database, client: PageChecker, cast: Cast, make_key: MakeKey, caplog: pytest.LogCaptureFixture
) -> None:
    created = make_key(cast.alice)
    with caplog.at_level("DEBUG"):
        client.submit("/leaks", {"text": f"canary text {created.secret} {UNKNOWN}", "found_at": UNKNOWN})

    for where in (database.dump(), caplog.text):
        assert not any(each in where for each in ("canary text", created.secret, UNKNOWN))


def test_whoever_is_signed_in_learns_nothing_from_their_own_record(
    app: Flask, new_client: Callable[[], PageChecker], cast: Cast, make_key: MakeKey
) -> None:
    created, bob, alice = make_key(cast.alice, name="the-name-of-it"), new_client(), new_client()
    cast.bob.sign_in(bob)
    cast.alice.sign_in(alice)
    bob.environ_base["REMOTE_ADDR"] = "127.0.0.66"
    bob.submit("/leaks", {"text": created.secret, "found_at": PLACE}, form="/leaks")

    with app.app_context():
        [event] = audit.list_events(action=Action.KEY_REVOKED)
    assert (event.actor_account_id, event.ip_address) == (None, "127.0.0.66")
    assert "the-name-of-it" not in bob.get("/account/activity").text
    told = pages.parse(alice.get("/account/activity")).get_text(" ")
    for words in ("secret leaked", "reported on the leaks page", f"found at {PLACE}"):
        assert words in told
    assert "127.0.0.66" not in told


def test_it_is_found_from_every_page_and_from_security_txt(client: PageChecker) -> None:
    assert client.page("/").select_one("footer a[href='/leaks']")
    assert "/leaks\n" in client.get("/.well-known/security.txt").text
