"""Signing in and out."""

from __future__ import annotations

import pytest
from werkzeug.http import parse_cookie

from portal.permissions import Role
from portal.services.accounts import signup
from portal.services.core import free_text
from portal.services.core.actor import Actor
from portal.services.operators import exports
from portal.services.operators import queries as operator_queries
from portal.services.ratelimits import questions
from portal.web.auth.safe_redirect import safe_target
from tests.support.pages import parse

WRONG = "not the password at all"


def sign_in(client, username, password, path="/signin"):
    return client.submit(path, {"username": username, "password": password})


@pytest.mark.parametrize("name", ["alice", "ALICE", "alice@example.org", "Alice@Example.org", "number"])
def test_name_address_and_number_sign_in_in_any_case(client, cast, name):
    name = str(cast.alice.account_id) if name == "number" else name
    answer = sign_in(client, name, cast.alice.password)
    assert (answer.status_code, answer.location) == (303, "/account")
    client.page("/account/keys")


SHELL = Actor.command_line()
PASSWORD = "quiet-lantern-orchard-52"
ADDRESS = "kate@bücher.example"
WRITTEN = {
    ADDRESS: "as it was",
    "KATE@Bücher.Example": "in capitals",
    "kate@xn--bcher-kva.example": "as machines write the domain",
    "kate@bu\u0308cher.example": "with accents apart",
    " kate@bücher.example ": "with blanks around",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_an_address_is_found_in_whichever_way_it_is_written(app, client, new_client, cast, mailbox, written):

    with app.app_context():
        kate = signup.create_account(SHELL, ADDRESS, role=Role.USER, password=PASSWORD).id

    assert sign_in(client, written, PASSWORD).status_code == 303
    with app.app_context():
        assert exports.get_account(written).id == kate
        assert [
            each.id for each in operator_queries.search_accounts(cast.sue.actor, query=written).items
        ] == [kate]
        assert questions._folded(written) == questions._folded(ADDRESS)
    mailbox.clear()
    new_client().submit("/password/forgot", {"email": written})
    assert mailbox.last(to="kate@xn--bcher-kva.example").path("/password/reset/")


@pytest.mark.parametrize("name", ["alice", "nobody", "nobody@example.org", "7" * 15, "\x1b[31m"])
def test_a_wrong_pair_is_refused_and_tells_nothing(client, cast, name):
    answer = sign_in(client, name, WRONG)
    page = parse(answer)
    assert answer.status_code == 422
    assert "Wrong name or password" in page.select_one("#errors").text
    assert page.select_one("#username")["value"] == free_text.escaped(name)
    assert WRONG not in answer.text


def test_known_and_unknown_names_get_the_same_page(new_client, cast):
    pages = [sign_in(new_client(), name, WRONG) for name in ("alice", "nobody")]
    texts = [parse(page).find("main").get_text(" ", strip=True) for page in pages]
    assert texts[0] == texts[1]
    assert pages[0].status_code == pages[1].status_code == 422


@pytest.mark.parametrize(
    ("username", "password", "sentence"),
    [("", WRONG, "Enter your name"), ("alice", "", "Enter your password")],
)
def test_what_is_missing_is_told_beside_its_field(client, username, password, sentence):
    answer = sign_in(client, username, password)
    assert answer.status_code == 422
    assert sentence in parse(answer).select_one(".error").text


def test_an_account_that_is_not_confirmed_cannot_be_entered(client, cast, mailbox):
    client.submit("/signup", {"email": "carol@example.org"})
    mailbox.all()
    assert sign_in(client, "carol@example.org", "").status_code == 422


def test_a_blocked_account_is_told_to_whoever_has_the_password(client, cast, app):
    from portal.services.operators import actions

    with app.app_context():
        actions.block(cast.ada.actor, cast.alice.account_id, why="made trouble")
    assert "This account is blocked" in sign_in(client, "alice", cast.alice.password).text
    assert "This account is blocked" not in sign_in(client, "alice", WRONG).text
    assert client.get("/account/keys").status_code == 302


def test_a_locked_account_gets_another_mail_for_whoever_has_the_password(client, cast, app, mailbox):
    from portal.services.accounts import recovery

    with app.app_context():
        recovery.lock(cast.alice.actor, cast.alice.password)
    mailbox.clear()
    sign_in(client, "alice", WRONG)
    assert mailbox.all() == []
    assert "We have sent an email with a link" in sign_in(client, "alice", cast.alice.password).text
    assert mailbox.last(to=cast.alice.email).path("/unlock/")


def test_signing_out_ends_the_session_on_the_server(client, new_client, cast):
    cast.alice.sign_in(client)
    stolen = client.get_cookie("session").value
    answer = client.submit("/account/keys", form="/signout")
    assert (answer.status_code, answer.location) == (303, "/")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "You are signed out" in client.page("/").text
    thief = new_client()
    thief.set_cookie("session", stolen)
    assert thief.get("/account/keys").status_code == 302


def test_signing_out_without_a_session_is_no_error(client):
    token = client.page("/signin").select_one("main input[name=csrf_token]")["value"]
    assert client.post("/signout", data={"csrf_token": token}).location == "/"


def test_sign_out_asks_for_a_post(client, cast):
    cast.alice.sign_in(client)
    assert client.get("/signout").status_code == 405
    client.page("/account/keys")


def test_the_session_is_new_at_each_sign_in_and_the_old_one_ends(client, new_client, cast):
    cast.alice.sign_in(client)
    first = client.get_cookie("session").value
    token = client.page("/account/keys").select_one("input[name=csrf_token]")["value"]
    answer = client.post(
        "/signin",
        data={"csrf_token": token, "username": "alice", "password": cast.alice.password},
    )
    assert answer.status_code == 303
    other = new_client()
    other.set_cookie("session", first)
    assert other.get("/account/keys").status_code == 302
    client.page("/account/keys")


def test_a_cookie_that_was_given_beforehand_is_not_adopted(client, new_client, cast):
    client.get("/signin")
    planted = client.get_cookie("session").value
    cast.alice.sign_in(client)
    thief = new_client()
    thief.set_cookie("session", planted)
    assert thief.get("/account/keys").status_code == 302


def test_a_forged_cookie_opens_nothing(client):
    client.set_cookie("session", "eyJfdXNlcl9pZCI6IjEifQ.aaaaaa.forged")
    assert client.get("/account/keys").status_code == 302


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(client, cast):
    answer = cast.alice.sign_in(client)
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert cast.alice.password not in cookie
    assert "session" in parse_cookie(cookie)


def test_with_https_the_cookie_is_secure_and_of_this_host_only(make_app, cast):
    app = make_app(PORTAL_BASE_URL="https://keys.example.org")
    client = app.test_client()
    client.get("/signin")
    cookie = client.get_cookie("__Host-session", domain="keys.example.org")
    assert cookie.secure
    assert cookie.http_only
    assert cookie.path == "/"


def test_somebody_signed_in_is_led_on(client, cast):
    cast.alice.sign_in(client)
    assert client.get("/signin").location == "/account"
    assert client.get("/signin?next=/account/profile").location == "/account/profile"


def test_after_signing_in_one_gets_where_one_wanted_to(client, cast):
    asked = client.get("/account/activity?before=7")
    answer = sign_in(client, "alice", cast.alice.password, path=asked.location)
    assert answer.location == "/account/activity?before=7"


def test_a_wrong_password_does_not_lose_where_one_wanted_to(client, cast):
    answer = sign_in(client, "alice", WRONG, path="/signin?next=/account/profile")
    assert parse(answer).select_one("input[name=next]")["value"] == "/account/profile"


HOSTILE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/account\\@evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\nSet-Cookie: a=b",
    " /account",
    "/ /evil.example",
    "//[::1",
    "/\x00",
    "/\u2028/evil.example",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_other_site_is_led_to(hostile):
    assert safe_target(hostile) is None


def test_no_other_site_is_led_to_after_signing_in(client, cast):
    for hostile in ("//evil.example/", "https://evil.example", "/\\evil.example"):
        answer = client.submit(
            "/signin", {"username": "alice", "password": cast.alice.password, "next": hostile}
        )
        assert answer.location == "/account"
        client.submit("/account/keys", form="/signout")


@pytest.mark.parametrize(
    "path", ["/", "/account/keys", "/account/keys?status=live&query=a%20b", "/docs#keys"]
)
def test_pages_of_this_site_are_led_to(path):
    assert safe_target(path) == path


def test_a_source_that_keeps_failing_is_slowed_and_told_until_when(client, cast, clock):
    clock.stop()
    for _ in range(10):
        assert sign_in(client, "alice", WRONG).status_code == 422
    answer = sign_in(client, "alice", cast.alice.password)
    assert answer.status_code == 429
    assert "Too many tries" in answer.text
    clock.forward(seconds=int(answer.headers["Retry-After"]))
    assert sign_in(client, "alice", cast.alice.password).status_code == 303


def test_another_site_uses_up_no_tries_of_the_owner(client, cast):
    """A form that fails CSRF proves no password, so it is no try: another site may have sent it."""
    for _ in range(12):
        assert client.post("/signin", data={"username": "alice", "password": WRONG}).status_code == 400
    assert sign_in(client, "alice", cast.alice.password).status_code == 303


def test_good_sign_ins_do_not_add_up(client, cast):
    for _ in range(12):
        cast.alice.sign_in(client)
        client.submit("/account/keys", form="/signout")


def test_an_attack_slows_its_source_and_not_the_owner(app, client, cast):
    cast.alice.sign_in(client)
    attacker = app.test_client()
    attacker.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    while sign_in(attacker, "alice", WRONG).status_code != 429:
        pass
    client.page("/account/keys")
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.44"
    assert sign_in(elsewhere, "alice", cast.alice.password).status_code == 303


@pytest.mark.parametrize(("person", "rest"), [("alice", {"days": 14}), ("ada", {"hours": 1})])
def test_a_session_that_rests_too_long_is_over(client, cast, clock, person, rest):
    getattr(cast, person).sign_in(client)
    clock.forward(**rest)
    assert client.get("/account/keys").status_code == 302


def test_a_session_that_is_used_still_ends_one_day(client, cast, clock):
    cast.alice.sign_in(client)
    for _ in range(3):
        clock.forward(days=9)
        client.page("/account/keys")
    clock.forward(days=4)
    assert client.get("/account/keys").status_code == 302


def test_every_field_suits_a_password_manager(client):
    page = client.page("/signin")
    assert page.select_one("#username")["autocomplete"] == "username"
    password = page.select_one("#password")
    assert (password["type"], password["autocomplete"]) == ("password", "current-password")
    assert not password.has_attr("maxlength")


def test_a_session_outlives_the_browser_but_not_its_30_days(client, cast):
    before = client.get("/signin").headers.getlist("Set-Cookie")
    assert not any("expires" in cookie.lower() for cookie in before), (
        "a stranger's cookie ends with the browser"
    )

    cookies = cast.alice.sign_in(client).headers.getlist("Set-Cookie")

    assert any("Expires=" in cookie for cookie in cookies)
    client.get("/account/keys")
    assert client.get("/account/keys").headers.getlist("Set-Cookie") == [], "it is not renewed by use"


def test_signing_in_keeps_nothing_of_the_old_cookie(client, cast):
    client.page("/signin")
    with client.session_transaction() as before:
        before["planted"] = "by somebody else"
        old_token = before["csrf_token"]
    cast.alice.sign_in(client)
    with client.session_transaction() as after:
        assert "planted" not in after
        assert after.get("csrf_token") != old_token
