"""Each state of an account has its ways out (row 87): docs/states.md, walked row by row.

Owners walk in a browser; operators on their pages, and again on the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from flask import Flask

from portal.models import AccountStatus, Consent
from portal.services.accounts import recovery, removal
from portal.services.accounts.update import change_account
from portal.services.operators import actions
from tests.support.cast import Cast, sit_down
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import ROOT, Database
from tests.support.mailbox import Mailbox

PAGE = ROOT / "docs" / "states.md"
CAROL = "carol@example.org"
NEW, FORGOTTEN = "lantern gravel otter sixty", "thimble quarry walnut eighty"
STATES = {"unconfirmed", "active", "without consent", "locked", "blocked", "removed"}


def tables() -> tuple[list[list[str]], list[list[str]]]:
    """The states, and the ways, as their rows stand in the document."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    rows = [row for row in rows if row[0] not in {"state", "---"}]
    return [row for row in rows if len(row) == 3], [row for row in rows if len(row) == 5]


TOLD, WAYS = tables()


@dataclass
class Scene:
    """Carol, who is in trouble, her browser, and what the operators have at hand."""

    app: Flask
    cast: Cast
    mailbox: Mailbox
    database: Database
    clock: Clock
    new_client: Callable[[], PageChecker]
    by_page: bool = True
    browser: PageChecker = field(init=False)
    password: str = FORGOTTEN
    link: str = ""

    def __post_init__(self) -> None:
        self.browser = self.new_client()

    def sign_up(self) -> None:
        """Ask for an account, as everybody does."""
        assert self.browser.submit("/signup", {"email": CAROL}).status_code == 303
        self.link = self.mailbox.last(to=CAROL).path("/confirm/")

    def begin(self) -> None:
        """Have an active account, signed in nowhere."""
        self.sign_up()
        client = self.new_client()
        fields = {"password": self.password, "consent": "1"}
        assert client.submit(self.link, fields).status_code == 303
        self.clock.forward(seconds=1)

    @property
    def account_id(self) -> int:
        """The newest account, which is Carol's."""
        return int(self.database.execute("SELECT max(id) FROM accounts")[0][0])

    def operate(self, act: str) -> None:
        """An operator does something to the account."""
        if self.by_page:
            sue = self.new_client()
            self.cast.sue.sign_in(sue)
            path = f"/admin/accounts/{self.account_id}/{act}"
            assert sue.submit(path, {"reason": "she called"}, form=path).status_code == 303
        else:
            words = ["account", act, CAROL, "--reason", "she called"]
            done = self.app.test_cli_runner().invoke(args=words)
            assert done.exit_code == 0, done.output

    def block(self) -> None:
        """An operator blocks it; how does not matter here."""
        with self.app.app_context():
            actions.block(self.cast.sue.actor, self.account_id, why="made trouble")

    def block_and_unblock(self) -> None:
        """A block comes and goes."""
        self.block()
        with self.app.app_context():
            actions.unblock(self.cast.sue.actor, self.account_id, why="a mistake")

    def lock(self) -> None:
        """Carol locks her account."""
        self.begin()
        with self.app.app_context():
            recovery.lock(sit_down(self.account_id), FORGOTTEN)
        self.link = self.mailbox.last(to=CAROL).path("/unlock/")

    def withdraw(self) -> None:
        """Carol withdraws consent."""
        self.begin()
        with self.app.app_context():
            change_account(sit_down(self.account_id), consent=Consent.NONE)

    def ask_for_reset(self) -> str:
        """Ask for a link and wait for it."""
        self.browser.submit("/password/forgot", {"email": CAROL})
        return self.mailbox.last(to=CAROL).path("/password/reset/")

    def state(self) -> str:
        """What the account is, by the words of the document."""
        [(status, consent, removed)] = self.database.execute(
            "SELECT status, consent, removed_at FROM accounts WHERE id = :id", id=self.account_id
        )
        if removed is not None:
            return "removed"
        if status == AccountStatus.ACTIVE and consent == Consent.NONE:
            return "without consent"
        names = {
            AccountStatus.INACTIVE: "unconfirmed",
            AccountStatus.LOCKED: "locked",
            AccountStatus.BLOCKED: "blocked",
        }
        return names.get(status, "active")


# How the account came to be what it is.


def unconfirmed(scene: Scene) -> None:
    scene.sign_up()


def unconfirmed_old(scene: Scene) -> None:
    scene.sign_up()
    scene.clock.forward(hours=25)
    scene.browser.page(scene.link, status=410)


def unconfirmed_killed(scene: Scene) -> None:
    scene.sign_up()
    scene.block_and_unblock()
    scene.browser.page(scene.link, status=410)


