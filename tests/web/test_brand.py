"""What the operator puts on the portal as their own: the name, and whom to write to."""

from __future__ import annotations

import pytest

from config_values import ConfigurationError
from portal import clock, mailer
from portal.models import MailKind
from portal.permissions import Role
from portal.services.accounts import signup
from portal.services.core.actor import Actor
from portal.services.core.errors import InvalidInput
from portal.services.mail.outbox import Claim, MailContent, PreparedMail
from portal.services.operators import actions
from tests.support.cast import make_cast
from tests.support.pages import parse

pytestmark = pytest.mark.sqlite_only(reason="nothing of this asks the database for more than an account")

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (32).to_bytes(4, "big") * 2 + b"\x08\x06\0\0\0" + bytes(40)
NAME = "Öl & <b>Gas</b>"
MAIL = "help+keys@example.org"
PAGE = "https://help.example.org/keys?from=portal"


@pytest.fixture
def branded(make_app):
    return make_app(PORTAL_NAME=NAME, PORTAL_SUPPORT_CONTACT=MAIL)


def test_the_name_stands_in_the_rail_and_in_the_title(branded):
    page = branded.test_client().page("/signin")

    assert page.select_one(".brand").text.strip() == NAME
    assert page.title.text == f"Sign in · {NAME}"
    assert "Chatelaine" not in page.text


def test_a_blocked_owner_is_told_whom_to_write_to(branded):
    cast, client = make_cast(branded), branded.test_client()
    with branded.app_context():
        actions.block(cast.ada.actor, cast.alice.account_id, why="made trouble")

    answer = client.submit("/signin", {"username": "alice", "password": cast.alice.password})
    link = parse(answer).select_one("main p a")

    assert (link.text, link["href"]) == (MAIL, "mailto:help%2Bkeys@example.org")
    assert f"write to {MAIL}." in parse(answer).text


def test_a_page_may_be_the_support(make_app):
    client = make_app(PORTAL_SUPPORT_CONTACT=PAGE).test_client()
    page = client.page("/nothing-here", status=404)

    assert [
        link["href"] for link in page.select(".note a, footer a") if link["href"].startswith("https")
    ] == [
        PAGE,
        PAGE,
    ]


def test_without_a_contact_it_says_who_and_links_nowhere(client):
    page = client.page("/nothing-here", status=404)

    assert not page.select('a[href^="mailto:"]')
    assert "Support" not in page.footer.text


def compose(app, template, **params):
    claim = Claim(7, MailKind.KEY_CREATED, clock.utcnow(), clock.utcnow())
    with app.app_context():
        return mailer.compose(
            PreparedMail(MailContent(template, params), "alice@example.org", "en"), claim, eight_bit=True
        )


def test_mails_carry_the_name_and_the_support(branded):
    message = compose(branded, "email-changed", email="new@example.org")
    text, html = (part.get_content() for part in message.iter_parts())

    assert message["From"] == f'"{NAME}" <chatelaine@localhost>'
    assert MAIL in text.partition("\n--\n")[0]
    assert f"--\n{NAME}\n" in text
    assert "Öl &amp; &lt;b&gt;Gas&lt;/b&gt;" in html
    assert 'href="mailto:help%2Bkeys@example.org"' in html


def test_a_sender_with_a_name_keeps_it(make_app):
    app = make_app(PORTAL_NAME=NAME, PORTAL_MAIL_FROM="Keys <keys@example.org>")

    assert compose(app, "taken")["From"] == "Keys <keys@example.org>"


def test_the_description_of_the_api_has_the_name(branded, app):
    assert branded.test_client().get("/api/openapi.json").get_json()["info"]["title"] == NAME
    assert app.test_client().get("/api/openapi.json").get_json()["info"]["title"] == "Chatelaine"


SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 30"{}>{}</svg>'
DRAWN = SVG.format("", "<style>.a{fill:url(#b)}</style><path class='a' d='M0 0h9v9z'/>")
ACTING = {
    "script": SVG.format("", "<script>alert(1)</script>"),
    "onload": SVG.format(" onload='alert(1)'", ""),
    "xhtml": SVG.format("", "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>"),
    "foreignObject": SVG.format("", "<foreignObject/>"),
    "image": SVG.format("", "<image href='https://tracker.example/x.png'/>"),
    "a": SVG.format("", "<a href='#x'/>"),
    "animate": SVG.format("", "<animate attributeName='href' to='javascript:alert(1)'/>"),
    "use": SVG.format("", "<use href='https://tracker.example/x.svg#y'/>"),
    "data": SVG.format("", "<use href='data:image/svg+xml,x#y'/>"),
    "xlink": SVG.format(" xmlns:xlink='http://www.w3.org/1999/xlink'", "<use xlink:href='/x.svg#y'/>"),
    "fill": SVG.format("", "<path fill='url(https://tracker.example/x)'/>"),
    "import": SVG.format("", "<style>@import 'https://tracker.example/x'</style>"),
    "escape": SVG.format("", r"<style>.a{fill:u\72l(https://tracker.example/x)}</style>"),
    "doctype": "<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + SVG.format("", "&x;"),
    "sheet": "<?xml-stylesheet href='https://tracker.example/x'?>" + DRAWN,
}


