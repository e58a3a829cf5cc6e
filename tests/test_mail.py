from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from bs4 import BeautifulSoup
from flask import Flask
from jinja2 import UndefinedError

from portal import mailer
from portal.models import MailKind, RevocationReason
from portal.permissions import LEVELS
from portal.services.mail.outbox import Claim, MailContent, PreparedMail
from tests.conftest import MakeApp
from tests.support.clock import Clock

pytestmark = pytest.mark.sqlite_only(reason="nothing of this asks the database")

PAYLOAD = "<script>alert(1)</script>&\"'{{7*7}}"
KEY_CREATED = {
    "name": "nightly build",
    "key": "0190b1f2-0000-7000-8000-000000000001",
    "level": 4,
    "expires_at": "2027-03-09T14:05:00.000Z",
    "made_by_key": None,
    "source": "192.0.2.7",
}
LETTERS: dict[str, dict[str, Any]] = {
    "confirm": {"token": "tOkEn"},
    "taken": {},
    "reset": {"token": "tOkEn"},
    "password-changed": {"source": "192.0.2.7"},
    "email-asked": {"token": "tOkEn", "name": "alice", "email": "new@example.org", "source": "192.0.2.7"},
    "email-confirm": {"token": "tOkEn", "name": "alice"},
    "email-changed": {"email": "new@example.org"},
    "locked": {"token": "tOkEn"},
    "key-made": KEY_CREATED,
    "account-blocked": {"why": "Your keys sent spam.", "keys": 2},
    "consent-withdrawn": {"keys": 1},
    "keys-revoked": {"reason": "owner", "keys": 1, "names": ["nightly build"]},
    "key-rotated": {
        **KEY_CREATED,
        "old_key": "0190b1f2-0000-7000-8000-000000000000",
        "retires_at": "2026-11-24T14:05:00.000Z",
        "works_on": True,
    },
    "key-reused": {
        "name": "nightly build",
        "key": "0190b1f2-0000-7000-8000-000000000000",
        "ended_at": "2026-11-24T14:05:00.000Z",
        "successor": None,
        "source": "192.0.2.7",
    },
    "keys-leaked": {
        "keys": 2,
        "reporter": "github",
        "reported": 1,
        "line": ["created with it (0190b1f2-0000-7000-8000-000000000002)"],
        "others": 1,
        "leaked": [
            {
                "name": "nightly build",
                "key": "0190b1f2-0000-7000-8000-000000000001",
                "found_at": ["https://git.example/a/.env (content)", "https://git.example/b/.env (content)"],
                "ended_before": False,
            }
        ],
    },
    "excess": {
        "step": "revoked",
        "calls": 7,
        "refused": 1234,
        "rung": 1000,
        "revoked": 2,
        "by_key": [
            {"key": KEY_CREATED["key"], "name": "nightly", "calls": 7, "limit": 9000, "refused": 1234}
        ],
    },
    "role-changed": {"role": "support"},
    "account-removed": {},
}
LINKS = {
    "confirm": "/confirm/tOkEn",
    "taken": "/signin",
    "reset": "/password/reset/tOkEn",
    "email-asked": "/stop-email/tOkEn",
    "email-confirm": "/confirm-email/tOkEn",
    "locked": "/unlock/tOkEn",
    "excess": "/account/usage-limits",
    "key-made": "/account/keys/0190b1f2-0000-7000-8000-000000000001",
    "keys-leaked": "/account/keys/0190b1f2-0000-7000-8000-000000000001",
}
CLAIM = Claim(
    7, MailKind.KEY_CREATED, datetime(2026, 11, 23, 19, tzinfo=UTC), datetime(2026, 11, 23, 20, tzinfo=UTC)
)

Write = Callable[..., mailer.RenderedMail]


@pytest.fixture
def write(app: Flask) -> Write:
    def write(template: str, language: str = "en", **params: Any) -> mailer.RenderedMail:
        with app.app_context():
            return mailer.render(MailContent(template, {**LETTERS[template], **params}), language)

    return write


