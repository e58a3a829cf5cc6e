"""From nothing to a signed-in account, through the mail."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.pages import parse

pytestmark = pytest.mark.usefixtures("cast")  # an admin is there, so people can sign up

CAROL = "carol@example.org"
PASSWORD = "lantern gravel otter sixty"


def sign_up(client, email=CAROL, **fields):
    return client.submit("/signup", {"email": email, **fields})


def link_for(client, mailbox, email=CAROL):
    sign_up(client, email)
    return mailbox.last(to=email).path("/confirm/")


def test_somebody_signs_up_confirms_and_is_led_to_the_overview(client, mailbox):
    answer = sign_up(client)
    assert answer.status_code == 303
    assert CAROL in client.page(answer.location).text
    path = mailbox.last(to=CAROL).path("/confirm/")
    answer = client.submit(path, {"password": PASSWORD, "consent": "1"})
    assert (answer.status_code, answer.location) == (303, "/account")
    page = client.page("/account/keys")
    assert "Your account is ready" in page.text
    assert CAROL in page.text


def test_the_consent_is_kept_with_its_version_and_time(client, mailbox, database):
    before = int(datetime.now(UTC).timestamp() * 1000)
    client.submit(link_for(client, mailbox), {"password": PASSWORD, "consent": "2"})
    [(consent, version, at)] = database.execute(
        "SELECT consent, consent_version, consent_at FROM accounts WHERE email = :email", email=CAROL
    )
    assert (consent, version) == (2, "2026-11")
    assert at >= before


def test_a_taken_address_gets_the_same_page_and_another_mail(client, cast, mailbox):
    fresh, taken = sign_up(client), sign_up(client, cast.alice.email)
    assert (fresh.status_code, fresh.location) == (taken.status_code, taken.location)
    pages = [client.get(taken.location).text, client.get(fresh.location).text]
    assert "mail" in pages[0]
    assert mailbox.last(to=cast.alice.email).subject == "You already have an account"
    assert mailbox.last(to=CAROL).subject == "Confirm your email"


def test_the_pages_for_a_free_and_a_taken_address_differ_in_the_address_only(new_client, cast):
    texts = []
    for address in (CAROL, cast.alice.email):
        client = new_client()
        page = client.page(sign_up(client, address).location)
        texts.append(page.find("main").get_text(" ", strip=True).replace(address, "ADDRESS"))
    assert texts[0] == texts[1]


@pytest.mark.usefixtures("every_language")
@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("", "Enter your email"),
        ("carol", "This email isn't valid"),
        ("carol@", "This email isn't valid"),
        ("a" * 300 + "@example.org", "This email isn't valid"),
    ],
)
def test_a_bad_address_is_told_beside_the_field_and_kept(client, database, email, sentence):
    answer = sign_up(client, email, language="de")
    page = parse(answer)
    assert answer.status_code == 422
    assert sentence in page.select_one("#email-error").text
    assert page.select_one("#email")["value"] == email
    assert page.select_one("#language option[selected]")["value"] == "de"
    assert database.execute("SELECT count(*) FROM outbox") == [(0,)]


@pytest.mark.usefixtures("every_language")
def test_an_unknown_language_is_refused(client):
    client.get("/signup")
    token = parse(client.get("/signup")).select_one("main input[name=csrf_token]")["value"]
    answer = client.post("/signup", data={"email": CAROL, "language": "xx", "csrf_token": token})
    assert answer.status_code == 422
    assert "This language isn't supported" in parse(answer).get_text()


@pytest.mark.usefixtures("every_language")
def test_the_language_of_the_browser_is_proposed(client):
    page = client.page("/signup", headers={"Accept-Language": "fr-CA,fr;q=0.9,en;q=0.5"})
    assert page.select_one("#language option[selected]")["value"] == "fr"


def test_nothing_is_chosen_about_consent_beforehand(client, mailbox):
    page = client.page(link_for(client, mailbox))
    options = page.select("input[name=consent]")
    assert [option["value"] for option in options] == ["1", "2"]
    assert not any(option.has_attr("checked") for option in options)
    assert page.select_one("fieldset legend").text == "Your consent"


WRONG = [
    ({"password": PASSWORD}, ["Choose one of the two"]),
    ({"password": "too short", "consent": "1"}, ["This password is too short. Use at least 15"]),
    ({"password": "carol@example.org!", "consent": "1"}, ["too close to your name, your email"]),
    ({}, ["Choose one of the two", "This password is too short"]),
    ({"password": PASSWORD, "consent": "0"}, ["Choose one of the two"]),
    ({"password": PASSWORD, "consent": "<b>"}, ["Choose one of the two"]),
]


def test_what_is_wrong_is_told_and_the_link_stays_good(client, mailbox):
    path = link_for(client, mailbox)
    for fields, sentences in WRONG:
        answer = client.submit(path, fields)
        assert answer.status_code == 422
        for sentence in sentences:
            assert sentence in answer.text
        assert PASSWORD not in answer.text
    assert client.submit(path, {"password": PASSWORD, "consent": "1"}).status_code == 303


def test_a_password_of_15_characters_is_taken_and_one_of_14_is_not(client, mailbox):
    path = link_for(client, mailbox)
    assert client.submit(path, {"password": "qzvwkxjhygfbtd", "consent": "1"}).status_code == 422
    assert client.submit(path, {"password": "qzvwkxjhygfbtdm", "consent": "1"}).status_code == 303


def test_a_mailed_link_works_once(client, new_client, mailbox):
    path = link_for(client, mailbox)
    client.submit(path, {"password": PASSWORD, "consent": "1"})
    page = new_client().page(path, status=410)
    assert "This link no longer works" in page.h1.text


def test_a_mailed_link_works_for_a_day(client, mailbox, clock):
    path = link_for(client, mailbox)
    clock.forward(hours=23, minutes=59)
    client.page(path)
    clock.forward(minutes=2)
    client.page(path, status=410)


def test_a_link_for_one_purpose_opens_no_other(client, mailbox):
    token = link_for(client, mailbox).rpartition("/")[2]
    for path in ("/password/reset", "/unlock", "/confirm-email", "/setup"):
        client.page(f"{path}/{token}", status=410)


def test_opening_the_link_changes_nothing(client, mailbox, database):
    path = link_for(client, mailbox)
    before = database.rows()
    client.page(path)
    client.head(path)
    assert database.rows() == before


def test_a_page_with_a_token_is_kept_nowhere_and_told_to_nobody(client, mailbox):
    answer = client.get(link_for(client, mailbox))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.getlist("Referrer-Policy") == [
        "strict-origin"
    ]  # nor its path to this portal's own proxy
    page = parse(answer)
    foreign = [tag for tag in page.select("[src], [href]") if "://" in (tag.get("src") or tag["href"])]
    assert foreign == []


def test_whoever_is_signed_in_needs_no_sign_up(client, cast):
    cast.alice.sign_in(client)
    assert client.get("/signup").location == "/account"


def test_only_so_many_mails_go_to_one_address_and_the_answer_tells_nothing(app, cast, mailbox):
    answers = []
    for number in range(8):
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        answers.append(sign_up(client, cast.alice.email))
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, "/signup/sent")}
    assert len(mailbox.all(to=cast.alice.email)) == 6


def test_the_same_source_is_slowed_and_told_until_when(client, clock):
    clock.stop()
    for _ in range(5):
        assert sign_up(client).status_code == 303
    answer = sign_up(client)
    assert answer.status_code == 429
    clock.forward(seconds=int(answer.headers["Retry-After"]))
    assert sign_up(client).status_code == 303


def test_where_mails_are_files_the_page_says_where_they_lie(client, make_app):
    assert "instance/mail" in client.page("/signup/sent").text
    elsewhere = make_app(PORTAL_MAIL_URL="smtp://mail.example.org").test_client()
    assert "instance/mail" not in elsewhere.get("/signup/sent").text