def logo_in(tmp_path, content):
    path = tmp_path / "logo"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize("content", ACTING.values(), ids=ACTING)
def test_a_logo_that_acts_is_refused_at_the_start(make_app, tmp_path, content):
    with pytest.raises(ConfigurationError, match=r"PORTAL_LOGO (holds|declares)"):
        make_app(PORTAL_LOGO=logo_in(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a text",
        "<html/>",
        "<svg viewBox='0 0 1 1'/>",
        DRAWN.replace("0 0 60 30", "0 0 0 30"),
        DRAWN.replace("0 0 60 30", "0 0 9e9 30"),
        DRAWN[:-1],
        b"\xff\xfe",
        b"GIF89a" + bytes(40),
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        PNG[:16] + b"\0\0\xff\xff\0\0\0\1" + PNG[24:],
        b"\x89PNG\r\n\x1a\n" + bytes(300_000),
    ],
)
def test_what_is_no_logo_is_refused_in_one_sentence(make_app, tmp_path, content):
    with pytest.raises(ConfigurationError, match="PORTAL_LOGO") as caught:
        make_app(PORTAL_LOGO=logo_in(tmp_path, content))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "kind", "width"), [(DRAWN, "image/svg+xml", "56"), (PNG, "image/png", "28")]
)
def test_a_logo_comes_from_the_portal_itself(make_app, tmp_path, content, kind, width):
    client = make_app(PORTAL_LOGO=logo_in(tmp_path, content)).test_client()
    page = client.page("/signin")
    shown = page.select_one(".brand img")
    answer = client.get(shown["src"])

    assert (shown["alt"], shown["width"], shown["height"]) == ("", width, "28")
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert "immutable" in answer.headers["Cache-Control"]
    assert "immutable" not in client.get("/brand/logo?v=other").headers["Cache-Control"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; object-src 'none'")
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers
    assert (page.select_one("link[rel=icon]")["href"] == shown["src"]) == (width == "28")


def test_without_a_logo_and_a_colour_they_are_those_of_chatelaine(client):
    page = client.page("/signin")

    assert "<svg" in client.get("/brand/logo").text
    assert "--thread: #3d3a8c;" in client.get("/brand/accent.css").text
    assert not page.select('[href^="/brand"], [src^="/brand"]')


def test_the_colour_is_a_sheet_of_the_portal_itself(make_app):
    client = make_app(PORTAL_ACCENT="#00664A").test_client()
    address = client.page("/signin").select("link[rel=stylesheet]")[-1]["href"]
    answer = client.get(address)

    assert answer.mimetype == "text/css"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "--thread: #00664a;" in answer.text


PALE = ("#ffcc00", "#0a7", "#808080", "#00664a,#555", "#00664a, #000000")
NO_COLOURS = ("red", "#12345", "#3d3a8c;", "#3d3a8c,#fff,#fff", "url(x)", ",")


@pytest.mark.parametrize("colour", PALE)
def test_a_colour_that_is_hard_to_read_is_refused_with_its_contrast(make_app, colour):
    with pytest.raises(ConfigurationError, match=r"PORTAL_ACCENT: #\w{6} has a contrast of [\d.]+ to 1 on"):
        make_app(PORTAL_ACCENT=colour)


@pytest.mark.parametrize("colour", NO_COLOURS)
def test_what_is_no_colour_is_refused(make_app, colour):
    with pytest.raises(ConfigurationError, match="PORTAL_ACCENT must be a colour"):
        make_app(PORTAL_ACCENT=colour)


def test_links_terms_and_a_note_stand_where_they_belong(make_app):
    client = make_app(
        PORTAL_TERMS_URL="https://example.org/terms",
        PORTAL_PRIVACY_URL="https://example.org/privacy",
        PORTAL_API_DOCS_URL="https://example.org/api",
        PORTAL_SIGN_IN_NOTE="Staff sign in with their <name>.",
    ).test_client()
    page = client.page("/signin")
    told = client.get("/api/openapi.json").get_json()

    assert [link["href"] for link in page.select('footer a[href^="https"]')] == [
        "https://example.org/api",
        "https://example.org/terms",
        "https://example.org/privacy",
    ]
    assert page.select_one('.nav a[href="https://example.org/api"]').text.strip() == "API docs"
    assert page.select_one("#sign-in-note").text.strip() == "Staff sign in with their <name>."
    assert told["info"]["termsOfService"] == "https://example.org/terms"
    assert told["externalDocs"] == {"url": "https://example.org/api"}


def test_nobody_takes_the_name_of_the_portal_or_guards_an_account_with_it(make_app):
    app = make_app(PORTAL_NAME="Tailors' Guild")
    cast, client = make_cast(app), app.test_client()
    cast.alice.sign_in(client)

    for name in ("tailors-guild", "Ta1lorsGuild7"):
        answer = client.submit("/account/profile", {"username": name})
        assert answer.status_code == 422, name
    with app.app_context(), pytest.raises(InvalidInput) as caught:
        signup.create_account(
            Actor.command_line(), "carol@example.org", role=Role.USER, password="tailorsguild-2026"
        )
    assert caught.value.code == "passwordHasContext"
