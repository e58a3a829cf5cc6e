"""A secret that is reported ends its key, once, and its owner is told (row 55)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask

from portal.models import Action, ActorKind, ApiKey, AuditEvent, RevocationReason
from portal.runtime import runtime_of
from portal.services.abuse import leaks
from portal.services.abuse.leaks import Leak, Reporter
from portal.services.accounts import removal
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.keys import queries as key_queries
from portal.services.keys import secrets
from portal.services.keys.revocation import MOST_NAMED
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast, CreatedKey, Person
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.mailbox import Mailbox
from tests.support.settings import PEPPERS

FINDER = Actor(ActorKind.ANONYMOUS, ip_address="198.51.100.7", request_id="r1")
PLACE = "https://git.example/alice/repo/blob/main/.env"
STRANGERS = [secrets.create_secret("chk") for _ in range(3)]

Report = Callable[..., frozenset[str]]


@pytest.fixture
def report(app: Flask) -> Report:
    def report(*given: str, found_at: str = PLACE, reporter: Reporter = Reporter.API) -> frozenset[str]:
        with app.app_context():
            return leaks.report(FINDER, [Leak(each, found_at) for each in given], reporter)

    return report


def key_of(app: Flask, owner: Person, created: CreatedKey) -> ApiKey:
    with app.app_context():
        return key_queries.get_key(owner.account_id, UUID(created.id))


def revocations(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        return audit.list_events(action=Action.KEY_REVOKED)


def test_the_key_is_revoked_recorded_and_its_owner_told(
    app: Flask, cast: Cast, make_key: MakeKey, report: Report, mailbox: Mailbox
) -> None:
    created, other = make_key(cast.alice, name="nightly build"), make_key(cast.alice)

    assert report(STRANGERS[0], created.secret, STRANGERS[1]) == {created.secret}

    verifier = runtime_of(app).verifier
    assert verifier.decide(created.id, created.secret).outcome == "apikeyRevoked"
    assert verifier.decide(other.id, other.secret).outcome == "good"
    assert key_of(app, cast.alice, created).revoked_reason is RevocationReason.LEAKED
    [event] = revocations(app)
    assert (event.account_id, str(event.key_id)) == (cast.alice.account_id, created.id)
    assert (event.ip_address, event.request_id, event.actor_account_id) == ("198.51.100.7", "r1", None)
    assert event.details == {
        "cause": "leaked", "name": "nightly build", "found_at": [PLACE], "reporter": "api",
    }  # fmt: skip
    mail = mailbox.last(to=cast.alice.email)
    assert mail.subject == "Leaked secret: 1 key was revoked"
    for said in (
        "Name: nightly build",
        f"Key: {created.id}",
        f"Found at: {PLACE}",
        f"/account/keys/{created.id}",
    ):
        assert said in mail.text
    assert created.secret not in f"{mail.message}{mail.text}{mail.html}"
    assert "198.51.100.7" not in mail.text, "a finder's address is for operators"


def test_a_second_report_does_nothing_twice(
    app: Flask, database: Database, cast: Cast, make_key: MakeKey, report: Report, mailbox: Mailbox
) -> None:
    created = make_key(cast.alice)
    report(created.secret)
    before, mails = key_of(app, cast.alice, created).revoked_at, len(mailbox.all())
    rows = database.rows()

    assert report(created.secret, found_at="elsewhere") == {created.secret}

    assert key_of(app, cast.alice, created).revoked_at == before
    assert database.rows() == rows
    assert len(mailbox.all()) == mails


def test_each_owner_gets_one_mail(cast: Cast, make_key: MakeKey, report: Report, mailbox: Mailbox) -> None:
    hers = [make_key(cast.alice, name=f"number {number}") for number in range(MOST_NAMED + 2)]
    his = make_key(cast.bob)

    report(his.secret, *(created.secret for created in hers), reporter=Reporter.GITHUB)

    assert len([mail for mail in mailbox.all(to=cast.bob.email) if "Leaked" in mail.subject]) == 1
    [mail] = [mail for mail in mailbox.all(to=cast.alice.email) if "Leaked" in mail.subject]
    assert mail.subject.endswith(f"{len(hers)} keys were revoked")
    assert "GitHub found" in mail.text
    assert mail.text.count("Name: number") == MOST_NAMED
    assert "And 2 more keys." in mail.text


def test_secrets_are_taken_out_of_what_stands_around_them(
    cast: Cast, make_key: MakeKey, report: Report
) -> None:
    created = make_key(cast.alice)

    assert report(f' "{created.secret}",\r\n') == {created.secret}


@pytest.mark.parametrize("odd", ["", " ", "chk_", "x" * 100_000, "é" * 53, "chk_" + "0" * 49, "\ud800"])
def test_what_is_no_secret_does_nothing(database: Database, report: Report, odd: str) -> None:
    before = database.rows()

    assert report(odd, STRANGERS[0], odd) == frozenset()

    assert database.rows() == before


def test_an_expired_key_is_revoked_too_and_a_removed_accounts_is_left(
    app: Flask, cast: Cast, make_key: MakeKey, report: Report, clock: Clock, mailbox: Mailbox
) -> None:
    expired, gone = make_key(cast.alice, days=1), make_key(cast.bob)
    with app.app_context():
        removal.remove_account(cast.bob.actor, cast.bob.password)
    clock.forward(days=2)
    mails = len(mailbox.all(to=cast.bob.email))

    report(expired.secret, gone.secret)

    assert key_of(app, cast.alice, expired).revoked_reason is RevocationReason.LEAKED
    assert key_of(app, cast.bob, gone).revoked_reason is RevocationReason.ACCOUNT_REMOVED
    assert "Leaked" in mailbox.last(to=cast.alice.email).subject
    assert len(mailbox.all(to=cast.bob.email)) == mails


def test_keys_of_an_older_pepper_are_found(make_app: MakeApp, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    newer = make_app(PORTAL_PEPPERS=f"p2:{PEPPERS[:2:-1]},{PEPPERS}")
    foreign = make_app(PORTAL_PEPPERS=f"p3:{PEPPERS[3:]}")

    for app, found in ((foreign, frozenset()), (newer, frozenset({created.secret}))):
        with app.app_context():
            assert leaks.report(FINDER, [Leak(created.secret)], Reporter.API) == found


@pytest.mark.sqlite_only(reason="the database has no part in it")
def test_a_long_place_costs_no_more_for_many_secrets(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[str] = []
    monkeypatch.setattr(leaks, "clean_place", lambda text: cleaned.append(text) or text)

    report(*STRANGERS, found_at=PLACE)

    assert cleaned == [PLACE]


@pytest.mark.sqlite_only(reason="a text is cut without the database")
@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("  a\r\nBcc: x\0y\x1b[31m\u202e\u2028z ", "a Bcc: x y [31m z"),
        ("https://x.example/?key=" + STRANGERS[0], "https://x.example/?key=chk_…"),
        (f"my_{STRANGERS[0]}_{STRANGERS[1]}x", "my_chk_…_chk_…x"),
        ("x" * 500, "x" * 299 + "…"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
    ids=["controls", "a secret", "secrets within a word", "long", "markup"],
)
def test_a_place_is_one_short_line_without_a_secret(app: Flask, told: str, kept: str) -> None:
    with app.app_context():
        assert leaks.clean_place(told) == kept


@pytest.mark.sqlite_only(reason="a text is searched without the database")
def test_a_text_is_searched_for_secrets(app: Flask) -> None:
    first, second, third = STRANGERS
    text = f"""KEY="{first}" # {first}
        curl -u id:{second} https://x.example/?a={third}&b=chk_{"0" * 49} x{first} {first}x {first[:-1]}"""

    with app.app_context():
        assert leaks.search(text) == [first, second, third]
