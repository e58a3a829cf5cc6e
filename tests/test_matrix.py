"""Who may go where (row 20): every role at every route with every method, deny by default.

The matrix is made from the URL map. A route that is not in the tables below fails here, so
that nobody adds one without saying for whom it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.permissions import HIGHEST_LEVEL, Role
from portal.services.auth import sessions
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import CreatedKey, Person, make_person
from tests.support.client import PageChecker
from tests.support.crawl import NOBODYS_KEY, Stop, stops

pytestmark = pytest.mark.sqlite_only(reason="who may go where has nothing to do with the database")


class Door(Enum):
    """For whom a page is."""

    EVERYBODY = "everybody"
    OWNERS = "who is signed in"
    SUPPORT = "operators of level 8"
    ADMINS = "operators of level 9"
    SCRAPERS = "keys of level 6, no cookie"


PAGES = {
    Door.EVERYBODY: """
        home.index home.change_password health.healthz health.readyz health.security_txt health.favicon
        health.oauth_metadata brand.logo brand.accent
        docs.index docs.page docs.find docs.markdown docs.page_markdown docs.llms
        leaks.index leaks.thanks promises.index
        static auth.sign_up auth.sign_up_sent auth.confirm auth.setup auth.sign_in auth.sign_out
        auth.forgot auth.forgot_sent auth.reset auth.unlock auth.confirm_email auth.stop_email
    """,
    Door.OWNERS: """
        overview.index
        activity.index activity.csv activity.jsonl
        usage_limits.index consent.index profile.index profile.email profile.cancel_email
        security.index security.lock security.remove
        keys.index keys.new keys.create keys.detail keys.revoke keys.rotate
        keys.rotate_now keys.revoke_now keys.revoke_selected keys.revoke_selected_now keys.called
        security.end_session security.end_others consent.withdraw
    """,
    Door.SUPPORT: """
        admin.overview admin.keys admin.find_key admin.key
        admin.index admin.account admin.audit_log admin.audit_log_csv admin.audit_log_jsonl admin.record
        admin.usage admin.block admin.unblock admin.mail_link admin.end_sessions
        admin.revoke_keys admin.revoke_key
    """,
    Door.ADMINS: "admin.role",
    Door.SCRAPERS: "health.metrics",
}
DOORS = {endpoint: door for door, endpoints in PAGES.items() for endpoint in endpoints.split()}

OPEN_API = {
    "POST /api/signup",
    "POST /api/signin",
    "POST /api/confirm/signup/<token>",
    "POST /api/leaks",
    "POST /api/leaks/github",
    "GET /api/openapi.json",
}
BOTH_LEVELS = {
    "GET /api/whoami/key": 0,
    "GET /api/account/key": 2,
    "PATCH /api/account/key": 4,
    "POST /api/available/username/key": 4,
    "POST /api/apikeys/key": 4,
    "GET /api/apikeys/key": 0,
    "GET /api/apikeys/<key>/key": 4,
    "POST /api/apikeys/<key>/rotate/key": 4,
    "DELETE /api/apikeys/<key>/key": 4,
}
JWT_LEVELS = {f"{name.removesuffix('/key')}/jwt": level for name, level in BOTH_LEVELS.items()}
BEHIND_PREFIX = ("/level/<int:level>", "/level/<int:level>/<visited:path>")
BEGINNINGS = ("", "/preflight=pass", "/audience=<audience>", "/preflight=pass/audience=<audience>")
FORWARD_AUTH = ("", *(beginning + rest for beginning in BEGINNINGS for rest in BEHIND_PREFIX))
KEY_LEVELS = {
    **BOTH_LEVELS,
    "POST /api/introspect": 6,
    "POST /api/introspect/batch": 6,
    "POST /api/revoke": 0,
    **{
        f"{method} /api/authorize{rest}": 0
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        for rest in FORWARD_AUTH
    },
}

ENDS_SOMETHING = ("auth.sign_out", "security.end_others", "consent.withdraw", "security.end_session")
ROLES = [None, *Role]


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application with an admin, without limits and CSRF tokens, which have tests of their own."""
    app = make_app(PORTAL_LIMITS_ENABLED="false")
    app.config["WTF_CSRF_ENABLED"] = False
    make_person(app, "rosa", Role.ADMIN)
    return app


@pytest.fixture
def owner(app: Flask) -> Person:
    """Somebody for operators to look at."""
    return make_person(app, "olga")


def of_the_api(app: Flask) -> Iterator[tuple[str, Stop]]:
    for stop in stops(app):
        if stop.is_api:
            for method in stop.methods - {"HEAD", "OPTIONS"}:
                yield f"{method} {stop.rule}", stop


def test_every_route_says_for_whom_it_is(app: Flask) -> None:
    pages = {stop.endpoint for stop in stops(app) if not stop.is_api}
    assert pages == set(DOORS)
    assert {name for name, _stop in of_the_api(app)} == OPEN_API | set(KEY_LEVELS) | set(JWT_LEVELS)


def places(app: Flask, owner: Person, created: CreatedKey, own: CreatedKey | None) -> list[Stop]:
    """The pages: operators' ones about the owner, owners' ones about their own key; what ends things last."""
    found = []
    for name, key in (("admin", created), ("keys", own or created)):
        filled = {"account_id": owner.account_id, "key_id": key.id}
        found += [
            stop
            for stop in stops(app, filled)
            if (stop.endpoint.split(".")[0] == "admin") == (name == "admin")
        ]
    return sorted(
        (stop for stop in found if not stop.is_api), key=lambda stop: stop.endpoint in ENDS_SOMETHING
    )


