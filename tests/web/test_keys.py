"""The pages of keys, as their owner sees them (rules 1 to 7, rows 21, 26 and 39)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import TestResponse

from portal.models import ActorKind
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.keys import creation, revocation
from portal.services.keys import queries as key_queries
from portal.services.operators import actions
from portal.services.ratelimits import questions
from tests.conftest import MakeApp, MakeKey
from tests.support import pages
from tests.support.cast import Cast, CreatedKey, Person
from tests.support.client import PageChecker, find_form, form_values
from tests.support.clock import Clock
from tests.support.databases import Database

NewClient = Callable[[], PageChecker]
SECRET = re.compile(r"chk_[0-9A-Za-z]{49}")


@pytest.fixture
def alice(client: PageChecker, cast: Cast) -> PageChecker:
    """Alice, signed in."""
    cast.alice.sign_in(client)
    return client


def make(client: PageChecker, **fields: str) -> TestResponse:
    """Fill in the form of a new key and send it."""
    with client.expecting_secret():
        return client.submit("/account/keys/new", {"name": "Nightly build", "level": "2", **fields})


def key_and_secret(response: TestResponse) -> tuple[str, str]:
    page = pages.parse(response)
    key, secret = page.select_one("#key"), page.select_one("#secret")
    assert key
    assert secret
    return key.get_text(strip=True), secret.get_text(strip=True)


def text_of(page: BeautifulSoup) -> str:
    return " ".join(page.get_text(" ", strip=True).split())


def test_an_empty_list_says_what_to_do_next(alice: PageChecker) -> None:
    page = alice.page("/account/keys")

    assert "No keys yet" in text_of(page)
    assert page.select_one("main .empty a[href='/account/keys/new']")
    assert len(page.select("main .button.main")) == 1, "a page has one main action"


def test_all_that_needs_another_look_is_told_at_once(alice: PageChecker) -> None:
    response = make(alice, name="", level="", expires="date", networks="300.1.1.1/99")

    told = [link["href"] for link in pages.parse(response).select("#errors a")]
    assert response.status_code == 422
    assert told == ["#name", "#level-0", "#expires_on", "#networks"], "in the order of the page"
    assert "Choose a level" in text_of(pages.parse(response))


def test_a_key_is_made_and_its_secret_works_at_once(app: Flask, alice: PageChecker) -> None:
    response = make(alice)

    key, secret = key_and_secret(response)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert SECRET.fullmatch(secret)
    assert runtime_of(app).verifier.decide(key, secret).outcome == "good"
    page = pages.parse(response)
    [curl], [env] = page.select("#curl"), page.select("#env")
    assert f"curl -u {key} " in text_of(curl), "curl asks for the secret, so no shell remembers it"
    assert f"CHATELAINE_SECRET={secret}" in text_of(env)
    assert response.text.count(secret) == 2, "in its field, and in the lines that are downloaded"


def test_the_secret_is_focused_and_announced(alice: PageChecker) -> None:
    field = pages.parse(make(alice)).select_one("#secret")

    assert field
    assert field.has_attr("autofocus")
    assert field.has_attr("readonly")
    assert field["aria-describedby"]


def test_the_secret_is_nowhere_else(alice: PageChecker, database: Database) -> None:
    key, secret = key_and_secret(make(alice))

    for path in ("/account/keys", f"/account/keys/{key}", "/account/activity", "/account/keys/new"):
        assert secret not in alice.get(path).text
    assert secret not in database.dump()
    assert all(secret not in str(cookie) for cookie in alice._cookies.values())


def test_a_reload_makes_no_second_key_and_shows_no_secret(
    alice: PageChecker, database: Database, clock: Clock
) -> None:
    form = find_form(alice.page("/account/keys/new"))
    data = {**form_values(form), "name": "once", "level": "1"}
    with alice.expecting_secret():
        first = alice.post("/account/keys/new", data=data)
    key, _ = key_and_secret(first)

    clock.forward(seconds=11)

    again = alice.post("/account/keys/new", data=data)

    assert again.status_code == 303
    assert again.headers["Location"] == f"/account/keys/{key}"
    shown = alice.page(again.headers["Location"])
    assert "This form has already created this key and shown its secret" in text_of(shown)
    assert database.execute("SELECT count(*) FROM api_keys") == [(1,)]


@pytest.mark.parametrize("bits", ["", "nonsense"])
def test_a_form_without_its_bits_makes_nothing(alice: PageChecker, database: Database, bits: str) -> None:
    response = alice.submit("/account/keys/new", {"name": "x", "level": "1", "once": bits})

    assert response.status_code == 422
    assert database.execute("SELECT count(*) FROM api_keys") == [(0,)]


def test_only_levels_that_the_owner_may_give_are_offered(alice: PageChecker) -> None:
    form = find_form(alice.page("/account/keys/new"))

    assert [str(tag["value"]) for tag in form.select("input[name=level]")] == list("01234")
    assert "Write account and keys" in text_of(form)


@pytest.mark.parametrize(
    ("fields", "words", "field"),
    [
        ({"name": ""}, "Enter a name", "name"),
        ({"name": "x" * 101}, "too long", "name"),
        ({"level": "9"}, "can't grant this level", "level"),
        ({"level": "-1"}, "This level doesn't exist", "level"),
        ({"expires": "date", "expires_on": ""}, "Enter the date", "expires_on"),
        ({"expires": "date", "expires_on": "2020-01-01"}, "This date isn't valid", "expires_on"),
        ({"expires": "date", "expires_on": "2999-01-01"}, "Keys expire after 365 days at most", "expires_on"),
        ({"expires": "forever"}, "The expiry is missing", "expires"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    alice: PageChecker, database: Database, fields: dict[str, str], words: str, field: str
) -> None:
    response = alice.submit("/account/keys/new", {"name": "Nightly build", "level": "2", **fields})

    page = pages.parse(response)
    error = page.select_one(f"#{field}-error")
    assert response.status_code == 422
    assert error
    assert words in text_of(error)
    if field != "name":
        name = page.select_one("#name")
        assert name
        assert name["value"] == "Nightly build"
    assert database.execute("SELECT count(*) FROM api_keys") == [(0,)]


def test_a_level_that_is_no_number_is_asked_for_again(alice: PageChecker) -> None:
    response = alice.submit("/account/keys/new", {"name": "x", "level": "high"})

    assert response.status_code == 422


@pytest.mark.parametrize(("days", "shown"), [("7", 7), ("30", 30), ("90", 90), ("365", 365)])
def test_the_offered_lengths_of_life_are_kept_exactly(
    alice: PageChecker, database: Database, days: str, shown: int
) -> None:
    make(alice, expires=days)

    assert database.execute("SELECT expires_at - created_at FROM api_keys") == [(shown * 86_400_000,)]


def test_a_date_of_ones_own_is_the_end_of_that_day(
    alice: PageChecker, clock: Clock, database: Database
) -> None:
    day = (clock.now() + timedelta(days=3)).date()

    make(alice, expires="date", expires_on=day.isoformat())

    [(expires_at,)] = database.execute("SELECT expires_at FROM api_keys")
    assert (expires_at + 1000) % 86_400_000 == 0, "its last second, to the millisecond"
    assert datetime.fromtimestamp(expires_at / 1000, UTC).date() == day


def test_the_last_possible_day_is_possible(alice: PageChecker, clock: Clock, database: Database) -> None:
    page = alice.page("/account/keys/new")
    field = page.select_one("#expires_on")
    assert field

    make(alice, expires="date", expires_on=str(field["max"]))

    assert database.execute("SELECT expires_at - created_at FROM api_keys") == [(31_536_000_000,)]


def test_the_list_tells_state_level_and_use(
    app: Flask, alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    make_key(cast.alice, name="Dead", days=1)
    clock.forward(days=2)
    live = make_key(cast.alice, name="Nightly build", level=2, days=30)
    make_key(cast.alice, name="Soon over", days=3)
    gone = make_key(cast.alice, name="Old exporter")
    runtime_of(app).usage.note_call(live.id, "203.0.113.7", int(clock.now().timestamp() * 1000))
    runtime_of(app).usage.flush()
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(gone.id))

    rows = [text_of(row) for row in alice.page("/account/keys").select("tbody tr")]  # type: ignore[arg-type]

    by_name = {name: next(row for row in rows if name in row) for name in ("Nightly", "Soon", "Old", "Dead")}
    assert "Live" in by_name["Nightly"]
    assert "Read account" in by_name["Nightly"]
    assert "203.0.113.7" in by_name["Nightly"]
    assert "Expiring" in by_name["Soon"]
    assert "never" in by_name["Soon"]
    assert "Revoked by you" in by_name["Old"]
    assert "Expired" in by_name["Dead"]
    assert {rows.index(by_name["Nightly"]), rows.index(by_name["Soon"])} == {0, 1}, "the living first"


def test_the_list_is_filtered_and_searched(
    alice: PageChecker, cast: Cast, make_key: MakeKey, app: Flask
) -> None:
    make_key(cast.alice, name="Importer")
    gone = make_key(cast.alice, name="Exporter")
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(gone.id))

    def names(query: str) -> list[str]:
        return [link.get_text() for link in alice.page(f"/account/keys{query}").select("tbody th a")]

    assert names("?status=revoked") == ["Exporter"]
    assert names("?status=live") == ["Importer"]
    assert names("?status=nonsense") == ["Importer", "Exporter"]
    assert names("?query=import") == ["Importer"]
    assert names(f"?query={gone.id}") == ["Exporter"]
    assert "No key matches" in text_of(alice.page("/account/keys?query=zzz"))
    with app.app_context():
        assert key_queries.count_keys(cast.alice.account_id) == {
            "all": 2,
            "live": 1,
            "expired": 0,
            "revoked": 1,
        }
        assert set(key_queries.count_keys(cast.bob.account_id).values()) == {0}


def test_many_keys_come_in_pages(alice: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    for number in range(26):
        make_key(cast.alice, name=f"key {number}")

    first = alice.page("/account/keys")
    link = first.select_one("nav a[rel=next]")
    assert link
    second = alice.page(str(link["href"]))

    assert len(first.select("tbody tr")) == 25
    assert "1–25 of 26" in text_of(first)
    assert "26–26 of 26" in text_of(second)
    assert [a.get_text() for a in second.select("tbody th a")] == ["key 25"]
    assert alice.get("/account/keys?page=nonsense").status_code == 200


def test_revoking_asks_first_and_says_what_will_happen(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.alice, name="Importer")
    path = f"/account/keys/{created.id}/revoke"

    page = alice.page(path)
    assert "This key stops working, immediately and permanently" in text_of(page)
    assert runtime_of(app).verifier.decide(created.id, created.secret).outcome == "good"

    response = alice.submit(path)
    assert response.status_code == 303
    assert runtime_of(app).verifier.decide(created.id, created.secret).outcome == "apikeyRevoked"
    assert "Nothing accepts it any more" in text_of(alice.page(response.headers["Location"]))
    assert alice.get(path).status_code == 302, "what is revoked is not revoked again"


def create_with(app: Flask, owner: Person, maker: str, name: str) -> CreatedKey:
    actor = Actor(ActorKind.KEY, account_id=owner.account_id, key_id=UUID(maker))
    with app.app_context():
        key, secret = creation.create_key(actor, name=name, level=4, life=timedelta(days=1))
        return CreatedKey(str(key.id), secret)


def test_each_key_tells_what_created_it(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.alice)
    child = create_with(app, cast.alice, created.id, "a child")

    own, its = alice.page(f"/account/keys/{created.id}"), alice.page(f"/account/keys/{child.id}")

    assert "The browser" in text_of(own)
    assert "Created with it 1 key" in text_of(own)
    link = its.select_one(f'dl.facts a[href="/account/keys/{created.id}"]')
    assert link
    assert "with key" in text_of(its)
    assert "Created with it" not in text_of(its)


@pytest.mark.parametrize("ended", [False, True], ids=["a living key", "a revoked key"])
def test_a_key_can_be_revoked_with_everything_that_it_created(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey, ended: bool
) -> None:
    created = make_key(cast.alice)
    child = create_with(app, cast.alice, created.id, "a child")
    path, decide = f"/account/keys/{created.id}/revoke", runtime_of(app).verifier.decide
    if ended:
        alice.submit(path)
        assert decide(child.id, child.secret).outcome == "good", "it lives on unless it is asked for"

    page = alice.page(path)
    assert "a child" in text_of(page)
    response = alice.submit(path, {} if ended else {"everything": "y"})

    assert response.status_code == 303
    assert {decide(each.id, each.secret).outcome for each in (created, child)} == {"apikeyRevoked"}
    assert f"{1 if ended else 2} key" in text_of(alice.page(response.headers["Location"]))
    assert alice.get(path).status_code == 302


@pytest.mark.parametrize(("hours", "warned"), [(1, True), (23, True), (25, False)])
def test_revoking_a_key_that_is_in_use_warns(
    app: Flask, alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey, hours: int, warned: bool
) -> None:
    created = make_key(cast.alice)
    runtime_of(app).usage.note_call(created.id, "203.0.113.7", int(clock.now().timestamp() * 1000))
    runtime_of(app).usage.flush()
    clock.forward(hours=hours)

    page = alice.page(f"/account/keys/{created.id}/revoke")

    assert ("This key is in use" in text_of(page)) is warned


@pytest.mark.parametrize("page", ["", "/{}", "/{}/revoke", "/{}/rotate"])
def test_a_use_from_nobody_knows_where_is_told_so(
    app: Flask, alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey, page: str
) -> None:
    """A service that introspects need not tell the address."""
    created = make_key(cast.alice)
    runtime_of(app).usage.note_call(created.id, "", int(clock.now().timestamp() * 1000))
    runtime_of(app).usage.flush()

    assert "an unknown address" in text_of(alice.page("/account/keys" + page.format(created.id)))


@pytest.mark.parametrize(("overlap", "works_on"), [("0", False), ("604800", True)])
def test_rotating_shows_a_new_secret_once(
    app: Flask,
    alice: PageChecker,
    cast: Cast,
    clock: Clock,
    make_key: MakeKey,
    overlap: str,
    works_on: bool,
) -> None:
    old = make_key(cast.alice, name="Importer", level=3)
    form = find_form(alice.page(f"/account/keys/{old.id}/rotate"))
    data = form_values(form) | {"overlap": overlap}
    assert alice.post(str(form["action"]), data={**data, "overlap": "forever"}).status_code == 422

    with alice.expecting_secret():
        once = alice.post(str(form["action"]), data=data)

    key, secret = key_and_secret(once)
    assert ("The old secret works until" in once.text) is works_on
    assert ("The old secret is refused from now on" in once.text) is not works_on
    decide = runtime_of(app).verifier.decide
    assert (decide(key, secret).outcome, decide(key, secret).level) == ("good", 3)
    assert decide(old.id, old.secret).outcome == ("good" if works_on else "apikeyRevoked")
    clock.forward(seconds=11)
    again = alice.post(str(form["action"]), data=data)
    assert again.headers["Location"] == f"/account/keys/{key}"
    detail = alice.page(f"/account/keys/{old.id}")
    assert detail.select_one(f"a[href='/account/keys/{key}']"), "the old one names its successor"
    assert ("was rotated and works until" in text_of(detail)) is works_on
    assert alice.page(f"/account/keys/{key}").select_one(f".timeline a[href='/account/keys/{old.id}']")
    assert alice.get(f"/account/keys/{old.id}/rotate").headers["Location"] == f"/account/keys/{key}"


def test_an_overlap_is_told_with_its_end_and_cut_to_the_old_expiry(
    alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    created = make_key(cast.alice, days=3)
    clock.stop()

    page = alice.page(f"/account/keys/{created.id}/rotate")

    labels = [text_of(label) for label in page.select(".choice")]  # type: ignore[arg-type]
    ends = [clock.now() + span for span in (timedelta(hours=1), timedelta(hours=24), timedelta(days=3))]
    assert [label.split(" ")[0] for label in labels] == ["Not", "1", "1", "Until"]
    for label, end in zip(labels[1:], ends, strict=True):
        assert f"until {end:%-d %b %Y, %H:%M}" in label
    assert "ends at once" in labels[0]


def test_of_overlaps_that_the_old_expiry_cuts_only_one_is_offered(
    alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    created = make_key(cast.alice, days=1)
    clock.forward(hours=23, minutes=30)

    form = find_form(alice.page(f"/account/keys/{created.id}/rotate"))

    assert [str(each["value"]) for each in form.select("input[name=overlap]")] == ["0", "3600"]
    assert "Until it expires" in text_of(form)


def test_the_page_before_a_rotation_tells_who_uses_the_old_secret(
    app: Flask, alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    created, usage = make_key(cast.alice), runtime_of(app).usage
    for days, calls in ((2, 3), (0, 1)):
        for _ in range(calls):
            usage.note_call(
                created.id, "203.0.113.7", int(clock.now().timestamp() * 1000) - days * 86_400_000
            )
    usage.flush()

    page = alice.page(f"/account/keys/{created.id}/rotate")

    assert "24 hours 1 call 7 days 4 calls 203.0.113.7 4 calls" in text_of(page)
    assert not page.select("main .button.bad, main .danger"), "to rotate is routine"


@pytest.mark.parametrize(("hours", "proposed"), [(1, "86400"), (25, "0")])
def test_an_overlap_is_proposed_for_a_key_in_use(
    app: Flask, alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey, hours: int, proposed: str
) -> None:
    """One click too quick would stop a script that nobody has changed yet."""
    created = make_key(cast.alice)
    runtime_of(app).usage.note_call(created.id, "203.0.113.7", int(clock.now().timestamp() * 1000))
    runtime_of(app).usage.flush()
    clock.forward(hours=hours)

    form = find_form(alice.page(f"/account/keys/{created.id}/rotate"))

    assert form_values(form)["overlap"] == proposed
    sent = alice.post(str(form["action"]), data=form_values(form) | {"overlap": "1"})
    assert sent.status_code == 422
    assert not pages.parse(sent).select("input[name=overlap][value='86400'][checked]"), (
        "what was chosen stays"
    )


def test_the_page_of_a_key_says_when_it_was_created(
    alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    created = make_key(cast.alice)
    day = f"{clock.now():%-d %b %Y}"
    clock.forward(days=3)

    assert day in text_of(alice.page(f"/account/keys/{created.id}"))


def test_what_can_not_be_rotated_any_more_says_why(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    high = make_key(cast.sue, level=8)
    with app.app_context():
        actions.set_role(Actor.command_line(), cast.sue.account_id, Role.USER)
    cast.sue.sign_in(client)

    response = client.submit(f"/account/keys/{high.id}/rotate")

    assert response.status_code == 422
    assert "Choose level 4 or lower" in text_of(pages.parse(response))


def test_the_detail_shows_the_whole_id_and_the_days(
    app: Flask, alice: PageChecker, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    created = make_key(cast.alice)
    runtime_of(app).usage.note_call(created.id, "203.0.113.7", int(clock.now().timestamp() * 1000))
    runtime_of(app).usage.flush()

    page = alice.page(f"/account/keys/{created.id}")

    assert created.id in text_of(page)
    assert len(page.select("figure + details tbody tr")) == 1
    assert "203.0.113.7" in text_of(page)


@pytest.mark.parametrize("page", ["", "/revoke", "/rotate"])
def test_a_strangers_key_looks_like_a_missing_one(
    client: PageChecker, cast: Cast, make_key: MakeKey, page: str
) -> None:
    created = make_key(cast.alice)
    cast.bob.sign_in(client)

    hers = client.get(f"/account/keys/{created.id}{page}")
    missing = client.get(f"/account/keys/{created.id[:-4]}0000{page}")

    assert hers.status_code == missing.status_code == 404
    strip = re.compile(r'[0-9a-f]{16}|(name="(?:csrf_token|once)"[^>]*value)="[^"]+"')
    assert strip.sub("", hers.text) == strip.sub("", missing.text)


@pytest.mark.parametrize("act", ["revoke", "rotate"])
def test_a_stranger_can_not_end_a_key(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, act: str
) -> None:
    created = make_key(cast.alice)
    cast.bob.sign_in(client)
    data = form_values(find_form(client.page("/account/keys/new")))

    response = client.post(f"/account/keys/{created.id}/{act}", data=data)

    assert response.status_code == 404
    assert runtime_of(app).verifier.decide(created.id, created.secret).outcome == "good"


def test_without_consent_the_keys_are_out_of_reach(app: Flask, alice: PageChecker, cast: Cast) -> None:
    with app.app_context():
        change_account(cast.alice.actor, consent=0)

    response = alice.get("/account/keys")

    assert response.headers["Location"] == "/account/consent"


def test_signed_out_people_are_led_to_the_sign_in_and_back(client: PageChecker) -> None:
    response = client.get("/account/keys?status=live")

    assert response.headers["Location"] == "/signin?next=/account/keys?status%3Dlive"


def test_what_makes_no_key_uses_up_none(alice: PageChecker) -> None:
    data = form_values(find_form(alice.page("/account/keys/new")))
    for _ in range(questions.ISSUE_ACCOUNT.amount + 1):
        assert alice.post("/account/keys/new", data={**data, "name": ""}).status_code == 422


BOUND = {
    "networks": "192.0.2.0/24\n!192.0.2.7",
    "max_idle": "30",
    "audiences": "orders, billing",
    "environment": "test",
    "calls_per_minute": "60",
    "note": "For the importer",
}


def test_the_conditions_of_the_form_are_kept_and_shown(
    alice: PageChecker, client: PageChecker, cast: Cast, database: Database, new_client: NewClient
) -> None:
    once = make(alice, **BOUND)
    key, _secret = key_and_secret(once)

    support = new_client()
    cast.sue.sign_in(support)
    seen = support.page(f"/admin/keys/{key}")
    detail = alice.page(f"/account/keys/{key}")
    for page in (pages.parse(once), detail, alice.page("/account/keys"), seen):
        for words in (
            "Only from 192.0.2.0/24", "Not from 192.0.2.7/32", "Ends unused after 30 days",
            "Calls a minute 60 at most", "Only for orders",
        ):  # fmt: skip
            assert words in text_of(page)
        assert page.select_one("code.tag").get_text().endswith("test")  # type: ignore[union-attr]
    assert "For the importer" in text_of(detail)
    [listed] = alice.page("/account/keys").select("tbody th")
    assert "for the environment test" in text_of(listed)  # type: ignore[arg-type]
    assert "For the importer" not in seen.get_text(), "the note is the owner's own"


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("networks", "192.0.2.0/24 example.org", "“example.org” isn't a valid address"),
        ("audiences", "orders Billing", "“Billing” isn't a valid audience"),
        ("max_idle", "366", "from 1 to 365"),
        ("max_idle", "soon", "from 1 to 365"),
        ("not_before", "2099-01-01", "before the key expires"),
        ("environment", "staging", "no such environment"),
        ("calls_per_minute", "1e9", "from 1 to 6000"),
        ("calls_per_day", "0", "from 1"),
        ("note", "x" * 501, "Shorten it to 500"),
    ],
)
def test_a_condition_that_can_not_be_is_told_beside_its_field_and_stays_to_be_seen(
    alice: PageChecker, database: Database, field: str, typed: str, words: str
) -> None:
    response = alice.submit("/account/keys/new", {"name": "x", "level": "1", **BOUND, field: typed})

    page = pages.parse(response)
    error, note = page.select_one(f"#{field}-error"), page.select_one("#note")
    assert response.status_code == 422
    assert error
    assert words in text_of(error)  # type: ignore[arg-type]
    if field != "environment":
        assert page.select_one(f"details[open] #{field}")
    assert note
    assert note.get_text().strip() == (typed if field == "note" else BOUND["note"])
    assert database.execute("SELECT count(*) FROM api_keys") == [(0,)]


def test_restrictions_and_note_are_folded_until_they_are_needed(alice: PageChecker) -> None:
    assert len(alice.page("/account/keys/new").select("details.restrictions:not([open])")) == 2

    again = pages.parse(alice.submit("/account/keys/new", {"name": "", "level": "1", "note": "mine"}))
    assert [bool(each.get("open") is not None) for each in again.select("details.restrictions")] == [
        False,
        True,
    ]


def test_the_use_of_a_rotated_out_secret_is_told_to_its_owner(
    alice: PageChecker, client: PageChecker, cast: Cast, make_key: MakeKey, new_client: NewClient
) -> None:
    """Through the door, where a holder of the secret is refused."""
    old = make_key(cast.alice, name="Importer")
    assert new_client().get("/api/whoami/key", headers=old.headers).status_code == 200
    with alice.expecting_secret():
        alice.submit(f"/account/keys/{old.id}/rotate")

    for _ in range(2):
        refused = new_client().get("/api/whoami/key", headers=old.headers)
        assert (refused.get_json() or {})["error"] == "apikeyRevoked"

    assert "was used after its end" in text_of(alice.page(f"/account/keys/{old.id}"))
    assert text_of(alice.page("/account/activity")).count("Old secret used") == 1


def test_admins_are_offered_service_keys_and_nobody_else_is(
    client: PageChecker, alice: PageChecker, cast: Cast, database: Database, new_client: NewClient
) -> None:
    form = find_form(alice.page("/account/keys/new"))
    assert not form.select("[name=kind]")
    sent = {"name": "x", "level": "1", "kind": "service"}
    with alice.expecting_secret():
        alice.post("/account/keys/new", data=form_values(form) | sent)
    ada = new_client()
    cast.ada.sign_in(ada)
    assert len(ada.page("/account/keys/new").select("[name=kind]")) == 2
    with ada.expecting_secret():
        response = ada.submit("/account/keys/new", sent | {"level": "9"})

    assert database.execute("SELECT kind, level FROM api_keys ORDER BY created_at, id") == [
        ("account", 1), ("service", 0),
    ]  # fmt: skip
    key, _secret = key_and_secret(response)
    assert "introspects keys, and nothing else" in text_of(pages.parse(response))
    assert "/api/introspect" in text_of(ada.page(f"/account/keys/{key}"))
    assert "Service" in text_of(ada.page("/account/keys").select_one("tbody"))  # type: ignore[arg-type]


def test_the_caps_are_told_before_they_bite(make_app: MakeApp, cast: Cast, make_key: MakeKey) -> None:
    client = make_app(PORTAL_KEYS_PER_ACCOUNT="10", PORTAL_LONGEST_LIFE="user=60").test_client()
    assert isinstance(client, PageChecker)
    cast.alice.sign_in(client)
    page = client.page("/account/keys/new")
    assert [str(tag["value"]) for tag in page.select("input[name=expires]")] == ["7", "30", "60", "date"]
    assert "your keys live 60 days at most" in text_of(page)
    late = client.submit("/account/keys/new", {"name": "x", "level": "1", "expires": "365"})
    assert late.status_code == 422
    created = [make_key(cast.alice) for _ in range(9)]
    assert "9 of 10 live keys" in text_of(client.page("/account/keys"))

    created.append(make_key(cast.alice))

    assert "You can create another one once one is revoked" in text_of(client.page("/account/keys/new"))
    refused = client.submit("/account/keys/new", {"name": "x", "level": "1"})
    assert refused.status_code == 422
    assert "the most allowed" in text_of(pages.parse(refused).select_one("#errors"))  # type: ignore[arg-type]
    wanted = {"name": "x", "level": 1, "expiresIn": 60}
    answer = client.post("/api/apikeys/key", json=wanted, headers=created[0].headers)
    assert (answer.status_code, answer.get_json()["error"]) == (409, "tooManyKeys")
    with client.expecting_secret():
        assert client.submit(f"/account/keys/{created[0].id}/rotate").status_code == 200
