"""One rule for text that people type, and how old text is shown that broke it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask import Flask

from portal.models import Account, Action
from portal.services.accounts import lookalikes
from portal.services.accounts.fields import clean_bio, clean_username
from portal.services.accounts.update import change_account
from portal.services.core import audit, free_text
from portal.services.core.actor import Actor
from portal.services.core.errors import InvalidInput
from portal.services.core.transaction import transaction
from portal.services.keys import creation, rotation
from portal.services.keys.conditions import Conditions
from portal.services.operators import actions, lost_pepper
from portal.services.operators import queries as operator_queries
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.mailbox import Mailbox

SHELL = Actor.command_line()
DAY = timedelta(days=1)

FINE = {
    "": "nothing",
    "Zoë’s importer, №5 (50 %)": "Latin",
    "Ключ для сервера": "Cyrillic",
    "می‌خواهم": "Persian, with a non-joiner",
    "क्‍ष": "Hindi, with a joiner",
    "ភាសា\u200bខ្មែរ": "Khmer, with a zero-width space",
    "בְּרֵאשִׁ֖ית בָּרָ֣א": "pointed Hebrew",
    "བསྒྲུབས ཧཱུྃ": "stacked Tibetan",
    "Tiếng Việt": "Vietnamese",
    "Tie\u0302\u0301ng Vie\u0323\u0302t": "the same, taken apart",
    "鍵\u3000サーバー": "Japanese, with its space",
    "10\u00a0000\u202f€": "no-break spaces",
    "👩\u200d🔧 ❤️ 🇳🇱": "emoji",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f keys": "the flag of Scotland",
    "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯ\u180eᠡ": "Mongolian, with its separator of vowels",
    "ᚋᚐᚊᚔ\u1680ᚋᚒᚉᚑᚔ": "Ogham, with its space",
    "one\u2003em\u2009thin\u205fmathematical": "spaces of typesetters",
    "e" + "\u0301" * 8: "as many marks as there may be",
}

REFUSED = {
    "a\x00b": "U+0000",
    "a\x1b[2Jb": "U+001B",
    "a\x07": "U+0007",
    "a\x0bb": "U+000B",
    "a\x7fb": "U+007F",
    "a\x85b": "U+0085",
    "a\x9b2Jb": "U+009B",
    "a\xadb": "U+00AD",
    "a\u061cb": "U+061C",
    "a\u200eb": "U+200E",
    "a\u200fb": "U+200F",
    "a\u2028b": "U+2028",
    "a\u2029b": "U+2029",
    **{f"a{chr(each)}b": f"U+{each:04X}" for each in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
    "a\ufeffb": "U+FEFF",
    "a\ud800b": "U+D800",
    "a\ue000b": "U+E000",
    "a\uffffb": "U+FFFF",
    "a\u0378b": "U+0378",
    "a\U000e0041b": "U+E0041",
    "🏴\U000e0067\U000e0062": "U+E0067",
    "🏴\U000e0068\U000e0069\U000e0064\U000e0065\U000e007f": "U+E0068",
    "a\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007fb": "U+E0067",
    "a\u2060b": "U+2060",
    "\u180e": "U+180E",
    "\u1680\u3000": "U+1680",
    "\u200b": "U+200B",
    "\u3164\u3164": "U+3164",
    "\u2800 \u00a0": "U+2800",
    "\u115f\u034f\ufe0f": "U+115F",
    "\u0301": "U+0301",
    "e" + "\u0301" * 9: "U+0301",
    "e" + "\u0301\u200d" * 9: "U+0301",
    "e" + "\u0301\u180e" * 9: "U+0301",
}


@pytest.mark.parametrize("text", FINE, ids=FINE.values())
@pytest.mark.parametrize("lines", [False, True])
def test_every_script_can_be_written(text: str, lines: bool) -> None:
    free_text.check(text, "nameNotPrintable", "name", lines=lines)
    assert free_text.escaped(text, lines=lines) == text


@pytest.mark.parametrize(("text", "character"), REFUSED.items(), ids=ascii)
@pytest.mark.parametrize("lines", [False, True])
def test_what_acts_or_hides_is_refused_and_named(text: str, character: str, lines: bool) -> None:
    with pytest.raises(InvalidInput) as refusal:
        free_text.check(text, "nameNotPrintable", "name", lines=lines)
    assert refusal.value.details["character"] == character


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\tb"])
def test_lines_and_tabs_stand_in_long_texts_only(text: str) -> None:
    free_text.check(text, "bioNotPrintable", "bio", lines=True)
    with pytest.raises(InvalidInput):
        free_text.check(text, "nameNotPrintable", "name")


def test_old_text_is_shown_with_escapes() -> None:
    assert free_text.escaped("a\x1b[2J\x9b\u202e\u2066\u200e\n\U000e0041é") == (
        r"a\x1b[2J\x9b\u202e\u2066\u200e\n\U000e0041é"
    )
    assert free_text.escaped("a\n\tb\x1b", lines=True) == "a\n\tb\\x1b"
    details = {"name": "a\x1b\x9b\u202e\U000e0041é"}
    wire = free_text.escaped_json(json.dumps(details, ensure_ascii=False))
    assert wire.isprintable()
    assert json.loads(wire) == details


@pytest.mark.parametrize("text", [each for each in FINE if each], ids=list(FINE.values())[1:])
def test_it_comes_back_as_it_was_typed(
    client: PageChecker, cast: Cast, make_key: MakeKey, mailbox: Mailbox, text: str
) -> None:
    key = make_key(cast.alice)
    asked = {"name": text, "note": f"{text}\n{text}", "level": 1, "expiresIn": 3600}

    created = client.post("/api/apikeys/key", json=asked, headers=key.headers)

    assert created.status_code == 201
    assert created.json["apikey"]["name"] == text
    read = client.get(f"/api/apikeys/{created.json['apikey']['key']}/key", headers=key.headers)
    assert (read.json["apikey"]["name"], read.json["apikey"]["note"]) == (text, asked["note"])
    assert text in mailbox.last(to=cast.alice.email).text
    cast.alice.sign_in(client)
    assert text in client.page(f"/account/keys/{created.json['apikey']['key']}").text


class TestWhereItHolds:
    @pytest.mark.parametrize("text", ["a\u202eb", "\u3164", "e" + "\u0301" * 9])
    def test_names_notes_bios_and_reasons(self, app: Flask, cast: Cast, text: str) -> None:
        alice = cast.alice.actor
        with app.app_context():
            with pytest.raises(InvalidInput, match="nameNotPrintable"):
                creation.create_key(alice, name=text, level=1, life=DAY)
            with pytest.raises(InvalidInput, match="noteNotPrintable"):
                creation.create_key(alice, name="a", level=1, life=DAY, conditions=Conditions(note=text))
            with pytest.raises(InvalidInput, match="bioNotPrintable"):
                clean_bio(text)
            with pytest.raises(InvalidInput, match="reasonNotPrintable"):
                actions.block(SHELL, cast.bob.account_id, why=text)
            with pytest.raises(InvalidInput, match="reasonNotPrintable"):
                lost_pepper.revoke_of_pepper(SHELL, "p1", why=text)

    def test_a_name_from_before_the_rule_can_be_rotated(
        self, app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with app.app_context():
            with monkeypatch.context() as before:
                before.setattr(free_text, "check", lambda *_, **__: None)
                key, _ = creation.create_key(cast.alice.actor, name="\u3164", level=1, life=DAY)

            assert rotation.rotate_key(cast.alice.actor, key.id)[0].name == "\u3164"

    def test_a_search_leaves_out_what_was_pasted_along(self, app: Flask, cast: Cast) -> None:
        with app.app_context():
            found = operator_queries.search_accounts(SHELL, query="\u202aali\x00ce@example.org\u202c")
            assert [each.id for each in found.items] == [cast.alice.account_id]
            assert audit.list_events(action=Action.ACCOUNTS_SEARCHED)[0].details["found"] == 1


class TestNamesOfOffice:
    @pytest.mark.parametrize(
        "name",
        [
            "admin",
            "Admin",
            "ADMIN2",
            "4dm1n",
            "adrnin",
            "ad.min",
            "the-admin",
            "Supp0rt",
            "support-team",
            "root",
            "r00t",
            "SYSTEM",
            "curator",
            "the-curator",
            "Bughunter",
            "user",
            "tester",
            "portal",
            "abuse_desk",
        ],
    )
    def test_nobody_takes_one(self, app: Flask, cast: Cast, name: str) -> None:
        with app.app_context(), pytest.raises(InvalidInput, match="usernameReserved"):
            change_account(cast.alice.actor, username=name)

    @pytest.mark.parametrize("name", ["user-1a2b3c4d", "tester7", "adminah", "rooter", "a.curie"])
    def test_what_only_sounds_a_little_like_one_is_free(self, name: str) -> None:
        assert not lookalikes.is_reserved(name)

    @pytest.mark.parametrize("name", ["аdmin", "αdmin", "ａdmin", "admın", "admin\u200b"])
    def test_other_scripts_make_no_name_at_all(self, name: str) -> None:
        with pytest.raises(InvalidInput, match="usernameInvalid"):
            clean_username(name)

    def test_who_is_called_so_already_still_changes_the_rest(self, app: Flask, cast: Cast) -> None:
        with app.app_context():
            with transaction() as session:
                account = session.get_one(Account, cast.alice.account_id)
                account.username, account.lusername = "Admin", "admin"

            assert change_account(cast.alice.actor, username="Admin", bio="I sew.").bio == "I sew."


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("admin@example.org", "admin@example.org"),
        ("admin@ex\u0430mple.org", "admin@xn--exmple-4nf.org"),
        ("admin@\u0430\u0440\u0440\u04cf\u0435.com", "admin@xn--80ak6aa92e.com"),
        ("\u0430dmin@example.org", r"\u0430dmin@example.org"),
        ("a@münchen.de", "a@münchen.de"),
        ("\u0430\u0441\u0435@example.org", r"\u0430\u0441\u0435@example.org"),
        ("\u0430\u0441\u0435@почта.рф", "\u0430\u0441\u0435@почта.рф"),
        ("иван@example.org", "иван@example.org"),
        ("почта@почта.рф", "почта@почта.рф"),
        ("a@日本語サイト.jp", "a@日本語サイト.jp"),
        ("a@ex\u0430_mple.org", None),
        ("a@\u03bf\u043e.рф", None),
        ("a\x1b@example.org", r"a\x1b@example.org"),
        ("", ""),
    ],
)
def test_no_letter_of_an_address_passes_for_another(address: str, shown: str | None) -> None:
    told = lookalikes.shown_email(address)
    assert told == shown if shown is not None else told.isascii()