def compose(app: Flask, letter: MailContent, *, address: str = "alice@example.org", **options: Any) -> bytes:
    with app.app_context():
        options.setdefault("eight_bit", True)
        return mailer.compose(PreparedMail(letter, address, "en"), CLAIM, **options).as_bytes()


def words_of(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html.parser").body.get_text(" ").split())  # type: ignore[union-attr]


@pytest.mark.parametrize("template", LETTERS)
def test_each_mail_says_the_same_in_text_and_in_html(write: Write, template: str) -> None:
    mail = write(template)

    assert mail.subject
    assert "<" not in mail.text
    html = words_of(mail.html)
    for line in mail.text.replace("\n", " ").split(" "):
        assert line.rstrip(":").lstrip("-") in html
    page = BeautifulSoup(mail.html, "html.parser")
    assert [heading.get_text() in mail.text for heading in page.find_all("h1")] == [True]
    assert page.html
    assert page.html["lang"] == "en"
    assert not page.find_all(["script", "img", "link", "form"])


@pytest.mark.parametrize("template", LINKS)
def test_links_begin_with_the_base_url(make_app: MakeApp, template: str) -> None:
    app = make_app(PORTAL_BASE_URL="https://keys.example.org")
    with app.app_context():
        mail = mailer.render(MailContent(template, LETTERS[template]), "en")

    link = "https://keys.example.org" + LINKS[template]
    assert link in mail.text.split()
    links = [str(tag["href"]) for tag in BeautifulSoup(mail.html, "html.parser").find_all("a")]
    assert link in links
    assert all(each.startswith("https://keys.example.org") for each in links)


def test_every_template_is_tried_here_and_every_mail_has_one() -> None:
    folder = Path(__file__).parent.parent / "templates" / "mail"
    names = {path.stem for path in folder.glob("*.jinja") if not path.name.startswith("_")}

    assert names == set(LETTERS)
    assert {kind.value for kind in MailKind} - names == {"sign-up"}  # it becomes confirm or taken


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: str(level.number))
def test_a_made_key_is_told_with_its_level_in_words(write: Write, level: Any) -> None:
    mail = write("key-made", level=level.number)

    assert f"Level {level.number}: {level.sentence}" in mail.text


def test_a_made_key_is_told_with_all_that_the_owner_must_know(write: Write) -> None:
    mail = write("key-made")

    assert mail.subject == "Key created: nightly build"
    assert "Name: nightly build" in mail.text
    assert "Expires: 9 March 2027, 14:05 UTC" in mail.text
    assert "Created by: You, signed in" in mail.text
    assert "IP address: 192.0.2.7" in mail.text


def test_a_key_that_made_a_key_is_named(write: Write) -> None:
    maker = "0190b1f2-0000-7000-8000-00000000000f"

    assert f"Created by: The key {maker}" in write("key-made", made_by_key=maker, source=None).text


@pytest.mark.parametrize("reason", RevocationReason)
def test_each_reason_of_a_revocation_is_told_in_words(write: Write, reason: RevocationReason) -> None:
    mail = write("keys-revoked", reason=reason.value, keys=3, names=None)

    assert mail.subject == "3 keys were revoked"
    why = next(line for line in mail.text.splitlines() if line.startswith("Why: "))
    assert len(why.split()) > 3


def test_what_a_person_typed_is_escaped_in_html_and_left_alone_in_text(write: Write) -> None:
    leaked = [{"name": "x", "key": "y", "found_at": [PAYLOAD]}]
    for mail in (
        write("key-made", name=PAYLOAD),
        write("keys-revoked", names=[PAYLOAD]),
        write("keys-leaked", leaked=leaked, offspring=[PAYLOAD]),
    ):
        assert PAYLOAD in mail.text
        assert "<script>" not in mail.html
        assert PAYLOAD in words_of(mail.html)


def test_a_subject_is_one_line(app: Flask, write: Write) -> None:
    name = "evil\r\nBcc: bob@example.org\r\n\r\nbody"
    assert write("key-made", name=name).subject == "Key created: evil Bcc: bob@example.org body"

    message = message_from_bytes(compose(app, MailContent("key-made", {**KEY_CREATED, "name": name})))

    assert message["Bcc"] is None


