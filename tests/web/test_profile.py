"""What owners say of themselves, and where mail reaches them."""

from __future__ import annotations

import pytest

from tests.support.pages import parse

NEW = "alice.new@example.org"


@pytest.fixture
def alice(client, cast):
    cast.alice.sign_in(client)
    return client


def ask_for_address(client, cast, email=NEW, password=None):
    fields = {"email": email, "current_password": password or cast.alice.password}
    return client.submit("/account/profile/email", fields)


@pytest.mark.usefixtures("every_language")
def test_name_language_and_text_are_changed(alice):
    answer = alice.submit(
        "/account/profile", {"username": "Alice.B", "language": "nl", "bio": "I sew.\r\nA lot."}
    )
    assert (answer.status_code, answer.location) == (303, "/account/profile")
    page = alice.page("/account/profile")
    assert "Profile saved" in page.text
    assert page.select_one("#username")["value"] == "Alice.B"
    assert page.select_one("#language option[selected]")["value"] == "nl"
    assert page.select_one("#bio").text.strip() == "I sew.\nA lot."


WRONG = [
    ("username", "", "Enter your name"),
    ("username", "x", "This name isn't valid"),
    ("username", "12345", "This name isn't valid"),
    ("username", "a@b.example", "This name isn't valid"),
    ("username", "BOBBY", "This name is taken"),
    ("bio", "x" * 2001, "Shorten it to 2000 characters"),
]


def test_what_is_wrong_is_told_beside_the_field_and_kept(alice):
    for field, value, sentence in WRONG:
        answer = alice.submit("/account/profile", {field: value})
        page = parse(answer)
        assert answer.status_code == 422
        assert sentence in page.select_one(f"#{field}-error").text
        kept = page.select_one(f"#{field}")
        assert (kept.get("value") or kept.text.strip()) == value
    assert alice.page("/account/profile").select_one("#username")["value"] == "alice"


def test_a_text_of_nothing_but_white_space_is_none(alice):
    assert alice.submit("/account/profile", {"bio": " \r\n\t"}).status_code == 303
    assert alice.page("/account/profile").select_one("#bio").text.strip() == ""


def test_markup_in_the_text_stays_text(alice):
    alice.submit("/account/profile", {"bio": "</textarea><script>alert(1)</script>"})
    page = alice.page("/account/profile")
    assert page.select_one("#bio").text.strip() == "</textarea><script>alert(1)</script>"


def test_fields_that_are_not_on_the_form_change_nothing(alice, cast, database):
    token = alice.page("/account/profile").select_one("main input[name=csrf_token]")["value"]
    extra = {"role": "admin", "status": "1", "email": "eve@example.org", "consent": "2", "id": "9"}
    alice.post("/account/profile", data={"username": "alice", "language": "en", "csrf_token": token, **extra})
    rows = database.execute(
        "SELECT role, email, consent FROM accounts WHERE id = :id", id=cast.alice.account_id
    )
    assert rows == [("user", cast.alice.email, 1)]


def test_a_new_address_counts_once_its_mail_is_answered(alice, cast, mailbox):
    answer = ask_for_address(alice, cast)
    assert (answer.status_code, answer.location) == (303, "/account/profile")
    assert cast.alice.email in alice.page("/account/profile").find("main").text
    path = mailbox.last(to=NEW).path("/confirm-email/")
    assert NEW in alice.page(path).find("main").text
    assert cast.alice.email in alice.page("/account/profile").find("main").text
    answer = alice.submit(path)
    assert (answer.status_code, answer.location) == (303, "/account/profile")
    assert NEW in alice.page("/account/profile").find("main").text
    assert mailbox.last(to=cast.alice.email).subject == "Your email was changed"
    alice.page(path, status=410)


def test_the_link_works_in_another_browser_too(alice, new_client, cast, mailbox):
    ask_for_address(alice, cast)
    phone = new_client()
    answer = phone.submit(mailbox.last(to=NEW).path("/confirm-email/"))
    assert (answer.status_code, answer.location) == (303, "/signin")
    assert phone.submit("/signin", {"username": NEW, "password": cast.alice.password}).status_code == 303
    assert phone.get("/account/keys").status_code == 200


def test_the_password_is_asked_before_the_address_changes(alice, cast, mailbox):
    answer = ask_for_address(alice, cast, password="not the password at all")
    assert answer.status_code == 422
    assert "This isn't your current password" in parse(answer).select_one("#current_password-error").text
    assert parse(answer).select_one("#email")["value"] == NEW
    assert mailbox.all(to=NEW) == []


def test_a_bad_address_is_told_beside_its_field(alice, cast):
    answer = ask_for_address(alice, cast, email="alice")
    assert answer.status_code == 422
    assert "This email isn't valid" in parse(answer).select_one("#email-error").text


def test_an_address_that_somebody_has_gets_no_mail_and_the_same_answer(alice, cast, mailbox):
    answer = ask_for_address(alice, cast, email=cast.bob.email)
    assert (answer.status_code, answer.location) == (303, "/account/profile")
    assert mailbox.all(to=cast.bob.email) == []


def test_only_the_newest_link_counts(alice, cast, mailbox):
    ask_for_address(alice, cast)
    first = mailbox.last(to=NEW).path("/confirm-email/")
    ask_for_address(alice, cast)
    second = mailbox.last(to=NEW).path("/confirm-email/")
    alice.page(first, status=410)
    alice.page(second)


def test_nobody_is_flooded_with_links_by_somebody_signed_in(alice, cast, mailbox):
    codes = [ask_for_address(alice, cast, email="victim@example.org").status_code for _ in range(5)]
    assert codes == [303, 303, 303, 429, 429]
    assert len(mailbox.all(to="victim@example.org")) == 1  # the newest; the others were not sent yet
