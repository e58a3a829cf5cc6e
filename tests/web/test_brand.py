"""What the operator puts on the portal as their own: the name, and whom to write to."""

from __future__ import annotations

import pytest

from portal import clock, mailer
from portal.models import MailKind
from portal.services.mail.outbox import Claim, MailContent, PreparedMail
from portal.services.operators import actions
from tests.support.cast import make_cast
from tests.support.pages import parse

pytestmark = pytest.mark.sqlite_only(reason="nothing of this asks the database for more than an account")

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
    link = parse(answer).select_one("#errors a")

    assert (link.text, link["href"]) == (MAIL, "mailto:help%2Bkeys@example.org")
    assert f"This account is blocked. Write to {MAIL}." in parse(answer).text


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
    assert f"Write to {MAIL} at once" in " ".join(text.split())
    assert f"--\n{NAME}\n" in text
    assert "Öl &amp; &lt;b&gt;Gas&lt;/b&gt;" in html
    assert 'href="mailto:help%2Bkeys@example.org"' in html


def test_a_sender_with_a_name_keeps_it(make_app):
    app = make_app(PORTAL_NAME=NAME, PORTAL_MAIL_FROM="Keys <keys@example.org>")

    assert compose(app, "taken")["From"] == "Keys <keys@example.org>"


def test_the_description_of_the_api_has_the_name(branded, app):
    assert branded.test_client().get("/api/openapi.json").get_json()["info"]["title"] == NAME
    assert app.test_client().get("/api/openapi.json").get_json()["info"]["title"] == "Chatelaine"
