"""Pages offer the languages that everything is translated into, and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from flask import Flask

from portal.web import languages
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.pages import parse

SENTENCES = ("Sign in", "Sign out")
Translate = Callable[..., list[str]]


@pytest.fixture
def translate(tmp_path: Path) -> Translate:
    """Write a made-up catalogue of two sentences and one with a plural; what is offered then."""

    def translate(**changes: object) -> list[str]:
        whole = Catalog()
        for sentence in SENTENCES:
            whole.add(sentence)
        whole.add(("one key", "%(num)d keys"))
        with (tmp_path / "messages.pot").open("wb") as file:
            write_po(file, whole)
        dutch = Catalog(locale="nl")
        for message in whole:
            if message.id:
                dutch.add(message.id, ("één", "meer") if message.pluralizable else "ja")
        change = changes.get("change")
        if callable(change):
            change(dutch)
        folder = tmp_path / "nl" / "LC_MESSAGES"
        folder.mkdir(parents=True)
        with (folder / "messages.po").open("wb") as file:
            write_po(file, dutch)
        if changes.get("compiled", True):
            with (folder / "messages.mo").open("wb") as file:
                write_mo(file, dutch)
        return languages.complete_in(tmp_path)

    return translate


def message(catalog: Catalog, text: str) -> Message:
    found = catalog.get(text)
    assert found
    return found


def forget(catalog: Catalog) -> None:
    catalog.delete("Sign in")


def leave_empty(catalog: Catalog) -> None:
    message(catalog, "Sign in").string = ""


def leave_a_plural_empty(catalog: Catalog) -> None:
    message(catalog, "one key").string = ("één", "")


def guess(catalog: Catalog) -> None:
    message(catalog, "Sign in").flags.add("fuzzy")


@pytest.mark.sqlite_only(reason="nothing of this asks the database")
class TestComplete:
    def test_a_whole_catalogue_is_offered(self, translate: Translate) -> None:
        assert translate() == ["en", "nl"]

    @pytest.mark.parametrize("change", [forget, leave_empty, leave_a_plural_empty, guess])
    def test_one_that_lacks_a_sentence_or_guesses_one_is_not(
        self, translate: Translate, change: Callable[[Catalog], None]
    ) -> None:
        assert translate(change=change) == ["en"]

    def test_one_that_is_not_compiled_is_not(self, translate: Translate) -> None:
        assert translate(compiled=False) == ["en"]


def test_the_catalogue_that_is_shipped_can_be_read() -> None:
    folder = Path(languages.__file__).parents[1] / "translations"
    with (folder / "messages.pot").open("rb") as file:
        assert len(read_po(file)) > 500
    assert languages.complete_in(folder)[0] == "en"


@pytest.fixture
def with_dutch(app: Flask) -> None:
    app.config["OFFERED_LANGUAGES"] = ["en", "nl"]


def stored(database: object, account_id: int) -> str:
    [(code,)] = database.execute(f"SELECT language FROM accounts WHERE id = {account_id}")  # type: ignore[attr-defined]
    return str(code)


@pytest.fixture
def alice(client: PageChecker, cast: Cast) -> PageChecker:
    cast.alice.sign_in(client)
    return client


class TestPages:
    @pytest.mark.parametrize("path", ["/signup", "/account/profile"])
    def test_english_alone_is_no_choice(self, client: PageChecker, cast: Cast, path: str) -> None:
        if path != "/signup":
            cast.alice.sign_in(client)
        assert client.page(path).select_one("[name=language]") is None

    @pytest.mark.usefixtures("with_dutch")
    def test_what_is_offered_can_be_chosen(self, alice: PageChecker) -> None:
        options = alice.page("/account/profile").select("#language option")
        assert [option["value"] for option in options] == ["en", "nl"]

    def test_a_code_that_is_stored_stays(self, alice: PageChecker, cast: Cast, database: object) -> None:
        database.execute(f"UPDATE accounts SET language = 'de' WHERE id = {cast.alice.account_id}")  # type: ignore[attr-defined]
        assert alice.submit("/account/profile", {"bio": "I sew."}).status_code == 303
        assert stored(database, cast.alice.account_id) == "de"

    @pytest.mark.usefixtures("with_dutch")
    def test_it_stays_where_others_are_offered(
        self, alice: PageChecker, cast: Cast, database: object
    ) -> None:
        database.execute(f"UPDATE accounts SET language = 'de' WHERE id = {cast.alice.account_id}")  # type: ignore[attr-defined]
        page = alice.page("/account/profile")
        assert [option["value"] for option in page.select("#language option")] == ["en", "de", "nl"]
        assert alice.submit("/account/profile", {"bio": "I sew."}).status_code == 303
        assert stored(database, cast.alice.account_id) == "de"

    def test_what_is_not_offered_is_not_taken(
        self, client: PageChecker, cast: Cast, database: object
    ) -> None:
        token = parse(client.get("/signup")).select_one("main input[name=csrf_token]")
        assert token
        answer = client.post(
            "/signup", data={"email": "carol@example.org", "language": "xx", "csrf_token": token["value"]}
        )
        assert answer.status_code == 303
        assert database.execute("SELECT language FROM outbox") == [("en",)]  # type: ignore[attr-defined]
