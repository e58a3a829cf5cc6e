"""The password, the sessions, the lock and the removal."""

from __future__ import annotations

from uuid import UUID

import pytest

from portal.services.operators import actions
from portal.web.security.user_agent import describe
from tests.support.pages import parse

NEW = "lantern gravel otter sixty"
WRONG = "not the password at all"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
)
PAGE = "/account/security"


@pytest.fixture
def alice(client, cast):
    client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    cast.alice.sign_in(client)
    return client


@pytest.fixture
def phone(new_client, cast):
    client = new_client()
    client.environ_base["HTTP_USER_AGENT"] = IPHONE
    client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    cast.alice.sign_in(client)
    return client


def change(client, current, new, **fields):
    return client.submit(PAGE, {"current_password": current, "password": new, **fields}, form=PAGE)


def is_signed_in(client):
    return client.get("/account/keys").status_code == 200


def test_the_password_is_changed_and_the_other_sessions_end(alice, phone, cast, mailbox):
    answer = change(alice, cast.alice.password, NEW)
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert is_signed_in(alice)
    assert not is_signed_in(phone)
    assert phone.submit("/signin", {"username": "alice", "password": cast.alice.password}).status_code == 422
    assert phone.submit("/signin", {"username": "alice", "password": NEW}).status_code == 303
    assert mailbox.last(to=cast.alice.email).subject == "Your password was changed"


def test_the_other_sessions_may_go_on_if_one_says_so(alice, phone, cast):
    page = alice.page(PAGE)
    assert page.select_one("#end_others").has_attr("checked")
    token = page.select_one("main input[name=csrf_token]")["value"]
    fields = {"current_password": cast.alice.password, "password": NEW, "csrf_token": token}
    assert alice.post(PAGE, data=fields).status_code == 303
    assert is_signed_in(phone)


@pytest.mark.parametrize(
    ("current", "new", "field", "sentence"),
    [
        (WRONG, NEW, "current_password", "This isn't your current password"),
        ("", NEW, "current_password", "Enter your password"),
        (None, "too short", "password", "This password is too short"),
        (None, "alice@example.org 1", "password", "too close to your name"),
    ],
)
def test_what_is_wrong_is_told_and_no_password_is_shown_again(alice, cast, current, new, field, sentence):
    answer = change(alice, cast.alice.password if current is None else current, new)
    assert answer.status_code == 422
    page = parse(answer)
    assert sentence in page.select_one(f"#{field}-error").text
    assert not [tag for tag in page.select("input[type=password]") if tag.get("value")]
    assert alice.submit("/account/keys", form="/signout").status_code == 303
    cast.alice.sign_in(alice)


def test_guessing_the_password_in_a_session_slows_it_and_the_session_goes_on(alice, cast, clock):
    clock.stop()
    for _ in range(10):
        assert change(alice, WRONG, NEW).status_code == 422
    answer = change(alice, cast.alice.password, NEW)
    assert answer.status_code == 429
    assert is_signed_in(alice)
    clock.forward(seconds=int(answer.headers["Retry-After"]))
    assert change(alice, cast.alice.password, NEW).status_code == 303


def test_a_right_password_with_a_weak_new_one_does_not_add_up(alice, cast):
    for _ in range(12):
        assert change(alice, cast.alice.password, "too short").status_code == 422


def test_the_fields_suit_a_password_manager(alice, cast):
    page = alice.page(PAGE)
    form = page.select_one(f"form[action='{PAGE}']")
    assert form.select_one("[autocomplete=username]")["value"] == cast.alice.email
    assert form.select_one("#current_password")["autocomplete"] == "current-password"
    assert form.select_one("#password")["autocomplete"] == "new-password"


def test_the_sessions_are_listed_with_program_and_address(alice, phone):
    rows = alice.page(PAGE).select("table tbody tr")
    texts = [" ".join(row.get_text(" ").split()) for row in rows]
    own, other = texts
    assert "This one" in own
    assert "This one" not in other
    assert "Firefox on Linux" in own
    assert "127.0.0.1" in own
    assert "Safari on iPhone" in other
    assert "192.0.2.7" in other


def test_one_other_session_is_ended(alice, phone):
    form = alice.page(PAGE).select_one("table form")
    answer = alice.submit(PAGE, form=form["action"])
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert is_signed_in(alice)
    assert not is_signed_in(phone)


def test_all_other_sessions_are_ended(alice, phone):
    assert alice.submit(PAGE, form=f"{PAGE}/sessions/end-others").status_code == 303
    assert is_signed_in(alice)
    assert not is_signed_in(phone)
    assert alice.page(PAGE).select("table form") == []


