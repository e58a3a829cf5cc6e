"""The first page of an account: what needs its owner, what its keys did, and how to begin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask

from portal.models import ActorKind, ExcessLevel, ExcessStep
from portal.runtime import runtime_of
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.keys import rotation
from portal.services.usage.refusals import Circumstances
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock

pytestmark = pytest.mark.sqlite_only(reason="what is read from the database is proved beside the service")
PAGE = "/account"
NOON = datetime(2026, 11, 24, 12, 5, tzinfo=UTC)


def text_of(part: Tag | None) -> str:
    assert part is not None
    return " ".join(part.get_text(" ").split())


def notices(page: BeautifulSoup) -> list[str]:
    return [text_of(each) for each in page.select(".attention li .words")]


def action(page: BeautifulSoup, words: str) -> str:
    [row] = [row for row in page.select(".attention li") if words in text_of(row)]
    [link] = row.select("a")
    return str(link["href"])


@pytest.fixture
def use(app: Flask, clock: Clock) -> Callable[..., None]:
    def note(key_id: str, calls: int = 0, refused: int = 0, reason: str = "addressNotAllowed") -> None:
        usage, now = runtime_of(app).usage, int(clock.now().timestamp()) * 1000
        for _ in range(calls):
            usage.note_call(key_id, "192.0.2.1", now)
        for _ in range(refused):
            usage.note_refusal(key_id, now, reason, Circumstances("203.0.113.9"))
        usage.flush()

    return note


@pytest.fixture
def alice(client: PageChecker, cast: Cast, clock: Clock) -> PageChecker:
    clock.to(NOON)
    cast.alice.sign_in(client)
    return client


class TestSteps:
    def test_a_new_account_is_shown_the_way_to_its_first_call(self, alice: PageChecker) -> None:
        page = alice.page(PAGE)

        assert [text_of(each) for each in page.select(".steps strong")] == [
            "Create a key",
            "Store its secret",
            "Make the first call",
        ]
        assert text_of(page.select_one(".steps [aria-current=step] strong")) == "Create a key"
        assert page.select_one(".steps a.button.main[href='/account/keys/new']")
        assert not page.select(".attention, .tiles")

    def test_once_there_is_a_key_its_call_is_waited_for(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey, use: Callable[..., None]
    ) -> None:
        key = make_key(cast.alice)
        page = alice.page(PAGE)

        assert text_of(page.select_one(".steps [aria-current=step] strong")) == "Make the first call"
        assert f"curl -u {key.id} " in text_of(page.select_one("#call"))
        assert page.select_one(f".steps [data-ask='/account/keys/{key.id}/called']")
        assert "Check now" in text_of(page.select_one(".steps .first-call a")), "the way without scripts"

        use(key.id, calls=1)

        page = alice.page(PAGE)
        assert not page.select(".steps")
        assert text_of(page.select_one(".attention .calm")) == "Nothing. Every key is in order."


class TestNeedsAttention:
    def test_each_row_has_the_one_thing_to_do(
        self, app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey, use: Callable[..., None]
    ) -> None:
        ends, refused, old = (
            make_key(cast.alice, name=name, days=days)
            for name, days in (("Nightly build", 2), ("Print queue", 300), ("Shop", 300))
        )
        use(ends.id, calls=1)
        use(refused.id, calls=1, refused=30)
        with app.app_context():
            rotation.rotate_key(cast.alice.actor, UUID(old.id), overlap=timedelta(0))
        with app.app_context():
            rotation.note_reuse(Actor(kind=ActorKind.ANONYMOUS), UUID(old.id))

        page = alice.page(PAGE)

        assert [text_of(row) for row in page.select(".attention li strong")] == [
            "The old secret of Shop is still in use",
            "Print queue was refused 30 times in the last day",
            "Nightly build expires in 2 days",
        ]
        assert "last from 203.0.113.9" in notices(page)[1]
        assert action(page, "Nightly build") == f"/account/keys/{ends.id}/rotate"
        assert action(page, "Print queue") == f"/account/keys/{refused.id}"
        assert action(page, "Shop") == f"/account/keys/{old.id}"
        assert "3" in text_of(page.select_one(".attention h2"))

    def test_unused_keys_can_be_revoked(
        self, client: PageChecker, cast: Cast, make_key: MakeKey, clock: Clock, use: Callable[..., None]
    ) -> None:
        clock.to(NOON)
        key, used = make_key(cast.alice, name="Old importer", days=365), make_key(cast.alice, days=365)
        clock.forward(days=94)
        use(used.id, calls=1)
        cast.alice.sign_in(client)

        page = client.page(PAGE)

        assert notices(page) == [
            "Old importer is unused for 94 days It still works, with level 4, until 24 Nov 2027."
        ]
        assert action(page, "Old importer") == f"/account/keys/{key.id}/revoke"

    def test_of_many_keys_three_are_named_and_the_others_counted(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey, use: Callable[..., None]
    ) -> None:
        keys = [make_key(cast.alice, name=f"key {number}", days=2 + number) for number in range(6)]
        use(keys[0].id, calls=1)

        page = alice.page(PAGE)

        assert len(notices(page)) == 4
        assert "3 more keys expire soon" in notices(page)[-1]
        assert action(page, "3 more keys") == "/account/keys?status=expiring"

    def test_an_email_that_waits_stands_there(self, alice: PageChecker, cast: Cast) -> None:
        asked = {"email": "new@example.org", "current_password": cast.alice.password}
        alice.submit("/account/profile/email", asked)

        assert "new@example.org waits to be confirmed" in " ".join(notices(alice.page(PAGE)))
        assert action(alice.page(PAGE), "new@example.org") == "/account/profile"

    @pytest.mark.parametrize(
        ("level", "words"),
        [
            (ExcessLevel.WARNED, "A key is near its daily limit"),
            (ExcessLevel.THROTTLED, "Calls above a rate limit are refused today"),
            (ExcessLevel.REVOKED, "2 keys were revoked for too many calls"),
        ],
    )
    def test_what_was_done_about_too_many_calls_stands_there_once(
        self,
        app: Flask,
        alice: PageChecker,
        cast: Cast,
        make_key: MakeKey,
        use: Callable[..., None],
        level: ExcessLevel,
        words: str,
    ) -> None:
        key = make_key(cast.alice, name="Print queue")
        use(key.id, calls=1)
        if level is not ExcessLevel.WARNED:
            use(key.id, refused=7, reason="tooManyRequests")
        day = NOON.replace(hour=0, minute=0)
        figures = {"calls": 9, "refused": 7, "revoked": 2, "by_key": []}
        with app.app_context(), transaction() as session:
            session.add(
                ExcessStep(account_id=cast.alice.account_id, day=day, step=level, at=NOON, figures=figures)
            )

        page = alice.page(PAGE)

        [row] = notices(page)
        assert words in row
        assert action(page, words) == "/account/usage-limits"


def test_the_cap_of_keys_stands_there_when_it_is_near(
    make_app: MakeApp, make_key: MakeKey, cast: Cast, clock: Clock
) -> None:
    app = make_app(PORTAL_KEYS_PER_ACCOUNT="2")
    for _ in range(2):
        make_key(cast.alice, days=300)
    client = PageChecker(app, app.response_class)
    cast.alice.sign_in(client)

    [row] = notices(client.page(PAGE))

    assert (
        row == "2 of 2 keys are live You can't create another one until one ends. You can still rotate keys."
    )


class TestFigures:
    def test_four_figures_say_where_the_account_stands(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey, use: Callable[..., None], clock: Clock
    ) -> None:
        key = make_key(cast.alice, name="Nightly build", days=120)
        use(key.id, calls=10)
        clock.forward(days=35)
        use(key.id, calls=15, refused=2)
        cast.alice.sign_in(alice)

        tiles = [text_of(tile) for tile in alice.page(PAGE).select(".tile")]

        assert tiles == [
            "Live keys 1 of 100 99 more possible",
            "Calls, 30 days 15 50 % more",
            "Refused, 30 days 2 2 today",
            "Next to expire 3 months Nightly build 24 Mar 2027",
        ]

    def test_the_latest_five_events_stand_there_with_the_names_of_keys(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey, use: Callable[..., None]
    ) -> None:
        key = make_key(cast.alice, name="<b>Nightly</b>")
        use(key.id, calls=1)

        page = alice.page(PAGE)

        first, *_others = page.select(".latest li")
        assert text_of(first).startswith("<b>Nightly</b> created")
        assert first.select_one(f"a[href='/account/keys/{key.id}'] bdi")
        assert len(page.select(".latest li")) <= 5


def test_what_happens_again_and_again_stands_there_once(
    alice: PageChecker, new_client: Callable[[], PageChecker], cast: Cast, make_key: MakeKey
) -> None:
    make_key(cast.alice, name="Nightly build")
    for _ in range(3):
        cast.alice.sign_in(new_client())

    first, second, *_others = (text_of(row) for row in alice.page(PAGE).select(".latest:has(time) li"))

    assert first.startswith("Signed in")
    assert second.startswith("Nightly build created")


def test_nobody_sees_what_needs_somebody_else(
    alice: PageChecker, cast: Cast, make_key: MakeKey, use: Callable[..., None]
) -> None:
    use(make_key(cast.bob, name="of Bob", days=2).id, calls=3, refused=4)

    assert "of Bob" not in alice.page(PAGE).text