def may(role: Role | None, door: Door) -> bool:
    level = -1 if role is None else role.level
    return {
        Door.EVERYBODY: True,
        Door.OWNERS: role is not None,
        Door.SUPPORT: level >= 8,
        Door.ADMINS: level >= 9,
        Door.SCRAPERS: False,
    }[door]


def expected(role: Role | None, door: Door) -> str:
    """What happens at a door that is closed."""
    if door is Door.SCRAPERS:
        return "401"
    if role is None:
        return "sign in"
    return "403" if door is Door.ADMINS and role.level >= 8 else "404"


def happened(answer: TestResponse) -> str:
    if answer.status_code in {301, 302, 303} and answer.headers["Location"].startswith("/signin"):
        return "sign in"
    return str(answer.status_code)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.value if role else "stranger")
def test_pages(
    app: Flask,
    owner: Person,
    new_client: Callable[[], PageChecker],
    make_key: MakeKey,
    role: Role | None,
) -> None:
    created, person = make_key(owner), make_person(app, "person", role) if role else None
    own = make_key(person) if person else None
    client = new_client()
    client.checks_pages = False
    if person:
        person.sign_in(client)
    wrong = []
    for stop in places(app, owner, created, own):
        door = DOORS[stop.endpoint]
        for method in sorted(stop.methods - {"OPTIONS"}):
            answer = happened(client.open(stop.path, method=method))
            if may(role, door):
                ok = answer not in {"401", "403", "405", "500", "503"}
                missing_is_right = stop.names & {"token", "session_id"}
                ok = ok and (answer != "404" or bool(missing_is_right))
                ok = ok and (answer != "sign in" or stop.endpoint in ENDS_SOMETHING or role is None)
            else:
                ok = answer == expected(role, door)
            if not ok:
                wrong.append(f"{method} {stop.path} ({stop.endpoint}): {answer}")
    assert not wrong, "\n".join(wrong)


def jwt_of(client: PageChecker, person: Person) -> dict[str, str]:
    answer = client.post("/api/signin", json={"username": person.email, "password": person.password})
    return {"Authorization": f"Bearer {answer.get_json()['token']}"}


def refusal(answer: TestResponse) -> str:
    if answer.status_code not in {401, 403}:
        return ""
    told = answer.get_json()
    return str(told.get("code", told["error"]))


@pytest.mark.parametrize("level", range(HIGHEST_LEVEL + 1))
def test_the_api_with_a_key_of_each_level(
    app: Flask, client: PageChecker, make_key: MakeKey, level: int
) -> None:
    admin = make_person(app, "adina", Role.ADMIN)
    created, other = make_key(admin, level=level), make_key(admin)
    for name, stop in of_the_api(app):
        path = stop.path.replace(str(NOBODYS_KEY), other.id)
        method = name.partition(" ")[0]
        answer = refusal(client.open(path, method=method, headers=created.headers, json={}))
        if name in KEY_LEVELS:
            assert answer == ("" if level >= KEY_LEVELS[name] else "insufficientAccessLevel"), name
        elif name in JWT_LEVELS:
            assert answer == "authenticationFailed", name
        else:
            assert answer in {"", "signInFailed"}, name


@pytest.mark.parametrize("role", Role)
def test_the_api_with_a_token_of_each_role(
    app: Flask, client: PageChecker, make_key: MakeKey, role: Role
) -> None:
    person = make_person(app, "person", role)
    token, other = jwt_of(client, person), make_key(person)
    for name, stop in of_the_api(app):
        path = stop.path.replace(str(NOBODYS_KEY), other.id)
        answer = refusal(client.open(path, method=name.partition(" ")[0], headers=token, json={}))
        if name in JWT_LEVELS:
            assert answer == ("" if role.level >= JWT_LEVELS[name] else "insufficientAccessLevel"), name
        elif name in KEY_LEVELS:
            assert answer == "authenticationFailed", name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.value if role else "stranger")
def test_the_api_never_listens_to_a_cookie(app: Flask, client: PageChecker, role: Role | None) -> None:
    if role:
        make_person(app, "person", role).sign_in(client)
    for name, stop in of_the_api(app):
        answer = refusal(client.open(stop.path, method=name.partition(" ")[0], json={}))
        if name not in OPEN_API:
            assert answer == "authenticationFailed", name


@pytest.mark.parametrize("level", range(HIGHEST_LEVEL + 1))
def test_the_figures_open_from_level_6_on(
    app: Flask, client: PageChecker, make_key: MakeKey, level: int
) -> None:
    created = make_key(make_person(app, "adina", Role.ADMIN), level=level)
    assert client.get("/metrics", headers=created.headers).status_code == (200 if level >= 6 else 403)


def test_a_session_that_has_ended_opens_nothing_more_than_a_stranger_has(
    app: Flask, owner: Person, client: PageChecker, make_key: MakeKey
) -> None:
    person = make_person(app, "person", Role.ADMIN)
    created = make_key(owner)
    person.sign_in(client)
    with app.app_context():
        sessions.end_other_sessions(person.actor)
    for stop in places(app, owner, created, None):
        if DOORS[stop.endpoint] in {Door.OWNERS, Door.SUPPORT, Door.ADMINS}:
            for method in stop.methods - {"OPTIONS"}:
                assert happened(client.open(stop.path, method=method)) == "sign in", stop.path