def test_ending_ones_own_session_signs_out(alice, database):
    [(session_id,)] = database.execute("SELECT id FROM sessions")
    token = alice.page(PAGE).select_one("main input[name=csrf_token]")["value"]
    answer = alice.post(f"{PAGE}/sessions/{UUID(str(session_id))}/end", data={"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, "/")
    assert not is_signed_in(alice)


def test_nobody_ends_the_session_of_somebody_else(alice, new_client, cast, database):
    bob = new_client()
    cast.bob.sign_in(bob)
    [(session_id,)] = database.execute(
        "SELECT id FROM sessions WHERE account_id = :id", id=cast.bob.account_id
    )
    token = alice.page(PAGE).select_one("main input[name=csrf_token]")["value"]
    answer = alice.post(f"{PAGE}/sessions/{UUID(str(session_id))}/end", data={"csrf_token": token})
    assert answer.status_code == 404
    assert is_signed_in(bob)
    missing = alice.post(
        f"{PAGE}/sessions/01938a5e-0000-7000-8000-000000000000/end", data={"csrf_token": token}
    )
    assert missing.status_code == 404


def test_nobody_sees_the_sessions_of_somebody_else(alice, new_client, cast):
    bob = new_client()
    cast.bob.sign_in(bob)
    assert len(bob.page(PAGE).select("table tbody tr")) == 1


def test_a_lock_revokes_the_keys_ends_the_sessions_and_mails_the_way_back(
    alice, phone, cast, make_key, mailbox, database
):
    make_key(cast.alice)
    page = alice.page(f"{PAGE}/lock")
    assert "1 live key is revoked, immediately and permanently" in page.text
    answer = alice.submit(f"{PAGE}/lock", {"current_password": cast.alice.password})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Your account is locked" in alice.page("/").text
    assert not is_signed_in(alice)
    assert not is_signed_in(phone)
    assert database.execute("SELECT revoked_reason FROM api_keys") == [("locked",)]
    assert any(mail.subject == "Your account is locked" for mail in mailbox.all(to=cast.alice.email))


def test_a_removal_erases_what_is_personal_and_keeps_the_record(alice, cast, make_key, database):
    make_key(cast.alice)
    assert "You can't undo this" in alice.page(f"{PAGE}/remove").get_text()
    answer = alice.submit(f"{PAGE}/remove", {"current_password": cast.alice.password})
    assert (answer.status_code, answer.location) == (303, "/")
    assert not is_signed_in(alice)
    assert alice.submit("/signin", {"username": "alice", "password": cast.alice.password}).status_code == 422
    assert database.execute(
        "SELECT email, username, password_hash FROM accounts WHERE id = :id", id=cast.alice.account_id
    ) == [(None, f"removed:{cast.alice.account_id}", None)]
    assert database.execute("SELECT revoked_reason FROM api_keys") == [("account-removed",)]
    assert database.execute(
        "SELECT count(*) FROM audit_events WHERE action = 'account:removed' AND account_id = :id",
        id=cast.alice.account_id,
    ) == [(1,)]


@pytest.mark.parametrize("danger", ["lock", "remove"])
def test_a_danger_asks_for_the_password(alice, danger):
    answer = alice.submit(f"{PAGE}/{danger}", {"current_password": WRONG})
    assert answer.status_code == 422
    assert "This isn't your current password" in parse(answer).get_text()
    assert is_signed_in(alice)


@pytest.mark.parametrize("danger", ["lock", "remove"])
def test_the_last_admin_is_told_and_stays(client, cast, danger):
    cast.ada.sign_in(client)
    answer = client.submit(f"{PAGE}/{danger}", {"current_password": cast.ada.password})
    assert answer.status_code == 422
    assert "This is the last admin" in answer.text
    assert is_signed_in(client)


def test_the_page_is_open_without_consent(app, alice, cast):
    alice.submit("/account/consent/withdraw")
    assert alice.get("/account/keys").location == "/account/consent"
    alice.page(PAGE)


def test_a_block_ends_the_session_by_the_next_request(app, alice, cast):
    with app.app_context():
        actions.block(cast.ada.actor, cast.alice.account_id, why="made trouble")
    assert not is_signed_in(alice)


PROGRAMS = [
    (FIREFOX, "Firefox on Linux"),
    (IPHONE, "Safari on iPhone"),
    (EDGE, "Edge on Windows"),
    ("curl/8.5.0", "curl"),
    ("Mozilla/5.0 (Windows NT 10.0)", "Windows"),
    ("", "Unknown device"),
    ("<script>", "Unknown device"),
]


@pytest.mark.sqlite_only(reason="no database is asked")
def test_a_program_is_named_as_far_as_it_can_be_told(app):
    with app.test_request_context():
        for agent, words in PROGRAMS:
            assert describe(agent) == words
