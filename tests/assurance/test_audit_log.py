"""Every act has its record, and every look of an operator (row 46): a table of routes and acts.

The table is held to the URL map: a route that acts and is not in it fails here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any

import pytest
from flask import Flask

from portal.models import Action, TokenPurpose
from portal.permissions import Role
from portal.services.accounts import recovery
from portal.services.auth import sessions
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.mail import tokens
from portal.services.operators import actions as operator_actions
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import CreatedKey, Person, make_person
from tests.support.client import PageChecker
from tests.support.crawl import stops
from tests.support.databases import Database
from tests.support.mailbox import Mailbox

NEW_PASSWORD = "lantern-orchard-quiet-58"
FIRST, NEW = {"consent": "1", "password": NEW_PASSWORD}, {"password": NEW_PASSWORD}


@dataclass
class Scene:
    """What an act may need: its people, a key, and a way to make links."""

    app: Flask
    alice: Person
    sue: Person
    ada: Person
    created: CreatedKey
    mailbox: Mailbox
    new_client: Callable[[], PageChecker]

    def token(self, purpose: TokenPurpose, address: str | None = None) -> str:
        """A link for Alice."""
        with self.app.app_context(), transaction() as session:
            address = address or self.alice.email
            return tokens.mint(session, purpose, account_id=self.alice.account_id, email=address)

    def sign_up(self) -> str:
        """The path of a link that confirms a new account."""
        self.new_client().post("/signup", data={"email": "new@example.org", "language": "en"})
        return self.mailbox.last(to="new@example.org").path("/confirm/")

    def asked_for_email(self) -> str:
        """The path of a link that stops a change of Alice's address."""
        self.token(TokenPurpose.EMAIL, "al@example.org")
        return f"/stop-email/{self.token(TokenPurpose.EMAIL_STOP)}"

    def locked(self) -> str:
        """The path of a link that opens Alice's locked account."""
        with self.app.app_context():
            recovery.lock(self.alice.actor, self.alice.password)
        return f"/unlock/{self.token(TokenPurpose.UNLOCK)}"

    def blocked(self) -> str:
        """The path that takes the block from Alice's account."""
        with self.app.app_context():
            operator_actions.block(Actor.command_line(), self.alice.account_id, why="spam")
        return f"/admin/accounts/{self.alice.account_id}/unblock"

    def session(self) -> str:
        """The path that ends another session of Alice's."""
        other = self.new_client()
        self.alice.sign_in(other)
        with self.app.app_context():
            return f"/account/security/sessions/{sessions.list_sessions(self.alice.account_id)[0].id}/end"

    def admin(self, act: str) -> str:
        """An operator's page about Alice."""
        return f"/admin/accounts/{self.alice.account_id}/{act}"


Path = Callable[[Scene], str]
Body = Callable[[Scene], dict[str, Any]]


@dataclass
class Act:
    """Who sends what where, and what the audit log says then."""

    endpoint: str
    actions: set[Action]
    path: Path
    body: Body = field(default=lambda _scene: {})
    who: str = "alice"
    method: str = "POST"


def own_password(scene: Scene) -> dict[str, Any]:
    return {"current_password": scene.alice.password}


def reason(_scene: Scene) -> dict[str, Any]:
    return {"reason": "because"}


def bits(_scene: Scene) -> dict[str, Any]:
    return {"once": token_urlsafe(32)}


def credentials(scene: Scene) -> dict[str, Any]:
    return {"username": "alice", "password": scene.alice.password}


