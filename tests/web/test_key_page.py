"""The page of a key: why it is refused, and what to do, with what stands beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from bs4 import Tag
from flask import Flask
from sqlalchemy import event

from portal.extensions import db
from portal.labels import DOORS, REFUSALS
from portal.runtime import runtime_of
from portal.services.core.outcomes import Outcome, ShownAt
from portal.services.keys import rotation
from portal.services.usage.refusals import Circumstances
from portal.web.keys.refusal_advice import ADVICE
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.rows import forge

pytestmark = pytest.mark.sqlite_only(reason="what is read from the database is proved beside the service")
NOON = datetime(2026, 11, 24, 12, 5, 20, tzinfo=UTC)
MINUTE_MS, DAY_MS = 60_000, 86_400_000


def text_of(part: Tag | None) -> str:
    assert part
    return " ".join(part.get_text(" ").split())


@pytest.fixture
def alice(client: PageChecker, cast: Cast, clock: Clock) -> PageChecker:
    clock.to(NOON)
    cast.alice.sign_in(client)
    return client


@pytest.fixture
def refuse(app: Flask):
    """Refuse calls with a key: how often, why, how, and how many minutes ago the last was."""

    def refuse(key: CreatedKey, times: int, reason: str, *how: str, ago: int = 0) -> None:
        usage = runtime_of(app).usage
        for number in range(times):
            moment = int(NOON.timestamp()) * 1000 - (ago + times - 1 - number) * MINUTE_MS
            usage.note_refusal(key.id, moment, reason, Circumstances(*how))
        usage.flush()

    return refuse


def rows_of(page: Tag) -> list[str]:
    return [text_of(row) for row in page.select("#refusals tbody tr")]


def test_it_says_why_calls_were_refused_from_where_and_what_to_do(
    app: Flask, alice: PageChecker, cast: Cast, refuse
) -> None:
    key = forge(app, cast.alice, name="Print queue", level=2, networks="192.0.2.0/24")
    refuse(key, 30, Outcome.ADDRESS, "203.0.113.9", "authorize", ago=3)
    refuse(key, 1, Outcome.LEVEL, "192.0.2.7", "api", "4", ago=50)
    refuse(key, 6, Outcome.THROTTLED, "192.0.2.7", "api", ago=24 * 60)

    page = alice.page(f"/account/keys/{key.id}")

    address, level, limit = rows_of(page)
    assert address == (
        "3 minutes ago 30 times since 11:33 203.0.113.9 at a gateway Address not allowed "
        "This key works only from 192.0.2.0/24. Create a key for this address"
    )
    assert level == (
        "50 minutes ago once 192.0.2.7 at the API Level too low "
        "The call needs level 4; this key has level 2. Create a key with level 4"
    )
    assert limit == (
        "24 hours ago 6 times since 12:00 192.0.2.7 at the API Above a rate limit "
        "Wait as long as Retry-After says, or spread the calls. See rate limits"
    )
    assert text_of(page.select_one(".callout.bad")) == (
        "Refused 30 times today from 203.0.113.9: address not allowed. "
        "This key works only from 192.0.2.0/24. Create a key for this address"
    )
    assert page.select("#refusals a")[1]["href"] == "/account/keys/new?name=Print+queue&level=4"
    assert "Refused, 30 days 37" in text_of(page.select_one(".tiles"))


@pytest.mark.parametrize("reason", sorted(set(Outcome) - {Outcome.GOOD, Outcome.UNKNOWN}))
def test_every_refusal_has_words_and_an_advice(
    app: Flask, alice: PageChecker, cast: Cast, refuse, reason: Outcome
) -> None:
    key = forge(app, cast.alice, audiences="orders", networks="!192.0.2.0/24")
    refuse(key, 2, reason, "203.0.113.9", "introspect", "stock")
    refuse(key, 1, reason)

    page = alice.page(f"/account/keys/{key.id}")

    assert reason in ADVICE
    for row in page.select("#refusals tbody tr"):
        assert REFUSALS[reason] in text_of(row)
        assert len(text_of(row.select_one("td:last-child .sub"))) > 20
        for link in row.select("a"):
            assert alice.get(str(link["href"])).status_code == 200


def test_every_door_has_words() -> None:
    assert set(DOORS) == set(ShownAt)


def test_an_advice_leads_to_the_new_key_where_there_is_one(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey, clock: Clock, refuse
) -> None:
    old = make_key(cast.alice)
    with app.app_context():
        new = rotation.rotate_key(cast.alice.actor, UUID(old.id), overlap=rotation.AT_ONCE)[0].id
    refuse(old, 1, Outcome.REVOKED, "203.0.113.9")

    page = alice.page(f"/account/keys/{old.id}")

    assert page.select_one(f"#refusals a[href='/account/keys/{new}']")


def test_the_newest_six_are_shown_and_all_when_asked_for(alice: PageChecker, cast: Cast, make_key, refuse):
    key = make_key(cast.alice)
    for number in range(9):
        refuse(key, 1, Outcome.LEVEL, f"192.0.2.{number}", "api", "5", ago=number)

    page = alice.page(f"/account/keys/{key.id}")
    assert len(rows_of(page)) == 6
    link = page.select_one("#refusals .card-head a")
    assert link
    assert text_of(link) == "Show all 9"
    assert len(rows_of(alice.page(str(link["href"])))) == 9


def test_a_key_that_nothing_refused_has_no_such_card_and_no_callout(alice, cast, make_key) -> None:
    page = alice.page(f"/account/keys/{make_key(cast.alice).id}")

    assert not page.select("#refusals, .callout")
    assert "Refused, 30 days 0 No calls in this time" in text_of(page.select_one(".tiles"))


def test_limits_are_counted_from_calls_together_with_the_key_that_it_replaced(
    app: Flask, alice: PageChecker, cast: Cast
) -> None:
    old = forge(app, cast.alice, calls_per_minute=60, calls_per_day=5000)
    with app.app_context():
        new = str(rotation.rotate_key(cast.alice.actor, UUID(old.id), overlap=timedelta(days=1))[0].id)
    usage, now = runtime_of(app).usage, int(NOON.timestamp()) * 1000
    for key_id, ago, calls in (
        (old.id, 0, 3),
        (new, 0, 1),
        (old.id, MINUTE_MS, 5),
        (old.id, DAY_MS, 9),
    ):
        for _ in range(calls):
            usage.note_call(key_id, "192.0.2.1", now - ago)
        usage.flush()

    for key_id in (old.id, new):
        page = alice.page(f"/account/keys/{key_id}")
        assert [text_of(each) for each in page.select(".meters .meter")] == [
            "This minute 4 of 60",
            "Today 9 of 5,000",
        ]
        assert [text_of(each).split()[0] for each in page.select("[aria-labelledby=rotations] li")]
        assert "both worked for 1 day" in text_of(page.select_one("[aria-labelledby=rotations]"))


def test_it_asks_the_database_a_fixed_number_of_times(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey, refuse
) -> None:
    def asked(key: CreatedKey) -> int:
        statements: list[str] = []
        with app.app_context():
            engine = db.engine

            def count(*args: object) -> None:
                statements.append(str(args[2]))

            event.listen(engine, "before_cursor_execute", count)
            alice.get(f"/account/keys/{key.id}")
            event.remove(engine, "before_cursor_execute", count)
        return len(statements)

    quiet, busy = make_key(cast.alice), make_key(cast.alice, name="busy")
    for number in range(40):
        refuse(busy, 2, Outcome.ADDRESS, f"192.0.2.{number}", "api")
    with app.app_context():
        for _ in range(3):
            rotated, _secret = rotation.rotate_key(cast.alice.actor, UUID(busy.id), overlap=timedelta(days=1))
            busy = CreatedKey(str(rotated.id), "")
    first = asked(quiet)

    assert asked(busy) <= first
    assert first <= 20


def test_what_was_done_with_a_key_is_on_its_page(alice: PageChecker, cast: Cast, make_key) -> None:
    key = make_key(cast.alice)
    alice.submit(f"/account/keys/{key.id}/revoke", {})

    acts = [
        text_of(each) for each in alice.page(f"/account/keys/{key.id}").select("[aria-labelledby=acts] li")
    ]

    assert len(acts) == 2
    assert acts[0].startswith("Key revoked")
