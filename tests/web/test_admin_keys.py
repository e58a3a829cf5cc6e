"""Any key, for operators: found by id, name or leaked secret; and whether it would pass."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import MetaData, select

from portal.extensions import db
from portal.models import Action, KeyUsageHour
from portal.runtime import runtime_of
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.keys import secrets
from portal.services.operators import actions
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker


@pytest.fixture
def sue(cast: Cast, client: PageChecker) -> PageChecker:
    """A browser in which support has signed in."""
    cast.sue.sign_in(client)
    return client


def names(client: PageChecker, query: str = "") -> list[str]:
    return [tag.get_text() for tag in client.page(f"/admin/keys{query}").select("th[scope=row] a")]


def find(client: PageChecker, wanted: str) -> str:
    """Where the search leads."""
    answer = client.submit("/admin/keys", {"wanted": wanted})
    assert answer.status_code == 303
    return answer.headers["Location"]


class TestFinding:
    def test_all_keys_the_newest_first(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        make_key(cast.alice, name="first")
        make_key(cast.bob, name="second")
        assert names(sue) == ["second", "first"]
        assert "alice@example.org" in sue.page("/admin/keys").get_text()

    def test_by_name_whole_id_and_first_digits(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        created = make_key(cast.alice, name="Nightly build")
        make_key(cast.bob, name="other")
        for wanted in ("nightly", created.id, created.id.upper(), created.id.replace("-", "")):
            assert names(sue, f"?query={wanted}") == ["Nightly build"], wanted
        first = names(sue, f"?query={created.id[:8]}")
        assert "Nightly build" in first

    def test_no_key_is_told_with_a_way_on(self, sue: PageChecker) -> None:
        page = sue.page("/admin/keys?query=nothing-like-that")
        assert "No key matches" in page.get_text()

    @pytest.mark.parametrize("query", ["before=x", "before=", "query=%01", f"query={'x' * 500}", "query=%25"])
    def test_what_makes_no_sense_is_left_out(self, sue: PageChecker, query: str) -> None:
        sue.page(f"/admin/keys?{query}")

    def test_many_come_in_pages(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        for number in range(27):
            make_key(cast.alice, name=f"key {number}")
        page = sue.page("/admin/keys?query=key")
        following = page.select_one("nav.pages a[rel=next]")
        assert following
        assert "query=key" in str(following["href"])
        assert len(sue.page(str(following["href"])).select("tbody tr")) == 2

    def test_a_look_is_recorded_without_what_was_typed(
        self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice, name="nightly")
        sue.get("/admin/keys?query=nightly")
        with app.app_context():
            [event] = audit.list_events(action=Action.KEYS_SEARCHED)
        assert event.details == {"found": 1, "keys": [created.id]}

    def test_the_name_that_was_typed_becomes_a_link(self, sue: PageChecker) -> None:
        assert find(sue, " nightly build ") == "/admin/keys?query=nightly+build"
        assert find(sue, "") == "/admin/keys"


class TestALeakedSecret:
    def test_it_finds_its_key_whatever_is_around_it(
        self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice)
        for text in (created.secret, f"export TOKEN='{created.secret}'\n"):
            assert find(sue, text) == f"/admin/keys/{created.id}"
        with app.app_context():
            actions.revoke_one(Actor.command_line(), UUID(created.id), why="leaked")
        assert find(sue, created.secret) == f"/admin/keys/{created.id}"

    def test_one_of_no_key_is_told(self, sue: PageChecker) -> None:
        assert find(sue, secrets.create_secret("chk")) == "/admin/keys"
        assert "No key of this portal has this secret" in sue.page("/admin/keys").get_text()

    def test_nothing_keeps_it(
        self,
        app: Flask,
        cast: Cast,
        sue: PageChecker,
        make_key: MakeKey,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
        instance: Path,
    ) -> None:
        caplog.set_level("DEBUG")
        created = make_key(cast.alice)
        body = created.secret.removeprefix("chk_")
        answer = sue.submit("/admin/keys", {"wanted": created.secret}, follow=True)

        assert answer.status_code == 200
        for each in (*answer.history, answer):
            assert body not in each.text
            assert body not in str(each.headers)
            assert body not in each.request.url
        assert body not in caplog.text
        out = capfd.readouterr()
        assert body not in out.out + out.err
        with app.app_context():
            [event] = audit.list_events(action=Action.KEYS_SEARCHED, limit=1)
            assert event.details == {"found": 1, "keys": [created.id], "by": "secret"}
            tables = MetaData()
            tables.reflect(db.engine)
            for table in tables.sorted_tables:
                for row in db.session.execute(select(table)):
                    assert body not in repr(tuple(row)), table.name
                    assert body.encode() not in b"".join(v for v in row if isinstance(v, bytes)), table.name
        for path in instance.rglob("*"):
            if path.is_file():
                assert body.encode() not in path.read_bytes(), path.name

    def test_a_form_that_is_too_old_forgets_it(
        self, cast: Cast, sue: PageChecker, make_key: MakeKey, app: Flask
    ) -> None:
        created = make_key(cast.alice)
        token = sue.page("/admin/keys").select_one("main input[name=csrf_token]")
        assert token
        sue.post("/signout", data={"csrf_token": str(token["value"])})
        cast.sue.sign_in(sue)
        answer = sue.post("/admin/keys", data={"csrf_token": str(token["value"]), "wanted": created.secret})
        assert created.secret not in answer.text

    def test_in_an_address_it_is_not_looked_for(
        self, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice)
        answer = sue.get(f"/admin/keys?query={created.secret}")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/keys")
        text = sue.page(f"/admin/accounts?query={created.secret}").get_text()
        assert "it stood in an address" in text


def rows(client: PageChecker, path: str) -> dict[str, tuple[str, str]]:
    """The checks by their names: state and facts."""
    found = {}
    for row in client.page(path).select(".checks tbody tr"):
        cells = [" ".join(cell.get_text(" ").split()) for cell in row.select("th, td")]
        found[cells[1]] = (str(row["class"][0]), cells[2])
    return found


class TestWouldItPass:
    def test_every_check_is_held(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        created = make_key(cast.alice, level=3)
        path = f"/admin/keys/{created.id}?address=192.0.2.7&level=3&method=POST&open=&audience=&at="
        assert "Yes, it would pass with level 3" in " ".join(sue.page(path).get_text(" ").split())
        told = rows(sue, path)
        assert {state for state, _ in told.values()} == {"held"}
        assert told["Level"][1] == "3 asked, 3 allowed: the lower of key 3 and role 4"

    def test_the_first_that_fails_decides_and_the_rest_is_told(
        self, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice, level=2)
        path = f"/admin/keys/{created.id}?address=&level=3&method=POST&open=get,head&audience=&at="
        told = rows(sue, path)
        assert told["Level"][0] == "failed"
        assert told["Method"] == ("rest", "POST is not among GET, HEAD would fail, too")
        text = " ".join(sue.page(path).get_text(" ").split())
        assert "No, it is refused insufficientAccessLevel" in text

    def test_at_another_moment(self, cast: Cast, sue: PageChecker, make_key: MakeKey) -> None:
        created = make_key(cast.alice, days=1)
        told = rows(sue, f"/admin/keys/{created.id}?address=&at=2055-01-01T10:00")
        assert told["Not expired"][0] == "failed"
        assert told["Rate limits"] == ("rest", "known for now only")

    @pytest.mark.parametrize(
        "query",
        [
            "level=99",
            "level=x",
            "method=BREW",
            "at=yesterday",
            "address=<b>",
            "open=%01",
            "at=9999-12-31T23:59",
        ],
    )
    def test_what_makes_no_sense_is_left_out(
        self, cast: Cast, sue: PageChecker, make_key: MakeKey, query: str
    ) -> None:
        assert sue.page(f"/admin/keys/{make_key(cast.alice).id}?{query}").select(".checks tbody tr")

    def test_it_counts_nothing_and_is_recorded(
        self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice)
        sue.get(f"/admin/keys/{created.id}")
        sue.get(f"/admin/keys/{created.id}?address=192.0.2.7")
        with app.app_context():
            runtime_of(app).usage.flush()
            assert db.session.scalar(select(KeyUsageHour)) is None
            looks = audit.list_events(action=Action.KEY_READ)
        assert [(str(each.key_id), each.account_id) for each in looks] == [
            (created.id, cast.alice.account_id)
        ] * 2
        assert [each.details["checked"] for each in looks] == [True, False]

    def test_no_such_key(self, sue: PageChecker) -> None:
        assert sue.get(f"/admin/keys/{uuid4()}").status_code == 404

    def test_the_page_holds_no_digest(
        self, app: Flask, cast: Cast, sue: PageChecker, make_key: MakeKey
    ) -> None:
        created = make_key(cast.alice)
        text = sue.get(f"/admin/keys/{created.id}").text
        pepper = next(iter(app.config["PORTAL"].peppers.get_secret_value().values()))
        digest = secrets.digest(pepper, created.secret)
        assert digest.hex() not in text
        assert not re.search(r"\b[0-9a-f]{64}\b", text)
