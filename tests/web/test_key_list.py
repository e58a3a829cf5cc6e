"""The list of keys: each view of it an address, and several keys revoked after one question."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import event

from portal.extensions import db
from portal.models import Action
from portal.runtime import runtime_of
from portal.services.core import audit
from portal.services.keys import rotation
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker, find_form, form_values
from tests.support.clock import Clock

LIST = "/account/keys"


@pytest.fixture
def alice(client: PageChecker, cast: Cast) -> PageChecker:
    """Alice, signed in."""
    cast.alice.sign_in(client)
    return client


def names(page: BeautifulSoup) -> list[str]:
    return [link.get_text(strip=True) for link in page.select("tbody .named a")]


def chips(page: BeautifulSoup) -> dict[str, int]:
    return {
        link.get_text(" ", strip=True).rsplit(" ", 1)[0]: int(link.select_one(".count").get_text())  # type: ignore[union-attr]
        for link in page.select(".chips a")
    }


def text_of(page: BeautifulSoup) -> str:
    return " ".join(page.get_text(" ", strip=True).split())


@pytest.mark.sqlite_only(reason="the addresses have nothing to do with the database")
class TestAddresses:
    """Filters, search, sort and pages are addresses, and each keeps the others."""

    def test_filters_have_counts_that_follow_the_search(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey
    ) -> None:
        for name, days in (("ci one", 5), ("ci two", 100), ("site", 100)):
            make_key(cast.alice, name=name, days=days)

        assert chips(alice.page(LIST)) == {
            "All": 3, "Live": 3, "Expiring ≤ 14 d": 1, "Unused 90 d": 0, "Refused": 0,
            "Not yet valid": 0, "Expired": 0, "Revoked": 0,
        }  # fmt: skip
        page = alice.page(f"{LIST}?query=ci&status=expiring")
        assert (chips(page)["All"], chips(page)["Expiring ≤ 14 d"]) == (2, 1)
        assert names(page) == ["ci one"]
        current = page.select(".chips [aria-current]")
        assert [link["href"] for link in current] == [f"{LIST}?status=expiring&query=ci"]

    def test_every_link_keeps_the_rest_of_the_view(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey
    ) -> None:
        for number in range(26):
            make_key(cast.alice, name=f"ci {number:02}")
        kept = {"status": ["live"], "query": ["ci"], "sort": ["name"], "order": ["desc"]}

        page = alice.page(f"{LIST}?status=live&query=ci&sort=name&order=desc")

        assert names(page)[0] == "ci 25"
        links = {
            "filter": page.select(".chips a")[1]["href"],
            "next": page.select_one("a[rel=next]")["href"],  # type: ignore[index]
        }
        asked = {name: parse_qs(urlsplit(str(link)).query) for name, link in links.items()}
        assert asked == {"filter": kept, "next": {**kept, "page": ["2"]}}
        hidden = {tag["name"]: tag["value"] for tag in page.select(".find input[type=hidden]")}
        assert hidden == {"status": "live", "sort": "name", "order": "desc"}
        assert "1–25 of 26" in text_of(page)

    def test_a_column_says_how_it_is_sorted_and_turns_round(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey
    ) -> None:
        for name in ("b", "a"):
            make_key(cast.alice, name=name)

        def sorted_column(page: BeautifulSoup) -> tuple[str, str, str]:
            (head,) = page.select("thead [aria-sort]")
            return head.get_text(strip=True), str(head["aria-sort"]), str(head.a["href"])  # type: ignore[index]

        page = alice.page(LIST)
        assert sorted_column(page)[:2] == ("Expires", "ascending")
        by_name = next(link for link in page.select("thead a") if link.get_text(strip=True) == "Name")
        page = alice.page(str(by_name["href"]))
        assert (names(page), sorted_column(page)[1]) == (["a", "b"], "ascending")
        page = alice.page(sorted_column(page)[2])
        assert (names(page), sorted_column(page)[1]) == (["b", "a"], "descending")

    @pytest.mark.parametrize(
        "query", ["status=wrong", "sort=digest", "order=up", "page=x", "sort=name&sort=x"]
    )
    def test_words_that_nobody_knows_are_passed_over(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey, query: str
    ) -> None:
        make_key(cast.alice, name="ci")

        assert names(alice.page(f"{LIST}?{query}")) == ["ci"]

    def test_an_empty_list_says_why(self, alice: PageChecker, cast: Cast, make_key: MakeKey) -> None:
        assert "No keys yet" in text_of(alice.page(f"{LIST}?status=live&query=x"))
        make_key(cast.alice, name="ci")
        page = alice.page(f"{LIST}?query=zzz")
        assert "No key matches" in text_of(page)
        assert page.select_one(f".empty a[href='{LIST}']")


def test_a_rotated_key_stands_beneath_its_successor(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    old = make_key(cast.alice, name="ci")
    with app.app_context():
        new = rotation.rotate_key(cast.alice.actor, UUID(old.id), overlap=timedelta(days=1))[0].id

    page = alice.page(LIST)

    links = [str(link["href"]) for link in page.select("tbody tr th > a, tbody .named > a")]
    assert links == [f"{LIST}/{new}", f"{LIST}/{old.id}"]
    assert "Rotated" in text_of(page.select_one("tr.old"))  # type: ignore[arg-type]
    assert chips(page)["All"] == 1
    assert [box["value"] for box in page.select("[name=key]")] == [str(new)]


@pytest.mark.sqlite_only(reason="tests/models/test_key_lists.py holds both databases")
def test_refusals_are_counted_and_lead_to_why(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    key = make_key(cast.alice)
    usage = runtime_of(app).usage
    for _ in range(3):
        usage.note_refusal(key.id, int(clock.now().timestamp() * 1000), "ipAddressNotAllowed")
    usage.flush()

    link = alice.page(f"{LIST}?status=refused").select_one("a.refused")

    assert link
    assert link.get_text(" ", strip=True) == "3 refused in 30 days"
    assert link["href"] == f"{LIST}/{key.id}#refusals"


def test_few_queries_whatever_the_list_is_long(
    app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    def asked() -> int:
        found: list[str] = []
        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", listener := lambda *args: found.append(args[2]))
        alice.page(LIST)
        event.remove(engine, "before_cursor_execute", listener)
        return len(found)

    make_key(cast.alice)
    one = asked()
    for _ in range(12):
        make_key(cast.alice)
    assert asked() == one


class TestSelected:
    """Several keys, one question, one deed."""

    def test_it_asks_once_and_ends_them_all(
        self, app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey
    ) -> None:
        keys = [make_key(cast.alice, name=name) for name in ("one", "two", "three")]
        path = f"{LIST}/revoke?key={keys[0].id}&key={keys[1].id}"

        page = alice.page(path)
        assert "Revoke 2 keys?" in text_of(page)
        assert "immediately and permanently" in text_of(page)
        response = alice.submit(path)

        assert response.status_code == 303
        assert "2 keys revoked" in alice.get(LIST).text
        outcomes = [runtime_of(app).verifier.decide(key.id, key.secret).outcome for key in keys]
        assert outcomes == ["apikeyRevoked", "apikeyRevoked", "good"]
        with app.app_context():
            assert len(audit.list_events(action=Action.KEY_REVOKED)) == 2

    def test_none_selected_leads_back(self, alice: PageChecker) -> None:
        response = alice.get(f"{LIST}/revoke", follow_redirects=True)
        assert "Select the keys to revoke first" in response.text

    def test_what_is_revoked_already_is_not_asked_about(
        self, alice: PageChecker, cast: Cast, make_key: MakeKey
    ) -> None:
        key = make_key(cast.alice)
        alice.submit(f"{LIST}/revoke?key={key.id}")
        answer = alice.get(f"{LIST}/revoke?key={key.id}", follow_redirects=True)
        assert "revoked already" in answer.text

    @pytest.mark.parametrize("foreign", ["bob", "nonsense"])
    def test_ids_of_others_are_not_there(
        self, app: Flask, alice: PageChecker, cast: Cast, make_key: MakeKey, foreign: str
    ) -> None:
        hers, his = make_key(cast.alice), make_key(cast.bob)
        wrong = his.id if foreign == "bob" else foreign

        assert alice.get(f"{LIST}/revoke?key={hers.id}&key={wrong}").status_code == 404
        path = f"{LIST}/revoke?key={hers.id}"
        data = form_values(find_form(alice.page(path), path))
        assert alice.post(f"{path}&key={wrong}", data=data).status_code == 404
        assert runtime_of(app).verifier.decide(hers.id, hers.secret).outcome == "good"
        assert runtime_of(app).verifier.decide(his.id, his.secret).outcome == "good"
