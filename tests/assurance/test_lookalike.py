"""Nobody reads an address whose letters pass for others, on any page and in any mail."""

from __future__ import annotations

import pytest

from portal.models import TokenPurpose
from portal.services.core.transaction import transaction
from portal.services.mail import tokens
from tests.support.crawl import stops
from tests.support.pages import parse

DOMAIN, TRUE_DOMAIN = "ex\u0430mple.org", "xn--exmple-4nf.org"  # with a Cyrillic letter
FALSE, TRUE_NAME = f"alice@{DOMAIN}", f"alice@{TRUE_DOMAIN}"


def read(answer):
    """What a reader sees of a page: neither what stands in its fields, nor its markup."""
    return parse(answer).get_text(" ") if answer.mimetype == "text/html" else ""


@pytest.fixture
def bob(client, cast, database):
    database.execute(
        "UPDATE accounts SET email = :email, lemail = :email WHERE id = :id",
        email=FALSE,
        id=cast.bob.account_id,
    )
    client.submit("/signin", {"username": "bob", "password": cast.bob.password})
    return client


def links(app, account_id):
    """A good link of each kind to the account."""
    with app.app_context(), transaction() as session:
        return {
            purpose: tokens.mint(session, purpose, account_id=account_id, email=FALSE)
            for purpose in TokenPurpose
            if purpose is not TokenPurpose.FIRST_ADMIN
        }


def test_no_page_shows_it(app, bob, new_client, cast):
    admin, anybody = new_client(), new_client()
    cast.ada.sign_in(admin)
    good = links(app, cast.bob.account_id)
    paths = [stop.path for stop in stops(app, {"account_id": cast.bob.account_id}) if "GET" in stop.methods]
    paths += [path.replace("no-such-token", token) for path in paths for token in good.values()]
    told = 0
    for path in dict.fromkeys(paths):
        for reader in (bob, admin, anybody):
            words = read(reader.get(path))
            assert FALSE not in words, path
            told += TRUE_NAME in words
    assert told > len(good)


def test_no_answer_to_a_form_shows_it(app, client, new_client, cast, mailbox):
    cast.alice.sign_in(client)
    asked = {"email": FALSE, "current_password": cast.alice.password}
    answers = [
        client.submit("/account/profile/email", asked, follow=True),
        new_client().submit("/password/forgot", {"email": FALSE}, follow=True),
        new_client().submit("/signup", {"email": FALSE.replace("alice", "carol")}, follow=True),
    ]
    told = mailbox.last(to=cast.alice.email)
    stop = told.path("/stop-email/")
    new = next(each for each in mailbox.all() if "/confirm-email/" in each.text)
    answers += [new_client().get(stop), new_client().get(new.path("/confirm-email/"))]
    answers.append(new_client().submit(new.path("/confirm-email/"), follow=True))
    for answer in answers:
        assert answer.status_code == 200
        assert DOMAIN not in read(answer), answer.request.path
        assert TRUE_DOMAIN in read(answer), answer.request.path


def test_no_mail_writes_it(client, cast, mailbox):
    cast.alice.sign_in(client)
    asked = {"email": FALSE, "current_password": cast.alice.password}
    client.submit("/account/profile/email", asked)
    told = mailbox.last(to=cast.alice.email)
    assert TRUE_NAME in told.text
    assert TRUE_NAME in told.html
    new = next(each for each in mailbox.all() if "/confirm-email/" in each.text)
    client.submit(new.path("/confirm-email/"))
    changed = mailbox.last(to=cast.alice.email)
    assert changed.subject == "Your email was changed"
    for mail in mailbox.all():
        assert FALSE not in mail.text + mail.html, mail.subject