def unconfirmed_week(scene: Scene) -> None:
    scene.sign_up()
    scene.clock.forward(days=8)
    with scene.app.app_context():
        assert removal.forget_unconfirmed() == 1


def active(scene: Scene) -> None:
    scene.begin()


def reset_used(scene: Scene) -> None:
    scene.begin()
    path = scene.ask_for_reset()
    scene.new_client().submit(path, {"password": FORGOTTEN})
    scene.browser.page(path, status=410)


def reset_old(scene: Scene) -> None:
    scene.begin()
    path = scene.ask_for_reset()
    scene.clock.forward(hours=2)
    scene.browser.page(path, status=410)


def reset_killed(scene: Scene) -> None:
    scene.begin()
    path = scene.ask_for_reset()
    scene.block_and_unblock()
    scene.browser.page(path, status=410)


def by_api(scene: Scene) -> None:
    scene.sign_up()
    path = scene.link.replace("/confirm/", "/api/confirm/signup/")
    answer = scene.browser.post(path, data=json.dumps({"consent": 1}), content_type="application/json")
    assert answer.status_code == 200


def locked(scene: Scene) -> None:
    scene.lock()


def locked_old(scene: Scene) -> None:
    scene.lock()
    scene.clock.forward(hours=25)
    scene.browser.page(scene.link, status=410)


def locked_killed(scene: Scene) -> None:
    scene.lock()
    scene.block_and_unblock()
    scene.browser.page(scene.link, status=410)


