"""Taking an account back ends what was asked for before (row 87); a mailed link minds its account only."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.services.accounts import recovery, signup
from portal.services.auth import sessions
from portal.services.core.actor import Actor
from portal.services.operators import actions
from tests.support.cast import make_person
from tests.support.pages import parse

NEW = "alice.new@example.org"
PASSWORD = "lantern gravel otter sixty"


@pytest.fixture
def alice(client, cast):
    cast.alice.sign_in(client)
    return client


def ask_for(client, person, email):
    fields = {"email": email, "current_password": person.password}
    return client.submit("/account/profile/email", fields)


def address_of(database, person):
    [(email,)] = database.execute("SELECT email FROM accounts WHERE id = :id", id=person.account_id)
    return email


# The ways of taking an account back, done by the owner in a browser of her own, or by an operator.


def by_reset(owner, cast, mailbox, _app):
    owner.submit("/password/forgot", {"email": cast.alice.email})
    path = mailbox.last(to=cast.alice.email).path("/password/reset/")
    assert owner.submit(path, {"password": PASSWORD}).status_code == 303


def by_change_of_password(owner, cast, _mailbox, _app, end_others=True):
    cast.alice.sign_in(owner)
    fields = {"current_password": cast.alice.password, "password": PASSWORD}
    page = owner.page("/account/security")
    token = page.select_one("main input[name=csrf_token]")["value"]
    fields |= {"csrf_token": token, **({"end_others": "y"} if end_others else {})}
    assert owner.post("/account/security", data=fields).status_code == 303


def by_change_of_password_alone(owner, cast, mailbox, app):
    by_change_of_password(owner, cast, mailbox, app, end_others=False)


def by_ending_sessions(owner, cast, _mailbox, _app):
    cast.alice.sign_in(owner)
    path = "/account/security/sessions/end-others"
    assert owner.submit("/account/security", form=path).status_code == 303


def by_lock_and_unlock(owner, cast, mailbox, app):
    cast.alice.sign_in(owner)
    owner.submit("/account/security/lock", {"current_password": cast.alice.password})
    owner.submit(mailbox.last(to=cast.alice.email).path("/unlock/"))
    owner.submit("/signin", {"username": "alice", "password": cast.alice.password})


def by_block_and_unblock(_owner, cast, _mailbox, app):
    with app.app_context():
        actions.block(cast.sue.actor, cast.alice.account_id, why="she called")
        actions.unblock(cast.sue.actor, cast.alice.account_id, why="it is her")


WAYS: dict[str, Callable[..., None]] = {
    "reset": by_reset,
    "change of password": by_change_of_password,
    "change of password alone": by_change_of_password_alone,
    "end all other sessions": by_ending_sessions,
    "lock and unlock": by_lock_and_unlock,
    "block and unblock": by_block_and_unblock,
}


READ_A_MAIL = {"reset", "lock and unlock"}
"""On these ways the jobs have run, so that no mail waits."""
CASES = [(way, True) for way in WAYS] + [(way, False) for way in WAYS if way not in READ_A_MAIL]


@pytest.mark.parametrize(("way", "sent"), CASES)
def test_what_an_intruder_asked_for_ends(app, client, new_client, cast, mailbox, database, way, sent):
    intruder, owner = client, new_client()
    cast.alice.sign_in(intruder)
    assert ask_for(intruder, cast.alice, "thief@example.org").status_code == 303
    intruder.submit("/password/forgot", {"email": cast.alice.email})
    old = []
    if sent:
        old.append(mailbox.last(to="thief@example.org").path("/confirm-email/"))
        old += [mail.path("/password/reset/") for mail in mailbox.all(to=cast.alice.email)[-1:]]
    WAYS[way](owner, cast, mailbox, app)
    before = len(mailbox.all(to=cast.alice.email))
    links = len(mailbox.all(to="thief@example.org"))
    assert links == (1 if sent else 0), "no link is mailed afterwards"
    for path in old:
        new_client().page(path, status=410)
    assert address_of(database, cast.alice) == cast.alice.email
    resets = [mail for mail in mailbox.all(to=cast.alice.email) if "/password/reset/" in mail.text]
    assert len(resets) == (1 if sent else 0) + (1 if way == "reset" else 0)
    assert len(mailbox.all(to=cast.alice.email)) == before


def test_the_old_address_is_told_when_another_is_asked_for_and_stops_it(
    alice, new_client, cast, mailbox, database
):
    ask_for(alice, cast.alice, "thief@example.org")
    told = mailbox.last(to=cast.alice.email)
    assert told.subject == "Somebody asked to change your email"
    assert "thief@example.org" in told.text
    owner, path = new_client(), told.path("/stop-email/")
    before = database.rows()
    words = owner.page(path).find("main").text
    assert "For the account alice, alice@example.org" in words
    assert "thief@example.org" in words
    assert database.rows() == before, "opening it changes nothing"
    answer = owner.submit(path)
    assert (answer.status_code, answer.location) == (303, "/password/forgot")
    assert "Change stopped" in owner.page("/password/forgot").text
    new_client().page(mailbox.last(to="thief@example.org").path("/confirm-email/"), status=410)
    assert owner.get("/account/keys").status_code == 302, "nobody is signed in by it"
    assert alice.get("/account/keys").status_code == 200, "and nothing else changes"
    assert address_of(database, cast.alice) == cast.alice.email
    assert owner.page(path, status=410).select_one("main a.main")["href"] == "/password/forgot"


def test_the_link_that_stops_works_for_a_day_and_the_newest_change_is_what_it_stops(
    alice, new_client, cast, mailbox, clock
):
    ask_for(alice, cast.alice, "thief@example.org")
    first = mailbox.last(to=cast.alice.email).path("/stop-email/")
    ask_for(alice, cast.alice, "thief2@example.org")
    mailbox.all()
    assert "thief2@example.org" in new_client().page(first).text
    clock.forward(hours=23, minutes=59)
    new_client().page(first)
    clock.forward(minutes=2)
    new_client().page(first, status=410)


def test_the_profile_shows_a_change_that_waits_and_cancels_it(alice, new_client, cast, mailbox):
    ask_for(alice, cast.alice, NEW)
    assert NEW in alice.page("/account/profile").find("main").text, "also before its mail is sent"
    path = mailbox.last(to=NEW).path("/confirm-email/")
    assert NEW in alice.page("/account/profile").find("main").text
    answer = alice.submit("/account/profile", form="/account/profile/email/cancel")
    assert (answer.status_code, answer.location) == (303, "/account/profile")
    page = alice.page("/account/profile")
    assert "Change cancelled" in page.text
    assert NEW not in page.find("main").text
    new_client().page(path, status=410)
    assert not page.select("form[action='/account/profile/email/cancel']")


def test_a_change_that_was_cancelled_before_its_mail_was_sent_mails_no_link(alice, cast, mailbox):
    ask_for(alice, cast.alice, NEW)
    alice.submit("/account/profile", form="/account/profile/email/cancel")
    assert mailbox.all(to=NEW) == []
    assert mailbox.last(to=cast.alice.email).subject == "Somebody asked to change your email"


def test_a_change_no_longer_waits_after_a_day(alice, cast, mailbox, clock):
    ask_for(alice, cast.alice, NEW)
    mailbox.all()
    alice.page("/account/profile")
    clock.forward(hours=24, minutes=1)
    assert NEW not in alice.page("/account/profile").find("main").text


def test_the_profile_does_not_tell_who_has_an_account(alice, cast, mailbox):
    shown = []
    for address in (cast.bob.email, NEW):
        ask_for(alice, cast.alice, address)
        mailbox.all()
        facts = alice.page("/account/profile").select_one("main dl.facts").get_text(" ", strip=True)
        shown.append(facts.replace(address, "ADDRESS"))
    assert shown[0] == shown[1]
    assert mailbox.all(to=cast.bob.email) == []


def test_the_newer_of_two_changes_is_the_one_that_waits(alice, new_client, cast, mailbox):
    ask_for(alice, cast.alice, NEW)
    first = mailbox.last(to=NEW).path("/confirm-email/")
    ask_for(alice, cast.alice, "other@example.org")
    new_client().page(first, status=410)
    assert NEW not in alice.page("/account/profile").find("main").text


def test_a_confirmed_address_ends_the_links_of_the_old_one(alice, new_client, cast, mailbox):
    alice.submit("/password/forgot", {"email": cast.alice.email})
    reset = mailbox.last(to=cast.alice.email).path("/password/reset/")
    ask_for(alice, cast.alice, NEW)
    stop = mailbox.last(to=cast.alice.email).path("/stop-email/")
    assert alice.submit(mailbox.last(to=NEW).path("/confirm-email/")).status_code == 303
    for path in (reset, stop):
        new_client().page(path, status=410)


# Somebody else is signed in where a link is opened.


@pytest.fixture
def bobs(new_client, cast):
    """Bob's browser."""
    browser = new_client()
    cast.bob.sign_in(browser)
    return browser


