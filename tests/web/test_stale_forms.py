"""A form that is sent too late, or from a second tab: nothing is done, nothing typed is lost (row 18)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g
from flask_wtf.csrf import generate_csrf
from werkzeug.datastructures import MultiDict

from portal.web.auth.forms import SignInForm
from tests.support.client import PageChecker, find_form, form_values
from tests.support.pages import parse

pytestmark = pytest.mark.usefixtures("cast")  # an admin is there, so people can sign up

LIFE_OF_A_FORM = 8
KEPT = "We kept what you typed"


def still_signed_in(client: PageChecker, who: Any) -> None:
    """Sign in again where the session has ended meanwhile."""
    if client.get("/account/keys").status_code != 200:
        who.sign_in(client)


def load(
    client: PageChecker, path: str, action: str | None = None, **typed: str
) -> tuple[str, dict[str, Any]]:
    """Load a form in a tab, and type something: where it goes, and what a browser would send."""
    form = find_form(client.page(path), action)
    names = {str(tag["name"]) for tag in form.select("[name]")}
    assert set(typed) <= names, f"{path} has {names}"
    return str(form["action"]), form_values(form) | typed


class TestTwoTabs:
    @pytest.mark.parametrize(
        ("path", "leads"),
        [
            ("/signin", "/account"),
            ("/signin?next=/account/profile", "/account/profile"),
            ("/signin?next=//evil.example/", "/account"),
            ("/signup", "/account"),
        ],
    )
    def test_a_second_form_leads_on_once_signed_in(
        self, client: Any, cast: Any, path: str, leads: str
    ) -> None:
        typed = {"username": cast.alice.email, "password": cast.alice.password}
        if path == "/signup":
            typed = {"email": "carol@example.org"}
        action, second = load(client, path, **typed)
        cast.alice.sign_in(client)

        answer = client.post(action, data=second)

        assert (answer.status_code, answer.location) == (303, leads)
        page = client.page(answer.location)
        assert cast.alice.email in page.text
        assert "expired" not in page.text

    def test_it_leads_on_as_whoever_is_signed_in_and_says_so(self, client: Any, cast: Any) -> None:
        action, second = load(client, "/signin", username=cast.bob.email, password=cast.bob.password)
        cast.alice.sign_in(client)

        page = client.page(client.post(action, data=second).location)

        assert f"already signed in as {cast.alice.email}" in page.text
        assert cast.bob.email not in page.text

    def test_a_form_from_before_a_sign_in_is_asked_again(self, client: Any, cast: Any) -> None:
        action, second = load(client, "/password/forgot", email=cast.bob.email)
        cast.alice.sign_in(client)

        page = parse(client.post(action, data=second))

        assert KEPT in page.text
        assert page.select_one("#email")["value"] == cast.bob.email

    def test_one_of_a_page_that_is_closed_by_now_leads_to_signing_in(self, client: Any, cast: Any) -> None:
        cast.alice.sign_in(client)
        action, second = load(client, "/account/keys/new", name="nightly")
        client.submit("/account/keys", form="/signout")

        answer = client.post(action, data=second)

        assert answer.status_code == 303
        assert answer.location.startswith("/signin?next=")
        assert "expired" not in client.page(answer.location).text


FORMS: dict[str, tuple[str, str, dict[str, str]]] = {
    "sign up": ("nobody", "/signup", {"email": "carol@example.org", "language": "nl"}),
    "sign in": ("nobody", "/signin?next=/account/profile", {"username": "carol@example.org"}),
    "forgotten password": ("nobody", "/password/forgot", {"email": "carol@example.org"}),
    "new key": ("alice", "/account/keys/new", {"name": "nightly <b>", "note": "two\nlines", "level": "2"}),
    "profile": ("alice", "/account/profile", {"username": "alicia", "bio": "I sew.", "language": "de"}),
    "another email": ("alice", "/account/profile/email", {"email": "new@example.org"}),
    "consent": ("alice", "/account/consent", {"consent": "2"}),
    "rotate": ("alice", "/account/keys/{key}/rotate", {"overlap": "3600"}),
    "block": ("sue", "/admin/accounts/{alice}/block", {"reason": "spam, see ticket 7"}),
    "role": ("ada", "/admin/accounts/{alice}/role", {"role": "curator", "reason": "promoted"}),
}
SECRET = "lantern gravel otter sixty"


@pytest.mark.usefixtures("every_language")
class TestTooOld:
    @pytest.mark.parametrize("what", FORMS)
    def test_what_was_typed_is_kept_and_asked_once_more(
        self, client: Any, cast: Any, clock: Any, database: Any, make_key: Any, what: str
    ) -> None:
        who, path, typed = FORMS[what]
        path = path.format(alice=cast.alice.account_id, key=make_key(cast.alice).id)
        action = path.partition("?")[0] if who != "nobody" else None
        if who != "nobody":
            getattr(cast, who).sign_in(client)
        action, data = load(client, path, action, **typed)
        passwords = [name for name in data if "password" in name]
        data |= dict.fromkeys(passwords, SECRET)
        clock.forward(hours=LIFE_OF_A_FORM, minutes=1)
        if who != "nobody":
            still_signed_in(client, getattr(cast, who))
        acts = "SELECT count(*) FROM audit_events WHERE action NOT LIKE '%-by-operator'"
        before = database.execute(acts)

        answer = client.post(action, data=data)

        assert answer.status_code == 422
        assert database.execute(acts) == before
        assert SECRET not in answer.text
        page = parse(answer)
        assert KEPT in page.text
        again = form_values(find_form(page, action if who != "nobody" else None))
        assert {name: again[name] for name in typed} == typed
        if "next" in data:
            assert again["next"] == data["next"]
        assert again["csrf_token"] != data["csrf_token"]
        if not passwords and what not in ("new key", "rotate"):
            sent = client.post(action, data=again)
            assert sent.status_code == 303, "and it can be sent as it stands"

    def test_the_new_key_can_be_created_from_what_was_kept(self, client: Any, cast: Any, clock: Any) -> None:
        cast.alice.sign_in(client)
        action, data = load(client, "/account/keys/new", name="nightly", level="1")
        clock.forward(hours=LIFE_OF_A_FORM, minutes=1)
        still_signed_in(client, cast.alice)
        again = form_values(find_form(parse(client.post(action, data=data)), action))

        with client.expecting_secret():
            answer = client.post(action, data=again)

        assert "chk_" in answer.text
        assert "nightly" in answer.text

    def test_what_was_pasted_as_a_leak_is_not_given_back(self, client: Any, clock: Any) -> None:
        action, data = load(client, "/leaks", text="something secret", found_at="a log")
        clock.forward(hours=LIFE_OF_A_FORM, minutes=1)

        answer = client.post(action, data=data)

        assert answer.status_code == 422
        assert "something secret" not in answer.text

    def test_a_button_alone_is_refused_as_before(self, client: Any, cast: Any, clock: Any) -> None:
        cast.alice.sign_in(client)
        action, data = load(client, "/account/profile", "/signout")
        clock.forward(hours=LIFE_OF_A_FORM, minutes=1)

        answer = client.post(action, data=data)

        assert answer.status_code == 400
        assert "This form expired" in answer.text


def test_passwords_are_not_among_what_is_kept(app: Flask) -> None:
    with app.test_request_context("/"):
        g.typed = MultiDict({"username": "alice", "password": SECRET, "once": "x", "other": "y"})
        form = SignInForm()

    assert form.username.data == "alice"
    assert form.password.data in (None, "")


def made_elsewhere(make_app: Any) -> str:
    """A token that another installation signed."""
    app = make_app(PORTAL_SECRET_KEY="another installation's key, long enough: 8f3e7c61b0")
    with app.test_request_context("/"):
        return str(generate_csrf())


@pytest.mark.parametrize("kind", ["none", "empty", "made up", "cut short", "of another installation"])
def test_what_did_not_come_from_a_page_of_ours_gets_no_page_with_its_words(
    client: Any, make_app: Any, kind: str
) -> None:
    action, data = load(client, "/signup", email="carol@example.org")
    data["csrf_token"] = {
        "none": None,
        "empty": "",
        "made up": "x.y.z",
        "cut short": data["csrf_token"][:-3],
        "of another installation": made_elsewhere(make_app),
    }[kind]
    if kind == "none":
        del data["csrf_token"]

    answer = client.post(action, data=data)

    assert answer.status_code == 400
    assert "carol@example.org" not in answer.text


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_nor_does_what_another_site_sends(client: Any, clock: Any, headers: dict[str, str]) -> None:
    action, data = load(client, "/signup", email="carol@example.org")
    clock.forward(hours=LIFE_OF_A_FORM, minutes=1)

    answer = client.post(action, data=data, headers=headers)

    assert answer.status_code == 403
    assert "carol@example.org" not in answer.text