def blocked_from(before: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def arrange(scene: Scene) -> None:
        before(scene)
        scene.block()

    return arrange


def removed(scene: Scene) -> None:
    scene.begin()
    with scene.app.app_context():
        removal.remove_account(sit_down(scene.account_id), FORGOTTEN)


def withdrawn(scene: Scene) -> None:
    scene.withdraw()


ARRANGE: dict[tuple[str, str], Callable[[Scene], None]] = {
    ("unconfirmed", "the mail has come"): unconfirmed,
    ("unconfirmed", "the link is too old"): unconfirmed_old,
    ("unconfirmed", "the link was killed by a block that was taken away"): unconfirmed_killed,
    ("unconfirmed", "nothing is known of the mail"): unconfirmed_killed,
    ("unconfirmed", "nobody confirmed it for a week"): unconfirmed_week,
    ("active", "the password is known"): active,
    ("active", "the password is forgotten"): active,
    ("active", "the link of a reset was used"): reset_used,
    ("active", "the link of a reset is too old"): reset_old,
    ("active", "the link of a reset was killed by a block that was taken away"): reset_killed,
    ("active", "it was confirmed through the API and has no password"): by_api,
    ("without consent", "the password is known"): withdrawn,
    ("without consent", "the password is forgotten"): withdrawn,
    ("locked", "the mail has come"): locked,
    ("locked", "the link is too old"): locked_old,
    ("locked", "the link was killed by a block that was taken away"): locked_killed,
    ("locked", "the password is forgotten"): locked,
    ("locked", "the password is forgotten and the link is too old"): locked_old,
    ("locked", "the password is forgotten and a block killed the link"): locked_killed,
    ("blocked", "it was active"): blocked_from(active),
    ("blocked", "it was active and its password is forgotten"): blocked_from(active),
    ("blocked", "it was without consent"): blocked_from(withdrawn),
    ("blocked", "it was locked"): blocked_from(locked),
    ("blocked", "it was unconfirmed"): blocked_from(unconfirmed),
    ("removed", "its owner removed it"): removed,
}


# The ways.


def follow_newest(scene: Scene) -> None:
    """Follow the newest link that was mailed, whichever kind it is, and do what its page asks for."""
    mails = [
        mail
        for mail in scene.mailbox.all(to=CAROL)
        if "/confirm/" in mail.text or "/password/reset/" in mail.text or "/unlock/" in mail.text
    ]
    parts = ("/confirm/", "/password/reset/", "/unlock/")
    [part] = [each for each in parts if each in mails[-1].text]
    fields = {} if part == "/unlock/" else {"password": NEW}
    if part == "/confirm/":
        fields["consent"] = "1"
    assert scene.browser.submit(mails[-1].path(part), fields).status_code == 303
    scene.password = NEW if fields else scene.password


def sign_up_again(scene: Scene) -> None:
    scene.sign_up()
    follow_newest(scene)


def forgotten(scene: Scene) -> None:
    scene.ask_for_reset()
    follow_newest(scene)


def sign_in_for_link(scene: Scene) -> None:
    answer = scene.browser.submit("/signin", {"username": CAROL, "password": FORGOTTEN})
    assert answer.status_code == 403
    assert "This account is locked" in answer.text
    follow_newest(scene)


def consent(scene: Scene) -> None:
    sign_in(scene)
    assert (
        scene.browser.submit("/account/consent", {"consent": "1"}, form="/account/consent").status_code == 303
    )


def sign_in(scene: Scene) -> None:
    if scene.browser.get("/account/profile").status_code == 302 or scene.state() == "without consent":
        scene.browser.submit("/signin", {"username": CAROL, "password": scene.password})


def ask_an_operator(scene: Scene) -> None:
    before = len(scene.mailbox.all(to=CAROL))
    answer = scene.browser.submit("/signin", {"username": CAROL, "password": FORGOTTEN})
    assert "This account is blocked" in answer.text
    for path in ("/signup", "/password/forgot"):
        scene.browser.submit(path, {"email": CAROL})
    mails = scene.mailbox.all(to=CAROL)[before:]
    assert not [mail for mail in mails if "/password/reset/" in mail.text or "/confirm/" in mail.text]


def mail_a_link(scene: Scene) -> None:
    scene.operate("mail-link")
    follow_newest(scene)


def unblock(scene: Scene) -> None:
    scene.operate("unblock")


def nothing(scene: Scene) -> None:
    path = f"/admin/accounts/{scene.account_id}/mail-link"
    sue = scene.new_client()
    scene.cast.sue.sign_in(sue)
    assert sue.get(path).status_code == 404
    words = ["account", "mail-link", str(scene.account_id), "--reason", "she called"]
    assert scene.app.test_cli_runner().invoke(args=words).exit_code == 1


def both(*ways: Callable[[Scene], None]) -> Callable[[Scene], None]:
    def walk(scene: Scene) -> None:
        for way in ways:
            way(scene)

    return walk


WALK: dict[str, Callable[[Scene], None]] = {
    "follow the link": follow_newest,
    "sign up again": sign_up_again,
    "sign in": sign_in,
    "forgotten password": forgotten,
    "sign in and consent": consent,
    "forgotten password and consent": both(forgotten, consent),
    "mail a link and consent": both(mail_a_link, consent),
    "sign in for a new link": sign_in_for_link,
    "ask an operator": ask_an_operator,
    "mail a link": mail_a_link,
    "unblock": unblock,
    "unblock and mail a link": both(unblock, mail_a_link),
    "nothing": nothing,
}


def cases() -> list[tuple[str, str, str, str, str, bool]]:
    """Each way by page, and those of operators on the command line too."""
    found = []
    for state, which, who, way, then in WAYS:
        found.append((state, which, who, way, then, True))
        if who == "operator":
            found.append((state, which, who, way, then, False))
    return found


@pytest.fixture
def scene(
    app: Flask,
    cast: Cast,
    mailbox: Mailbox,
    database: Database,
    clock: Clock,
    new_client: Callable[[], PageChecker],
) -> Scene:
    """Carol and the operators."""
    return Scene(app, cast, mailbox, database, clock, new_client)


@pytest.mark.parametrize(
    ("state", "which", "who", "way", "then", "by_page"),
    cases(),
    ids=[f"{s}: {w}, {who}: {way}{'' if page else ' (command line)'}" for s, w, who, way, _, page in cases()],
)
def test_each_way_leads_where_the_document_says(
    scene: Scene, state: str, which: str, who: str, way: str, then: str, by_page: bool
) -> None:
    scene.by_page = by_page
    ARRANGE[(state, which)](scene)
    assert scene.state() == ("removed" if which == "nobody confirmed it for a week" else state)
    for gone in ("/account/keys", "/account/profile"):
        assert scene.browser.get(gone).status_code == 302, "she is signed in nowhere"

    WALK[way](scene)

    assert scene.state() == then
    if then == "active":
        sign_in(scene)
        wanted = {"name": "ci", "level": "1", "expires": "30"}
        page = scene.browser.page("/account/keys/new")
        assert page.select("form[action='/account/keys/new']"), "she can make a key"
        with scene.browser.expecting_secret():
            created = scene.browser.submit("/account/keys/new", wanted, form="/account/keys/new")
        assert created.status_code == 200


def test_every_state_has_a_way_for_the_owner_and_for_operators() -> None:
    assert {row[0] for row in TOLD} == STATES
    ways = {(state, who) for state, _which, who, _way, _then in WAYS}
    assert ways >= {(state, who) for state in STATES for who in ("owner", "operator")}
    leads = {(state, who) for state, _which, who, _way, then in WAYS if then == "active"}
    assert {(state, "operator") for state in STATES - {"removed"}} <= leads
    assert {(state, "owner") for state in STATES - {"blocked"}} <= leads


def test_every_row_is_walked_and_nothing_else() -> None:
    assert {(row[0], row[1]) for row in WAYS} == set(ARRANGE)
    assert {row[3] for row in WAYS} == set(WALK)
    assert {row[4] for row in WAYS} <= STATES