A = Action
KEYS_ENDED = {A.KEY_REVOKED, A.KEYS_REVOKED}
REVOKED_ALL = {*KEYS_ENDED, A.SESSIONS_ENDED}
PAGES = [
    Act("auth.sign_up", {A.ACCOUNT_SIGN_UP_REQUESTED}, lambda _: "/signup",
        lambda _: {"email": "zoe@example.org"}, "nobody"),
    Act("auth.confirm", {A.ACCOUNT_CONFIRMED, A.CONSENT_GIVEN, A.SESSION_STARTED}, Scene.sign_up,
        lambda _: FIRST, "nobody"),
    Act("auth.sign_in", {A.SESSION_STARTED}, lambda _: "/signin", credentials, "nobody"),
    Act("auth.sign_in", {A.SESSION_REFUSED}, lambda _: "/signin",
        lambda _: {"username": "alice", "password": "wrong"}, "nobody"),
    Act("auth.sign_in", {A.ACCOUNT_UNLOCK_REQUESTED}, lambda s: s.locked() and "/signin", credentials,
        "nobody"),
    Act("auth.sign_out", {A.SESSION_ENDED}, lambda _: "/signout"),
    Act("auth.forgot", {A.PASSWORD_RESET_REQUESTED}, lambda _: "/password/forgot",
        lambda s: {"email": s.alice.email}, "nobody"),
    Act("auth.reset", {A.PASSWORD_RESET, A.SESSIONS_ENDED},
        lambda s: f"/password/reset/{s.token(TokenPurpose.RESET)}", lambda _: NEW, "nobody"),
    Act("auth.unlock", {A.ACCOUNT_UNLOCKED}, Scene.locked, who="nobody"),
    Act("auth.confirm_email", {A.ACCOUNT_EMAIL_CHANGED},
        lambda s: f"/confirm-email/{s.token(TokenPurpose.EMAIL, 'al@example.org')}", who="nobody"),
    Act("auth.stop_email", {A.ACCOUNT_EMAIL_CHANGE_CANCELLED}, Scene.asked_for_email, who="nobody"),
    Act("profile.cancel_email", {A.ACCOUNT_EMAIL_CHANGE_CANCELLED},
        lambda s: s.asked_for_email() and "/account/profile/email/cancel"),
    Act("consent.index", {A.CONSENT_GIVEN}, lambda _: "/account/consent", lambda _: {"consent": "2"}),
    Act("consent.withdraw", {A.CONSENT_WITHDRAWN, *KEYS_ENDED}, lambda _: "/account/consent/withdraw"),
    Act("profile.index", {A.ACCOUNT_UPDATED}, lambda _: "/account/profile",
        lambda _: {"username": "alicia", "bio": ""}),
    Act("profile.email", {A.ACCOUNT_EMAIL_CHANGE_REQUESTED}, lambda _: "/account/profile/email",
        lambda s: {"email": "al@example.org", **own_password(s)}),
    Act("security.index", {A.PASSWORD_CHANGED, A.SESSIONS_ENDED}, lambda _: "/account/security",
        lambda s: {**own_password(s), **NEW, "end_others": "y"}),
    Act("security.lock", {A.ACCOUNT_LOCKED, *REVOKED_ALL}, lambda _: "/account/security/lock", own_password),
    Act("security.remove", {A.ACCOUNT_REMOVED, *REVOKED_ALL}, lambda _: "/account/security/remove",
        own_password),
    Act("security.end_session", {A.SESSION_ENDED}, Scene.session),
    Act("security.end_others", {A.SESSIONS_ENDED}, lambda _: "/account/security/sessions/end-others"),
    Act("keys.create", {A.KEY_CREATED}, lambda _: "/account/keys/new",
        lambda s: {"name": "ci", "level": "1", "expires": "30", **bits(s)}),
    Act("keys.rotate_now", {A.KEY_CREATED, A.KEY_ROTATED, A.KEY_REVOKED},
        lambda s: f"/account/keys/{s.created.id}/rotate", bits),
    Act("keys.revoke_now", {A.KEY_REVOKED}, lambda s: f"/account/keys/{s.created.id}/revoke"),
    Act("keys.revoke_selected_now", {A.KEY_REVOKED}, lambda s: f"/account/keys/revoke?key={s.created.id}"),
    Act("leaks.index", {A.KEY_REVOKED}, lambda _: "/leaks", lambda s: {"text": s.created.secret}, "nobody"),
    Act("admin.block", {A.ACCOUNT_BLOCKED, *REVOKED_ALL}, lambda s: s.admin("block"), reason, "sue"),
    Act("admin.unblock", {A.ACCOUNT_UNBLOCKED}, Scene.blocked, reason, "sue"),
    Act("admin.end_sessions", {A.SESSIONS_ENDED}, lambda s: s.admin("end-sessions"), reason, "sue"),
    Act("admin.mail_link", {A.ACCOUNT_LINK_MAILED}, lambda s: s.admin("mail-link"), reason, "sue"),
    Act("admin.revoke_keys", KEYS_ENDED, lambda s: s.admin("revoke-keys"), reason, "sue"),
    Act("admin.revoke_key", {A.KEY_REVOKED}, lambda s: s.admin(f"keys/{s.created.id}/revoke"), reason, "sue"),
    Act("admin.role", {A.ACCOUNT_ROLE_CHANGED, A.SESSIONS_ENDED, A.ACCOUNT_READ}, lambda s: s.admin("role"),
        lambda _: {"role": "curator"}, "ada"),
    Act("admin.index", {A.ACCOUNTS_SEARCHED}, lambda _: "/admin/accounts", who="sue", method="GET"),
    Act("admin.account", {A.ACCOUNT_READ}, lambda s: s.admin("").rstrip("/"), who="sue", method="GET"),
    Act("admin.overview", {A.USAGE_READ}, lambda _: "/admin", who="sue", method="GET"),
    Act("admin.keys", {A.KEYS_SEARCHED}, lambda _: "/admin/keys", who="sue", method="GET"),
    Act("admin.find_key", {A.KEYS_SEARCHED}, lambda _: "/admin/keys", lambda s: {"wanted": s.created.secret},
        "sue"),
    Act("admin.key", {A.KEY_READ}, lambda s: f"/admin/keys/{s.created.id}", who="sue", method="GET"),
    Act("admin.audit_log", {A.AUDIT_LOG_READ}, lambda _: "/admin/audit-log", who="sue", method="GET"),
    Act("admin.audit_log_csv", {A.AUDIT_LOG_READ}, lambda _: "/admin/audit-log.csv", who="sue", method="GET"),
    Act("admin.audit_log_jsonl", {A.AUDIT_LOG_READ}, lambda _: "/admin/audit-log.jsonl", who="sue",
        method="GET"),
    Act("admin.usage", {A.USAGE_READ}, lambda _: "/admin/usage", who="sue", method="GET"),
    *(
        Act(f"admin.{name}", {A.ACCOUNT_READ}, lambda s, act=act: s.admin(act), who="ada", method="GET")
        for name, act in (
            ("block", "block"), ("end_sessions", "end-sessions"), ("mail_link", "mail-link"),
            ("revoke_keys", "revoke-keys"), ("role", "role")
        )
    ),
    Act("admin.unblock", {A.ACCOUNT_READ}, Scene.blocked, who="sue", method="GET"),
    Act("admin.revoke_key", {A.ACCOUNT_READ}, lambda s: s.admin(f"keys/{s.created.id}/revoke"), who="sue",
        method="GET"),
]  # fmt: skip
CHANGE = {"bio": "Sews at night."}
ISSUE = {"name": "ci", "level": 1, "expiresIn": 3600}
API = [
    Act("api_open.signing_sign_up", {A.ACCOUNT_SIGN_UP_REQUESTED}, lambda _: "/api/signup",
        lambda _: {"email": "zoe@example.org", "language": "en"}, "nobody"),
    Act("api_open.signing_confirm", {A.ACCOUNT_CONFIRMED, A.CONSENT_GIVEN, A.SESSION_STARTED},
        lambda s: s.sign_up().replace("/confirm/", "/api/confirm/signup/"), lambda _: {"consent": 1},
        "nobody"),
    Act("api_open.signing_sign_in", {A.SESSION_STARTED}, lambda _: "/api/signin", credentials, "nobody"),
    Act("api_open.signing_sign_in", {A.SESSION_REFUSED}, lambda _: "/api/signin",
        lambda _: {"username": "alice", "password": "wrong"}, "nobody"),
    Act("api_open.signing_sign_in", {A.ACCOUNT_UNLOCK_REQUESTED}, lambda s: s.locked() and "/api/signin",
        credentials, "nobody"),
    Act("api_open.leaks_report", {A.KEY_REVOKED}, lambda _: "/api/leaks",
        lambda s: {"secrets": [s.created.secret]}, "nobody"),
    Act("api_key.introspect_revoke", {A.KEY_REVOKED}, lambda _: "/api/revoke",
        lambda s: {"token": s.created.secret}, "key"),
    *(
        act
        for door in ("jwt", "key")
        for act in (
            Act(f"api_{door}.accounts_change", {A.ACCOUNT_UPDATED}, lambda _, d=door: f"/api/account/{d}",
                lambda _: CHANGE, door, "PATCH"),
            Act(f"api_{door}.apikeys_create", {A.KEY_CREATED}, lambda _, d=door: f"/api/apikeys/{d}",
                lambda _: ISSUE, door),
            Act(f"api_{door}.apikeys_rotate", {A.KEY_CREATED, A.KEY_ROTATED},
                lambda s, d=door: f"/api/apikeys/{s.created.id}/rotate/{d}",
                lambda _: {"overlap": 3600}, door),
            Act(f"api_{door}.apikeys_remove", {A.KEY_REVOKED},
                lambda s, d=door: f"/api/apikeys/{s.created.id}/{d}", who=door, method="DELETE"),
        )
    ),
]  # fmt: skip
ACTS = [*PAGES, *API]
ASKING = {
    "api_visitor.authorize_authorize",
    "api_jwt.accounts_find_name",
    "api_key.accounts_find_name",
    "api_key.introspect_introspect",
    "api_key.introspect_introspect_many",
}
"""Checks of keys: they are counted, and change nothing, whatever their method."""


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application without asking for CSRF tokens, which have tests of their own."""
    app = make_app(PORTAL_LIMITS_ENABLED="false")
    app.config["WTF_CSRF_ENABLED"] = False
    return app


@pytest.fixture
def scene(app: Flask, make_key: MakeKey, mailbox: Mailbox, new_client: Callable[[], PageChecker]) -> Scene:
    alice = make_person(app, "alice")
    sue, ada = make_person(app, "sue", Role.SUPPORT), make_person(app, "ada", Role.ADMIN)

    def client() -> PageChecker:
        created = new_client()
        created.checks_pages = False
        return created

    return Scene(app, alice, sue, ada, make_key(alice), mailbox, client)


def send(scene: Scene, act: Act, path: str, body: dict[str, Any]) -> int:
    client = scene.new_client()
    headers: dict[str, str] = {}
    if act.who in {"alice", "sue", "ada"}:
        getattr(scene, act.who).sign_in(client)
    elif act.who == "key":
        headers = scene.created.headers
    elif act.who == "jwt":
        token = client.post("/api/signin", json=credentials(scene)).get_json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
    before = newest(scene.app)
    is_json = path.startswith("/api/") and act.method != "DELETE" and path != "/api/revoke"
    what = {"json": body} if is_json else {"data": body}
    status = client.open(path, method=act.method, headers=headers, **(what if act.method != "GET" else {}))
    assert status.status_code < 500
    return before


def newest(app: Flask) -> int:
    with app.app_context():
        return audit.list_events(limit=1)[0].id


@pytest.mark.sqlite_only(reason="one code writes it on both; its triggers are proved on both")
@pytest.mark.parametrize("act", ACTS, ids=lambda act: f"{act.method} {act.endpoint}")
def test_each_act_has_its_record(scene: Scene, act: Act) -> None:
    path, body = act.path(scene), act.body(scene)
    before = send(scene, act, path, body)
    with scene.app.app_context():
        events = [event for event in audit.list_events() if event.id > before]
    assert {event.action for event in events} == act.actions
    for event in events:
        assert event.ip_address == "127.0.0.1"
        assert event.request_id
        if act.who in {"alice", "sue", "ada"}:
            assert event.actor_account_id == getattr(scene, act.who).account_id
        if act.who == "key":
            assert str(event.actor_key_id) == scene.created.id
        assert NEW_PASSWORD not in str(event.details)


@pytest.mark.sqlite_only(reason="the routes have nothing to do with the database")
def test_every_route_that_acts_is_in_the_table(app: Flask) -> None:
    acting = {stop.endpoint for stop in stops(app) if stop.methods & {"POST", "PUT", "PATCH", "DELETE"}}
    signed_by_github = "api_open.leaks_receive"  # it records as the other reports do: tests/api/test_leaks.py
    told = {act.endpoint for act in ACTS if act.method != "GET"}
    assert acting == told | {"auth.setup", signed_by_github} | ASKING


@pytest.mark.sqlite_only(reason="the routes have nothing to do with the database")
def test_every_look_of_an_operator_is_in_the_table(app: Flask) -> None:
    pages = {
        stop.endpoint for stop in stops(app) if stop.endpoint.startswith("admin.") and "GET" in stop.methods
    }
    looks = pages - {"admin.record"}  # it leads on
    told = {act.endpoint for act in ACTS if act.method == "GET"}
    assert looks == told


def test_the_first_admin_is_recorded_and_a_fresh_database_is_empty(
    app: Flask, database: Database, new_client: Callable[[], PageChecker]
) -> None:
    """Row 5: there is no default account."""
    assert database.execute("SELECT count(*) FROM accounts") == [(0,)]
    assert database.execute("SELECT count(*) FROM api_keys") == [(0,)]
    with app.app_context(), transaction() as session:
        token = tokens.mint(session, TokenPurpose.FIRST_ADMIN, account_id=None, email=None)
    client = new_client()
    client.checks_pages = False
    client.post(f"/setup/{token}", data={"email": "ada@example.org", **FIRST})
    with app.app_context():
        found = {event.action for event in audit.list_events()}
    assert found == {A.ACCOUNT_CREATED, A.CONSENT_GIVEN, A.SESSION_STARTED}
