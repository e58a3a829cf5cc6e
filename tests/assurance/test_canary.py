"""Known markers go through the whole portal, and turn up only where they belong (rows 32 and 45)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import MakeKey, StartServer
from tests.support.cast import Cast
from tests.support.databases import Database
from tests.support.mailbox import LINK, Mail
from tests.support.server import Server
from tests.support.wire import Answer, Wire, basic, path_of

EMAIL = "carol@example.org"
FIRST_PASSWORD = "canary-first-password-4711"
SECOND_PASSWORD = "canary-second-password-4712"
WRONG_PASSWORD = "canary-wrong-password-4713"
WRONG_SECRET = "chk_" + "Canary7" * 7
FORGED = '\r\n{"event": "forged-line", "level": "error"}\x1b[31mred\x07'
FORGED_TEXT = ("forged-line", "\x1b", "\x07")


class Story:
    """One person's way through the portal that is shipped; keeps everything that is secret."""

    def __init__(self, server: Server) -> None:
        self.server, self.wire = server, Wire(server.port)
        self.secrets = {
            "first password": FIRST_PASSWORD,
            "second password": SECOND_PASSWORD,
            "wrong password": WRONG_PASSWORD,
            "wrong secret": WRONG_SECRET,
        }
        self.links: dict[str, str] = {}
        self.answers: list[Answer] = []

    def keep(self, answer: Answer, status: int) -> Answer:
        assert answer.status == status, f"{answer.status} instead of {status}"
        self.answers.append(answer)
        return answer

    def follow_link(self, part: str) -> str:
        """The path of the link that was mailed; its token is secret."""
        path = path_of(self.server.mailbox.last(to=EMAIL).link(part))
        self.links[part] = self.secrets[f"token of {part}"] = path.rpartition("/")[2]
        return path

    def keep_session(self, name: str) -> None:
        self.secrets[f"cookie {name}"] = cookie = self.wire.cookies["session"]
        assert len(cookie) > 60

    def run(self) -> None:
        """Sign up, confirm, make keys by page and by API, go wrong, reset, and end it all."""
        wire = self.wire
        self.keep(wire.submit("/signup", {"email": EMAIL}), 303)
        given = {"password": FIRST_PASSWORD, "consent": "1"}
        self.keep(wire.submit(self.follow_link("/confirm/"), given), 303)
        self.keep_session("after sign-up")
        wanted = {"name": "canary", "level": "4", "expires": "30"}
        shown = self.keep(wire.submit("/account/keys/new", wanted, form="/account/keys/new"), 200)
        [secret] = set(re.findall(r"chk_[0-9A-Za-z]{49}", shown.text))
        [key] = set(re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", shown.text))
        self.secrets["secret of the page"] = secret
        self.use(key, secret)
        self.go_wrong(key, secret)
        self.sign_in_again()

    def use(self, key: str, secret: str) -> None:
        with Wire(self.server.port) as script:
            self.keep(script.get("/api/whoami/key", **basic(key, secret)), 200)
            self.keep(script.get("/api/whoami/key", Authorization=f"Bearer {secret}"), 200)
            wanted = {"name": "second", "level": 1, "expiresIn": 60}
            answer = script.send_json("POST", "/api/apikeys/key", wanted, **basic(key, secret))
            self.secrets["secret of the API"] = answer.json["apikey"]["secret"]
            credentials = {"username": EMAIL, "password": FIRST_PASSWORD}
            jwt = script.send_json("POST", "/api/signin", credentials).json["token"]
            self.secrets["JWT"] = jwt
            self.keep(script.get("/api/account/jwt", Authorization=f"Bearer {jwt}"), 200)
            leak = {
                "secrets": [self.secrets["secret of the API"]],
                "url": f"https://x.example/{secret}{FORGED}",
            }
            self.keep(script.send_json("POST", "/api/leaks", leak), 202)
            for name in ("access_token", "token", "apikey", "secret"):
                self.keep(script.get(f"/api/whoami/key?{name}={secret}", **basic(key, secret)), 400)
                self.keep(script.get(f"/api/whoami/jwt?{name}={jwt}"), 400)

    def go_wrong(self, key: str, secret: str) -> None:
        with Wire(self.server.port) as script:
            self.keep(script.get("/api/whoami/key", **basic(key, WRONG_SECRET)), 401)
            self.keep(script.get("/api/whoami/key", Authorization=f"Bearer {WRONG_SECRET}"), 401)
            self.keep(script.get(f"/confirm/{self.links['/confirm/']}"), 410)
            self.keep(script.get(f"/api/nothing/{quote(FORGED)}"), 404)
            self.keep(script.get(f"/nothing/{quote(FORGED)}?x={quote(FORGED)}"), 404)
            agent = {"User-Agent": "forged-line \x1b[31m\x07", "Accept-Language": "\x1b[31m"}
            self.keep(script.get("/nowhere", **agent), 400)
            body = {"email": f"eve{FORGED}@example.org", "language": "en"}
            self.keep(script.send_json("POST", "/api/signup", body), 400)
            body = {"username": f"eve{FORGED}", "password": WRONG_PASSWORD}
            self.keep(script.send_json("POST", "/api/signin", body), 401)
            wanted = {"name": f"x{FORGED}", "level": 1, "expiresIn": 60}
            self.keep(script.send_json("POST", "/api/apikeys/key", wanted, **basic(key, secret)), 400)
        with Wire(self.server.port) as browser:
            fields = {"username": FORGED, "password": WRONG_PASSWORD}
            self.keep(browser.submit("/signin", fields), 422)
            self.keep(browser.submit("/signup", {"email": f"eve{FORGED}@example.org"}), 422)
            self.keep(browser.submit("/password/forgot", {"email": FORGED}), 422)

    def sign_in_again(self) -> None:
        wire = self.wire
        self.keep(wire.submit("/password/forgot", {"email": EMAIL}), 303)
        self.keep(wire.submit(self.follow_link("/password/reset/"), {"password": SECOND_PASSWORD}), 303)
        self.keep(wire.submit("/signin", {"username": EMAIL, "password": SECOND_PASSWORD}), 303)
        self.keep_session("after the reset")
        self.keep(wire.submit("/account/security/lock", {"current_password": SECOND_PASSWORD}), 303)
        self.follow_link("/unlock/")
        wire.close()


def stored_files(database: Database) -> bytes:
    """The bytes of the database's files, where it has some: what was deleted may still stand there."""
    if database.kind != "sqlite":
        return b""
    path = Path(database.url.removeprefix("sqlite:///"))
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def written(mails: list[Mail]) -> str:
    return "\n".join(f"{mail.message}{mail.text}{mail.html}" for mail in mails)


@pytest.mark.timeout(180)
def test_what_is_secret_is_nowhere_else(
    database: Database, start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    server = start_server(PORTAL_LOG_LEVEL="debug")
    story = Story(server)
    story.run()
    scraper = make_key(cast.ada, level=6)
    with Wire(server.port) as wire:
        metrics = wire.get("/metrics", **scraper.headers)
    mails = server.mailbox.all(to=EMAIL)
    server.stop()

    assert metrics.status == 200
    places = {
        "the database": database.dump(),
        "the files of the database": stored_files(database).decode("latin-1"),
        "the log": server.output(),
        "the metrics": metrics.text,
    }
    for what, secret in story.secrets.items():
        for where, text in places.items():
            assert secret not in text, f"the {what} is in {where}"
            assert secret.encode().hex() not in text, f"the {what} is in {where}"
    check_mails(story, mails)
    check_log(server.output())
    check_urls(story)


def check_mails(story: Story, mails: list[Mail]) -> None:
    """A link's token stands in its own mail, everything else in none."""
    assert len(mails) >= 5
    for mail in mails:
        links = LINK.findall(mail.text)
        tokens = [token for token in story.links.values() if token in written([mail])]
        assert len(tokens) <= 1
        assert all(any(token in link for link in links) for token in tokens)
    rest = {what: secret for what, secret in story.secrets.items() if secret not in story.links.values()}
    for what, secret in rest.items():
        assert secret not in written(mails), f"the {what} is in a mail"


def check_log(output: str) -> None:
    """Each line is one event of ours; nothing that was sent begins a line of its own."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    assert len(lines) >= 10
    for line in lines:
        event = json.loads(line)
        assert event["event"] != "forged-line"
    assert not any(mark in output for mark in FORGED_TEXT[1:])


def check_urls(story: Story) -> None:
    """No answer sends anybody to an address that holds a secret."""
    for answer in story.answers:
        location = answer.headers.get("Location", "")
        assert not any(secret in location for secret in story.secrets.values()), location
