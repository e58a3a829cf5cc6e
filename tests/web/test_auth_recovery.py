"""Getting back in: forgotten passwords, locked accounts, new addresses."""

from __future__ import annotations

import pytest

from portal.services.accounts import recovery
from portal.services.operators import actions
from tests.support.pages import parse

NEW = "lantern gravel otter sixty"


def ask_for_reset(client, email):
    return client.submit("/password/forgot", {"email": email})


@pytest.fixture
def reset_path(client, cast, mailbox):
    ask_for_reset(client, cast.alice.email)
    return mailbox.last(to=cast.alice.email).path("/password/reset/")


@pytest.fixture
def unlock_path(app, cast, mailbox):
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    return mailbox.last(to=cast.alice.email).path("/unlock/")


def test_a_forgotten_password_is_replaced_by_mail(client, cast, reset_path):
    answer = client.submit(reset_path, {"password": NEW})
    assert (answer.status_code, answer.location) == (303, "/signin")
    assert "The new password for alice@example.org is set" in client.page("/signin").text
    assert client.submit("/signin", {"username": "alice", "password": cast.alice.password}).status_code == 422
    assert client.submit("/signin", {"username": "alice", "password": NEW}).status_code == 303


def test_a_reset_signs_nobody_in(client, reset_path):
    client.submit(reset_path, {"password": NEW})
    assert client.get("/account/keys").status_code == 302


def test_a_reset_ends_every_session_and_is_told_by_mail(client, new_client, cast, reset_path, mailbox):
    thief = new_client()
    cast.alice.sign_in(thief)
    client.submit(reset_path, {"password": NEW})
    assert thief.get("/account/keys").status_code == 302
    assert mailbox.last(to=cast.alice.email).subject == "Your password was changed"


def test_the_answer_is_the_same_for_a_known_and_an_unknown_address(new_client, cast, mailbox):
    texts = []
    for address in (cast.alice.email, "nobody@example.org"):
        client = new_client()
        answer = ask_for_reset(client, address)
        page = client.page(answer.location)
        texts.append(page.find("main").get_text(" ", strip=True).replace(address, "ADDRESS"))
    assert texts[0] == texts[1]
    assert mailbox.all(to="nobody@example.org") == []
    assert len(mailbox.all(to=cast.alice.email)) == 1


def test_a_bad_address_is_told_beside_the_field(client):
    answer = ask_for_reset(client, "alice")
    assert answer.status_code == 422
    assert "This email isn't valid" in parse(answer).select_one("#email-error").text
    assert parse(answer).select_one("#email")["value"] == "alice"


WEAK = [
    ("", "This password is too short"),
    ("qzvwkxjhygfbtd", "This password is too short"),
    ("alice@example.org alice", "too close to your name"),
    ("aaaaaaaaaaaaaaaaaaaa", "repeats itself"),
    ("x" + "qzvwkxjhygfbtdm" * 18, "too long"),
]


def test_a_weak_password_is_refused_and_the_link_stays_good(client, reset_path):
    for password, sentence in WEAK:
        answer = client.submit(reset_path, {"password": password})
        assert answer.status_code == 422
        assert sentence in parse(answer).select_one("#password-error").text
        assert not password or password not in answer.text
    assert client.submit(reset_path, {"password": NEW}).status_code == 303


def test_the_last_character_of_a_long_password_counts(client, reset_path):
    long = "".join(chr(0x4E00 + number) for number in range(255)) + "z"
    assert client.submit(reset_path, {"password": long}).status_code == 303
    assert client.submit("/signin", {"username": "alice", "password": long[:-1] + "y"}).status_code == 422
    assert client.submit("/signin", {"username": "alice", "password": long}).status_code == 303


def test_a_reset_link_works_once_and_for_an_hour(client, reset_path, clock):
    clock.forward(minutes=59)
    client.page(reset_path)
    clock.forward(minutes=2)
    page = client.page(reset_path, status=410)
    assert page.select_one("main a.button")["href"] == "/password/forgot"


