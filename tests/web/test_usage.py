"""Use on the pages: charts from the server with their figures, reasons in words, addresses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bs4 import Tag
from flask import Flask

from portal.runtime import runtime_of
from portal.services.usage.collector import HOUR_MS
from portal.web.charts import scale_end
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.clock import Clock

pytestmark = pytest.mark.sqlite_only(reason="what is read from the database is proved beside the service")
NOON = datetime(2026, 11, 24, 12, 5, tzinfo=UTC)


def text_of(part: Tag) -> str:
    return " ".join(part.get_text(" ").split())


@pytest.fixture
def created(app: Flask, cast: Cast, make_key: MakeKey, clock: Clock) -> CreatedKey:
    """A key of Alice's with use in the last hours, three days ago and half a year ago."""
    clock.to(NOON)
    created = make_key(cast.alice, name="Nightly build")
    now, usage = int(NOON.timestamp()) * 1000, runtime_of(app).usage
    for hours, calls in ((1, 3), (72, 1200), (24 * 180, 40)):
        for _ in range(calls):
            usage.note_call(created.id, f"192.0.2.{hours % 200}", now - hours * HOUR_MS)
    usage.note_refusal(created.id, now, "insufficientAccessLevel")
    usage.flush()
    return created


@pytest.mark.parametrize(
    ("span", "calls", "bars"), [("24h", "3", 1), ("30d", "1,203", 2), ("1y", "1,243", 3), ("9y", "1,203", 2)]
)
def test_a_key_shows_its_use_over_the_span_that_is_asked_for(
    client: PageChecker, cast: Cast, created: CreatedKey, span: str, calls: str, bars: int
) -> None:
    cast.alice.sign_in(client)

    page = client.page(f"/account/keys/{created.id}?span={span}")

    series = [text_of(each) for each in page.select(".series")]
    assert series == [f"Calls {calls}", "Refused 1"]
    assert len(page.select("svg .reach + .bar.calls")) == bars
    assert len(page.select("svg .reach + .bar.refused[fill='url(#hatch)']")) == 1
    assert not page.select("figure [style]")
    figures = page.select("#use details tbody tr")
    assert sum(int(row.select("td")[0].get_text().replace(",", "")) for row in figures) == int(
        calls.replace(",", "")
    )
    current = page.select("#use nav [aria-current]")
    assert [each["href"].split("span=")[1] for each in current] == [f"{'30d' if span == '9y' else span}#use"]


def test_a_key_tells_why_calls_were_refused_and_from_where_it_was_used(
    client: PageChecker, cast: Cast, created: CreatedKey
) -> None:
    cast.alice.sign_in(client)

    page = client.page(f"/account/keys/{created.id}")

    assert "Level too low" in text_of(page)
    rows = page.select("[aria-labelledby=addresses] tbody tr")
    assert [text_of(row.select_one("th")) for row in rows] == ["192.0.2.1", "192.0.2.72", "192.0.2.120"]


def test_a_key_without_use_says_how_to_try_it(
    client: PageChecker, cast: Cast, make_key: MakeKey, created: CreatedKey
) -> None:
    fresh = make_key(cast.alice, name="fresh")
    cast.alice.sign_in(client)

    assert f"curl -u {fresh.id}" in text_of(client.page(f"/account/keys/{fresh.id}"))
    used = text_of(client.page(f"/account/keys/{created.id}"))
    assert "curl -u" not in used


def test_the_overview_shows_the_use_of_all_keys(client: PageChecker, cast: Cast, created: CreatedKey) -> None:
    cast.alice.sign_in(client)

    page = client.page("/account?span=24h")

    assert "Calls 3" in text_of(page.select_one("#use"))
    links = [each["href"] for each in page.select("#use nav a")]
    assert links[1] == "/account?span=30d#use"


def test_operators_see_all_use_with_the_busiest_keys_and_their_owners(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, created: CreatedKey
) -> None:
    other = make_key(cast.bob, name="Importer").id
    runtime_of(app).usage.note_call(other, "192.0.2.9", int(NOON.timestamp()) * 1000)
    runtime_of(app).usage.flush()
    cast.sue.sign_in(client)

    page = client.page("/admin/usage?span=24h")

    assert [text_of(each) for each in page.select(".series")] == ["Calls 4", "Refused 1"]
    rows = page.select("[aria-labelledby=busiest] tbody tr")
    assert [row.select_one("strong").get_text() for row in rows] == ["Nightly build", "Importer"]
    assert rows[1].select_one("a")["href"] == f"/admin/accounts/{cast.bob.account_id}"


@pytest.mark.parametrize(("peak", "end"), [(1, 1), (7, 8), (9, 10), (11, 20), (99, 100), (1203, 2000)])
def test_a_scale_ends_at_a_round_number(peak: int, end: int) -> None:
    assert scale_end(peak) == end