def confirm_link(app, _cast, mailbox):
    with app.app_context():
        signup.request_sign_up(Actor.system(), "carol@example.org", "en")
    return mailbox.last(to="carol@example.org").path("/confirm/"), "carol@example.org"


def reset_link(app, cast, mailbox):
    with app.app_context():
        recovery.request_reset(Actor.system(), cast.alice.email)
    return mailbox.last(to=cast.alice.email).path("/password/reset/"), cast.alice.email


def unlock_link(app, cast, mailbox):
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    return mailbox.last(to=cast.alice.email).path("/unlock/"), cast.alice.email


def confirm_email_link(app, cast, mailbox):
    client = app.test_client()
    cast.alice.sign_in(client)
    ask_for(client, cast.alice, NEW)
    return mailbox.last(to=NEW).path("/confirm-email/"), NEW


def stop_link(app, cast, mailbox):
    confirm_email_link(app, cast, mailbox)
    return mailbox.last(to=cast.alice.email).path("/stop-email/"), cast.alice.email


LINKS = {
    "confirm": (confirm_link, {"password": PASSWORD, "consent": "1"}),
    "reset": (reset_link, {"password": PASSWORD}),
    "unlock": (unlock_link, {}),
    "confirm-email": (confirm_email_link, {}),
    "stop-email": (stop_link, {}),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_changes_nothing_for_whoever_else_is_signed_in(app, bobs, cast, mailbox, database, name):
    make, fields = LINKS[name]
    path, address = make(app, cast, mailbox)
    page = bobs.page(path)
    assert address in page.find("main").text
    assert "You are signed in as bobby" in page.find("main").text
    assert cast.bob.email not in page.text
    before, newest = of_bob(database, cast), newest_event(database)

    answer = bobs.submit(path, fields)

    assert answer.status_code == 303
    assert of_bob(database, cast) == before
    events = database.execute(
        "SELECT actor_kind, actor_account_id FROM audit_events WHERE id > :id", id=newest
    )
    assert events
    assert set(events) == {("anonymous", None)}, "it was whoever holds the link"
    keys = bobs.page("/account/keys")
    assert cast.bob.email in keys.text, "his session goes on"
    assert "alice" not in keys.find("header").text


def of_bob(database, cast):
    """Everything that the database has of Bob."""
    who = {"id": cast.bob.account_id}
    return [
        database.execute("SELECT email, status, password_hash, consent FROM accounts WHERE id = :id", **who),
        database.execute("SELECT id, ended_at FROM sessions WHERE account_id = :id", **who),
        database.execute("SELECT count(*) FROM audit_events WHERE account_id = :id", **who),
        database.execute("SELECT count(*) FROM mail_tokens WHERE account_id = :id", **who),
    ]


def newest_event(database):
    [(newest,)] = database.execute("SELECT max(id) FROM audit_events")
    return newest


def test_whoever_confirms_while_another_is_signed_in_is_told_how_to_go_on(app, bobs, cast, mailbox):
    path, _address = confirm_link(app, cast, mailbox)
    bobs.submit(path, {"password": PASSWORD, "consent": "1"})
    assert "The account for carol@example.org is ready" in bobs.page("/account/keys").text
    token = bobs.page("/account/profile").select_one("main input[name=csrf_token]")["value"]
    bobs.post("/signout", data={"csrf_token": token})
    assert bobs.submit("/signin", {"username": "carol@example.org", "password": PASSWORD}).status_code == 303


def test_the_owner_who_is_signed_in_confirms_and_goes_on(alice, cast, mailbox):
    ask_for(alice, cast.alice, NEW)
    path = mailbox.last(to=NEW).path("/confirm-email/")
    assert "You are signed in as" not in alice.page(path).text
    assert alice.submit(path).location == "/account/profile"


def test_ending_what_waits_is_recorded(alice, cast, mailbox, database):
    query = "SELECT count(*) FROM audit_events WHERE action = 'account:email-change-cancelled'"
    ask_for(alice, cast.alice, NEW)
    mailbox.all()
    fields = {"current_password": cast.alice.password, "password": PASSWORD}
    alice.submit("/account/security", fields, form="/account/security")
    assert database.execute(query) == [(1,)]


def test_the_first_admin_is_made_beside_whoever_is_signed_in(app, client):
    person = make_person(app, "bobby")
    person.sign_in(client)
    with app.app_context():
        path = "/" + (signup.first_admin_link() or "").split("/", 3)[3]
    fields = {"email": "ada@example.org", "password": PASSWORD, "consent": "1"}
    assert client.submit(path, fields).status_code == 303
    page = client.page("/account/keys")
    assert "The account for ada@example.org is ready" in page.text
    with app.app_context():
        assert len(sessions.list_sessions(person.account_id)) == 1


def test_a_bad_password_on_the_page_of_a_link_keeps_the_link(app, bobs, cast, mailbox):
    path, _address = reset_link(app, cast, mailbox)
    answer = bobs.submit(path, {"password": "short"})
    assert answer.status_code == 422
    assert "too short" in parse(answer).select_one("#password-error").text
    assert bobs.submit(path, {"password": PASSWORD}).status_code == 303