@pytest.mark.parametrize(
    "address", ["alice@example.org\r\nBcc: bob@example.org", "nobody", "@example.org", "a b@example.org", ""]
)
def test_an_address_that_can_not_stand_in_a_header_is_refused(app: Flask, address: str) -> None:
    with pytest.raises(mailer.MailUnusable) as caught:
        compose(app, MailContent("taken", {}), address=address)

    assert "bob" not in str(caught.value)


def test_the_headers_are_those_of_an_automatic_mail(app: Flask, clock: Clock) -> None:
    clock.to(datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC))

    message = message_from_bytes(compose(app, MailContent("taken", {})), policy=policy.default)

    assert message["From"] == "Chatelaine <chatelaine@localhost>"
    assert message["To"] == "alice@example.org"
    assert message["Date"] == "Sat, 02 Jan 2027 03:04:05 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_the_message_id_is_the_same_at_every_attempt(app: Flask, clock: Clock) -> None:
    first = message_from_bytes(compose(app, MailContent("taken", {})))
    clock.forward(hours=3)
    second = message_from_bytes(compose(app, MailContent("taken", {})))

    assert first["Message-ID"] == second["Message-ID"] == "<key-made.7.1795460400000@127.0.0.1>"


@pytest.mark.parametrize("eight_bit", [True, False])
def test_other_letters_and_long_links_arrive_whole(make_app: MakeApp, eight_bit: bool) -> None:
    app = make_app(PORTAL_BASE_URL=f"https://{'a' * 60}.example.org")
    letter = MailContent("key-made", {**KEY_CREATED, "name": "Schlüssel für Zoë – 鍵"})
    raw = compose(app, letter, eight_bit=eight_bit)

    assert raw.isascii() is not eight_bit
    message = message_from_bytes(raw, policy=policy.default)
    text = message.get_body(("plain",)).get_content().replace("\r\n", "\n")  # type: ignore[union-attr]
    assert "Name: Schlüssel für Zoë – 鍵\n" in text
    assert f"https://{'a' * 60}.example.org/account/keys/{KEY_CREATED['key']}\n" in text
    assert message["Subject"] == "Key created: Schlüssel für Zoë – 鍵"


def test_very_long_lines_are_quoted(app: Flask) -> None:
    raw = compose(app, MailContent("email-changed", {"email": "x" * 2000}))

    assert max(map(len, raw.splitlines())) < 998


def test_an_international_domain_is_written_in_ascii(app: Flask) -> None:
    message = message_from_bytes(compose(app, MailContent("taken", {}), address="zoe@straße.example"))

    assert message["To"] == "zoe@xn--strae-oqa.example"


def test_what_a_mail_needs_must_be_there(app: Flask) -> None:
    with app.app_context(), pytest.raises(UndefinedError):
        mailer.render(MailContent("confirm", {}), "en")


def test_a_letter_does_not_show_its_token() -> None:
    assert "tOkEn" not in repr(MailContent("confirm", {"token": "tOkEn"}))


def test_a_mail_is_written_in_the_language_of_its_reader(app: Flask, write: Write, tmp_path: Path) -> None:
    catalog = Catalog(locale="de")
    catalog.add("Set a new password", "Neues Passwort setzen")
    catalog.add("Key created: %(name)s", "Neuer Schlüssel: %(name)s", flags=["python-format"])
    (tmp_path / "de" / "LC_MESSAGES").mkdir(parents=True)
    with (tmp_path / "de" / "LC_MESSAGES" / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    app.extensions["babel"].translation_directories.insert(0, str(tmp_path))

    german, french = write("key-made", "de"), write("reset", "fr")

    assert german.subject == "Neuer Schlüssel: nightly build"
    assert "9. März 2027, 14:05 UTC" in german.text
    assert '<html lang="de" dir="ltr">' in german.html
    assert french.subject == "Set a new password"
    assert '<html lang="en" dir="ltr">' in french.html
    assert write("reset", "de").subject == "Neues Passwort setzen"
