"""Every page at 390 and 1280 pixels, light and dark: axe and the HTML checker find nothing (row 43).

A page looks the same whatever database it was read from, so these run on SQLite only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask

from portal import clock
from portal.app import create_app
from portal.models import Environment, ExcessLevel, ExcessStep
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.accounts import signup
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.core.errors import RuleError
from portal.services.core.transaction import transaction
from portal.services.keys import creation, revocation, rotation
from portal.services.keys.conditions import Conditions
from tests.conftest import close_app
from tests.support.browser import SCHEMES, WIDTHS, Visit
from tests.support.cast import Person, make_person
from tests.support.html_checker import check_html
from tests.support.server import Server
from tests.support.settings import settings_for

pytestmark = pytest.mark.timeout(300)
OpenWindow = Callable[..., Visit]
CHECKED = {(390, "dark"), (1280, "light")}
"""Both widths and both schemes; colours do not depend on the width, nor the layout on colours."""
BETWEEN = (320, 834, 1024)
"""A very small phone, or a page at 400 % (WCAG 1.4.10), and a tablet held either way."""
NEW_ADDRESS = "new.address@example.org"
LONG = "Donaudampfschifffahrtsgesellschaftskapitaen"
"""A word that nothing may be pushed aside by."""

Pages = dict[str, list[tuple[str, str]]]
Furnished = tuple[dict[str, Person], Pages]


BOUND = Conditions(
    networks="192.0.2.0/24 2001:db8:4::/48 !192.0.2.7/32",
    max_idle=30 * 86_400,
    environment=Environment.LIVE,
    calls_per_minute=600,
    note="Nadia runs the gateway.\nRotate in spring.",
)


def furnish(app: Flask, owner: Person) -> dict[str, str]:
    """Give an owner the keys of the pictures; return the ids by name."""
    wanted = [
        ("Old exporter", 3, 60),
        ("Laptop, curl", 1, 250),
        ("Pattern importer", 4, 5),
        ("Nightly build", 2, 29),
    ]
    created: dict[str, str] = {}
    with app.app_context():
        for name, level, days in wanted:
            key, _ = creation.create_key(owner.actor, name=name, level=level, life=timedelta(days=days))
            created[name] = str(key.id)
        now, day = clock.now_ms(), 86_400_000
        usage = runtime_of(app).usage
        for ago, calls in reversed(list(enumerate([9, 7, 8, 9, 8, 7, 1, 2, 7, 8, 7, 5, 6, 5]))):
            for _ in range(calls):
                usage.note_call(created["Nightly build"], "203.0.113.7", now - ago * day - 240_000)
        for ago, calls in ((9, 3), (4, 6), (1, 2), (0, 2)):
            for _ in range(calls):
                usage.note_call(created["Pattern importer"], "198.51.100.24", now - ago * day - 7_200_000)
        for ago, refused, reason in ((0, 1, "insufficientAccessLevel"), (3, 4, "tooManyRequests")):
            for _ in range(refused):
                usage.note_refusal(created["Nightly build"], now - ago * day, reason)
        usage.flush()
        revocation.revoke_key(owner.actor, UUID(created["Old exporter"]))
        note_excess(owner, created["Nightly build"])
        bound, _ = creation.create_key(
            owner.actor, name="Shop gateway", level=3, life=timedelta(days=90), conditions=BOUND
        )
        created["Shop gateway"] = str(bound.id)
        rotation.rotate_key(owner.actor, bound.id, overlap=timedelta(hours=24))
        with suppress(RuleError):
            signup.request_sign_up(Actor.system(), "new@example.org", "en")
        change_account(owner.actor, email=NEW_ADDRESS, current_password=owner.password)
    return created


def note_excess(owner: Person, key_id: str) -> None:
    """Yesterday calls were refused."""
    use = {"key": key_id, "name": "Nightly build", "calls": 9000, "limit": 9000, "refused": 12}
    figures = {"calls": 9000, "refused": 12, "rung": 1, "by_key": [use]}
    now = clock.utcnow() - timedelta(days=1)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with transaction() as session:
        session.add(
            ExcessStep(
                account_id=owner.account_id, day=day, step=ExcessLevel.THROTTLED, at=now, figures=figures
            )
        )


def sign_in(window: Visit, person: Person) -> None:
    window.open("/signin")
    window.page.locator("[name=username]").fill(person.email)
    window.page.locator("[name=password]").fill(person.password)
    window.page.locator("main form button[type=submit]").last.click()
    window.page.wait_for_url("**/account")


def addresses(server: Server, created: dict[str, str], owner: Person, long: Person) -> Pages:
    """The pages by who looks at them: a name for the picture, and the path."""
    nightly, importer, old = created["Nightly build"], created["Pattern importer"], created["Old exporter"]
    laptop, shop = created["Laptop, curl"], created["Shop gateway"]
    account = f"/admin/accounts/{owner.account_id}"
    confirm = server.mailbox.last(to="new@example.org").path("/confirm/")
    new_email = server.mailbox.last(to=NEW_ADDRESS).path("/confirm-email/")
    stop = server.mailbox.last(to=owner.email).path("/stop-email/")
    return {
        "nobody": [
            ("home", "/"), ("sign-up", "/signup"), ("sign-up-sent", "/signup/sent"),
            ("sign-in", "/signin"),
            ("forgot", "/password/forgot"), ("stale-link", "/password/reset/wrong"), ("confirm", confirm),
            ("confirm-email", new_email), ("stop-email", stop),
            ("leaks", "/leaks"), ("leaks-thanks", "/leaks/thanks"),
            ("docs", "/docs"), ("docs-call", "/docs/authentication?lang=go"), ("docs-errors", "/docs/errors"),
            ("docs-limits", "/docs/limits"), ("docs-check", "/docs/introspection"),
            ("docs-leaks", "/docs/leaks"), ("docs-routes", "/docs/api-keys"),
            ("docs-search", "/docs/search?q=rotate"), ("docs-none", "/docs/search?q=zzz"),
            ("promises", "/promises"), ("not-found", "/nothing/here"),
        ],
        "owner": [
            ("overview", "/account"), ("keys", "/account/keys"), ("keys-none", "/account/keys?query=zzz"),
            ("key-new", "/account/keys/new"),
            ("key-live", f"/account/keys/{nightly}"), ("key-hours", f"/account/keys/{importer}?span=24h"),
            ("key-unused", f"/account/keys/{laptop}"), ("key-soon", f"/account/keys/{importer}"),
            ("key-revoked", f"/account/keys/{old}"), ("key-revoke", f"/account/keys/{nightly}/revoke"),
            ("key-rotate", f"/account/keys/{nightly}/rotate"), ("key-rotated", f"/account/keys/{shop}"),
            ("profile", "/account/profile"),
            ("security", "/account/security"), ("lock", "/account/security/lock"),
            ("remove", "/account/security/remove"), ("consent", "/account/consent"),
            ("withdraw", "/account/consent/withdraw"), ("activity", "/account/activity"),
            ("usage-limits", "/account/usage-limits"),
        ],
        "long": [("long-keys", "/account/keys"), ("long-profile", "/account/profile")],
        "admin": [
            ("admin-accounts", "/admin/accounts"), ("admin-account", account),
            ("admin-audit-log", "/admin/audit-log"), ("admin-usage", "/admin/usage"),
            ("admin-none", "/admin/accounts?query=zzz"),
            ("admin-long", f"/admin/accounts/{long.account_id}"),
            ("admin-role", f"{account}/role"), ("admin-block", f"{account}/block"),
            ("admin-end-sessions", f"{account}/end-sessions"),
            ("admin-mail-link", f"{account}/mail-link"),
            ("admin-revoke-keys", f"{account}/revoke-keys"),
            ("admin-revoke-key", f"{account}/keys/{nightly}/revoke"),
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def server(shared_server: Server) -> Server:
    """One server for all these tests: they only look."""
    return shared_server


@pytest.fixture(scope="module")
def furnished(server: Server) -> Furnished:
    app = create_app(settings_for(server.database.url, server.instance))
    admin = make_person(app, "ada", Role.ADMIN)
    owner, long = make_person(app, "ola"), make_person(app, LONG[:40])
    people = {"owner": owner, "long": long, "admin": admin}
    created = furnish(app, owner)
    with app.app_context():
        creation.create_key(long.actor, name=f"{LONG}smuetzen", level=4, life=timedelta(days=300))
    close_app(app)
    return people, addresses(server, created, owner, long)


@pytest.mark.parametrize("who", ["nobody", "owner", "long", "admin"])
def test_axe_finds_nothing_on_any_page(furnished: Furnished, visit: OpenWindow, who: str) -> None:
    people, pages = furnished
    window = visit()
    if person := people.get(who):
        sign_in(window, person)
    for name, path in pages[who]:
        window.open(path)
        for width in BETWEEN:
            window.become(width, "light")
            window.check_width()
        for width, scheme in product(WIDTHS, SCHEMES):
            window.become(width, scheme)
            window.shoot(f"page-{name}")
            if (width, scheme) in CHECKED:
                window.check()


def test_the_html_checker_finds_nothing_on_any_page(
    furnished: Furnished, visit: OpenWindow, tmp_path: Path
) -> None:
    people, pages = furnished
    texts: dict[str, str] = {}
    for who, named in pages.items():
        window = visit(javascript=False)
        if person := people.get(who):
            sign_in(window, person)
        for name, path in named:
            texts[name] = window.context.request.get(path).text()
    folder = tmp_path / "pages"
    folder.mkdir()

    assert check_html(texts, folder) == []