def test_one_reset_ends_the_other_links(client, cast, mailbox, reset_path):
    ask_for_reset(client, cast.alice.email)
    other = mailbox.last(to=cast.alice.email).path("/password/reset/")
    assert other != reset_path
    client.submit(other, {"password": NEW})
    client.page(reset_path, status=410)


def test_no_token_stands_in_the_database(database, reset_path):
    assert reset_path.rpartition("/")[2] not in database.dump()


def test_the_link_begins_with_the_base_url_whatever_host_was_asked(client, cast, mailbox):
    token = client.page("/password/forgot").select_one("main input[name=csrf_token]")["value"]
    answer = client.post(
        "/password/forgot",
        data={"email": cast.alice.email, "csrf_token": token},
        headers={"X-Forwarded-Host": "evil.example"},
    )
    assert answer.status_code == 303
    assert mailbox.last(to=cast.alice.email).link().startswith("http://127.0.0.1:8000/")


def test_the_page_of_the_link_names_the_account_for_password_managers(client, cast, reset_path):
    page = client.page(reset_path)
    name = page.select_one("input[autocomplete=username]")
    assert name["value"] == cast.alice.email
    assert page.select_one("#password")["autocomplete"] == "new-password"
    assert page.select_one("#password")["type"] == "password"
    assert not page.select_one("#password").has_attr("maxlength")


def test_a_lock_is_opened_by_mail_and_by_a_press_only(client, cast, unlock_path):
    client.page(unlock_path)
    assert client.submit("/signin", {"username": "alice", "password": cast.alice.password}).status_code == 403
    answer = client.submit(unlock_path)
    assert (answer.status_code, answer.location) == (303, "/signin")
    cast.alice.sign_in(client)
    client.page(unlock_path, status=410)


def test_unlocking_brings_no_key_back(app, client, cast, make_key, mailbox):
    key = make_key(cast.alice)
    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    client.submit(mailbox.last(to=cast.alice.email).path("/unlock/"))
    cast.alice.sign_in(client)
    assert "Revoked" in client.page(f"/account/keys/{key.id}").select_one("main .state-word").text


def test_the_forgotten_password_of_a_locked_account_is_replaced_and_opens_it(
    client, cast, mailbox, unlock_path
):
    ask_for_reset(client, cast.alice.email)
    path = mailbox.last(to=cast.alice.email).path("/password/reset/")
    assert "The account is locked" in client.page(path).find("main").text
    assert client.submit(path, {"password": NEW}).status_code == 303
    assert client.submit("/signin", {"username": "alice", "password": NEW}).status_code == 303
    client.page(unlock_path, status=410)


def test_a_block_makes_the_links_useless(app, client, cast, reset_path):
    with app.app_context():
        actions.block(cast.ada.actor, cast.alice.account_id, why="made trouble")
    client.page(reset_path, status=410)


STALE = [
    ("/confirm/x", "/signin"),
    ("/setup/x", "/signin"),
    ("/unlock/x", "/signin"),
    ("/confirm-email/x", "/account/profile"),
    ("/stop-email/x", "/password/forgot"),
    ("/password/reset/x", "/password/forgot"),
    ("/confirm/" + "y" * 1000, "/signin"),
]


@pytest.mark.usefixtures("cast")
def test_a_wrong_link_says_where_the_next_one_comes_from(client):
    for path, target in STALE:
        page = client.page(path, status=410)
        assert page.select_one("main a.main")["href"] == target


def test_a_wrong_link_to_the_first_admin_says_that_a_start_prints_another(client):
    assert "Restart the portal" in client.page("/setup/x", status=410).select_one("main").text


def test_guessing_links_slows_its_source(client):
    token = client.page("/signin").select_one("main input[name=csrf_token]")["value"]
    codes = [client.post("/unlock/x", data={"csrf_token": token}).status_code for _ in range(61)]
    assert set(codes[:60]) == {410}
    assert codes[60] == 429
