"""The commands about accounts, as an operator types them (contract: exit codes, one line, no traceback)."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result
from flask import Flask

from portal.cli import accounts, whoever
from portal.extensions import db
from portal.models import Account, AccountStatus, Action, ActorKind, Consent
from portal.permissions import Role
from portal.services.auth import passwords
from portal.services.core import audit
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.databases import ROOT, Database, Databases
from tests.support.settings import settings_for

PASSWORD = "lantern-orchard-quiet-58"


def run(app: Flask, *words: str, stdin: str | None = None) -> Result:
    """Run a command in the application's own context, as the shell does."""
    return app.test_cli_runner().invoke(args=list(words), input=stdin)


def refused(result: Result, *, code: int = 1) -> str:
    """The one line on standard error of a command that did not do it."""
    assert result.exit_code == code
    assert result.stdout == ""
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def account_of(app: Flask, email: str) -> Account:
    with app.app_context():
        account = db.session.query(Account).filter_by(lemail=email).one()
        db.session.expunge(account)
        return account


def last_event(app: Flask, action: Action) -> audit.AuditEvent:
    with app.app_context():
        event = audit.list_events(action=action)[0]
        db.session.expunge(event)
        return event


class TestCreating:
    def test_the_account_is_active_with_consent_and_its_password_works(self, app: Flask) -> None:
        result = run(app, "account", "create", "Zoe@example.org", "--role", "support", "--password-stdin",
                     stdin=f"{PASSWORD}\nanother line\n")  # fmt: skip
        assert result.exit_code == 0, result.output
        assert result.stdout.split("\t")[1:2] == ["Zoe@example.org"]
        account = account_of(app, "zoe@example.org")
        assert (account.role, account.status, account.consent) == (
            Role.SUPPORT,
            AccountStatus.ACTIVE,
            Consent.PROCESSING,
        )
        assert passwords.verify_password(account.password_hash, PASSWORD)
        assert last_event(app, Action.ACCOUNT_CREATED).actor_kind is ActorKind.COMMAND_LINE

    def test_a_role_is_a_user_unless_it_is_said(self, app: Flask) -> None:
        run(app, "account", "create", "zoe@example.org", "--password-stdin", stdin=PASSWORD)
        assert account_of(app, "zoe@example.org").role is Role.USER

    @pytest.mark.parametrize(
        ("email", "password", "says"),
        [
            ("zoe@example.org", "", "too short"),
            ("zoe@example.org", "short", "too short"),
            ("not-an-address", PASSWORD, "This email isn't valid"),
            ("ALICE@example.org", PASSWORD, "This email belongs to an account already"),
        ],
    )
    def test_what_cannot_be_is_said_in_one_line(
        self, app: Flask, cast: Cast, email: str, password: str, says: str
    ) -> None:
        line = refused(run(app, "account", "create", email, "--password-stdin", stdin=f"{password}\n"))
        assert says in line

    def test_a_password_is_no_argument(self, app: Flask) -> None:
        result = run(app, "account", "create", "zoe@example.org", "--password", PASSWORD)
        assert result.exit_code == 2
        assert account_is_missing(app, "zoe@example.org")

    def test_without_a_terminal_and_without_standard_input_it_says_what_to_do(self, app: Flask) -> None:
        result = run(app, "account", "create", "zoe@example.org", stdin=PASSWORD)
        assert "--password-stdin" in refused(result, code=2)

    @pytest.mark.parametrize("words", [("--password-stdin",), ()])
    def test_a_closed_standard_input_is_told(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
    ) -> None:
        monkeypatch.setattr(accounts, "sys", SimpleNamespace(stdin=None))
        line = refused(run(app, "account", "create", "zoe@example.org", *words), code=2)
        assert "Standard input is closed" in line or "--password-stdin" in line

    def test_bytes_that_are_no_text_are_refused(self, app: Flask) -> None:
        result = app.test_cli_runner().invoke(
            args=["account", "create", "zoe@example.org", "--password-stdin"],
            input=b"\xff\xfe violet harbour\n",
        )
        assert "isn't valid UTF-8" in refused(result)

    @pytest.mark.sqlite_only(reason="a terminal has nothing to do with the database")
    def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(
        self, app: Flask, database: Database, instance: Path
    ) -> None:
        master, slave = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "account", "create", "zoe@example.org"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **settings_for(database.url, instance)},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        shown = b""
        with os.fdopen(master, "rb+", buffering=0) as terminal:
            for _ in range(2):
                while not shown.endswith(b": "):
                    shown += terminal.read(1)
                terminal.write(f"{PASSWORD}\n".encode())
                shown += b"|"
            with contextlib.suppress(OSError):
                while more := terminal.read(1024):
                    shown += more
        assert process.wait(30) == 0, shown
        assert PASSWORD.encode() not in shown
        assert account_of(app, "zoe@example.org").status == AccountStatus.ACTIVE

    def test_an_unknown_role_is_refused(self, app: Flask) -> None:
        result = run(app, "account", "create", "zoe@example.org", "--role", "king", "--password-stdin",
                     stdin=PASSWORD)  # fmt: skip
        assert "king" in refused(result, code=2)
        assert account_is_missing(app, "zoe@example.org")


def account_is_missing(app: Flask, email: str) -> bool:
    with app.app_context():
        return db.session.query(Account).filter_by(lemail=email).one_or_none() is None


class TestActing:
    def test_set_role_changes_it(self, app: Flask, cast: Cast) -> None:
        result = run(app, "account", "set-role", cast.alice.email, "curator", "--reason", "knows patterns")
        assert result.exit_code == 0, result.output
        assert account_of(app, cast.alice.email).role is Role.CURATOR
        assert last_event(app, Action.ACCOUNT_ROLE_CHANGED).reason == "knows patterns"

    def test_block_and_unblock(self, app: Flask, cast: Cast) -> None:
        blocked = run(app, "account", "block", cast.alice.email, "--reason", "spam")
        assert (blocked.exit_code, "blocked" in blocked.stdout) == (0, True)
        assert account_of(app, cast.alice.email).status == AccountStatus.BLOCKED
        assert last_event(app, Action.ACCOUNT_BLOCKED).reason == "spam"
        assert run(app, "account", "unblock", cast.alice.email).exit_code == 0
        assert account_of(app, cast.alice.email).status == AccountStatus.ACTIVE
        assert last_event(app, Action.ACCOUNT_UNBLOCKED).reason == accounts.UNSAID

    def test_name_and_number_name_an_account_too(self, app: Flask, cast: Cast) -> None:
        assert run(app, "account", "block", "alice").exit_code == 0
        assert run(app, "account", "block", str(cast.bob.account_id)).exit_code == 0
        assert account_of(app, cast.bob.email).status == AccountStatus.BLOCKED

    @pytest.mark.parametrize(
        "words", [("block", "nobody@example.org"), ("set-role", "nobody@example.org", "user")]
    )
    def test_an_unknown_account_is_refused(self, app: Flask, words: tuple[str, ...]) -> None:
        assert "nothing here" in refused(run(app, "account", *words))

    @pytest.mark.parametrize("words", [("block", "ada"), ("set-role", "ada", "support")])
    def test_the_last_admin_is_safe(self, app: Flask, cast: Cast, words: tuple[str, ...]) -> None:
        assert "last admin" in refused(run(app, "account", *words))

    def test_a_reason_that_is_too_long_is_refused(self, app: Flask, cast: Cast) -> None:
        line = refused(run(app, "account", "block", "alice", "--reason", "x" * 501))
        assert "500" in line


class TestWhoever:
    """The audit log tells who typed a command, on which machine, and why."""

    def test_user_sudo_and_host_stand_in_the_record(
        self, app: Flask, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SUDO_USER", "zoe\x1b[31m\u202e ")
        monkeypatch.setenv("USER", "somebody-else")
        monkeypatch.setenv("LOGNAME", "somebody-else")
        make_key(cast.alice)

        run(app, "account", "block", "alice", "--reason", "spam")
        run(app, "account", "list")

        shell = {
            "os_user": pwd.getpwuid(os.getuid()).pw_name, "sudo_user": "zoe[31m",
            "host": socket.gethostname(),
        }  # fmt: skip
        for action in (
            Action.ACCOUNT_BLOCKED, Action.KEY_REVOKED, Action.KEYS_REVOKED, Action.SESSIONS_ENDED,
            Action.ACCOUNTS_SEARCHED,
        ):  # fmt: skip
            assert last_event(app, action).details.items() >= shell.items(), action

    def test_a_user_without_a_name_is_told_by_number(
        self, app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SUDO_USER", raising=False)
        monkeypatch.setattr(whoever.os, "getuid", lambda: 4_000_111)

        run(app, "account", "block", "alice")

        details = last_event(app, Action.ACCOUNT_BLOCKED).details
        assert (details["os_user"], "sudo_user" in details) == ("4000111", False)

    @pytest.mark.parametrize(("typed", "kept"), [("spam again\n", "spam again"), ("\n", accounts.UNSAID)])
    def test_at_a_terminal_the_reason_is_asked_for(
        self, app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch, typed: str, kept: str
    ) -> None:
        monkeypatch.setattr(accounts, "at_a_terminal", lambda: True)

        assert run(app, "account", "block", "alice", stdin=typed).exit_code == 0

        assert last_event(app, Action.ACCOUNT_BLOCKED).reason == kept

    def test_the_owner_is_not_told_who_the_operator_was(
        self, app: Flask, cast: Cast, client: PageChecker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SUDO_USER", "zoe-the-operator")
        run(app, "account", "set-role", "alice", "tester", "--reason", "helps us")
        cast.alice.sign_in(client)

        page = client.get("/account/activity").text

        assert "helps us" in page
        assert "zoe-the-operator" not in page

    def test_consent_is_not_said_to_be_given_by_somebody_who_gave_none(
        self, app: Flask, client: PageChecker
    ) -> None:
        run(app, "account", "create", "zoe@example.org", "--password-stdin", stdin=PASSWORD)
        with app.app_context():
            assert audit.list_events(action=Action.CONSENT_GIVEN) == []
            [entered] = audit.list_events(action=Action.CONSENT_ENTERED)
            assert (entered.details["consent"], entered.details["version"]) == (1, None)
        client.submit("/signin", {"username": "zoe@example.org", "password": PASSWORD})
        assert "you haven't agreed yourself" in client.page("/account/consent").get_text()

        client.submit("/account/consent", {"consent": "1"})

        assert last_event(app, Action.CONSENT_GIVEN).details["version"]
        assert "you haven't agreed yourself" not in client.page("/account/consent").get_text()


class TestListing:
    def test_a_line_an_account_with_tabs_between(self, app: Flask, cast: Cast, make_key: MakeKey) -> None:
        make_key(cast.alice)
        result = run(app, "account", "list")
        assert result.exit_code == 0, result.output
        rows = [line.split("\t") for line in result.stdout.splitlines()]
        assert [row[1] for row in rows] == [person.email for person in cast]
        assert rows[0][2:6] == ["alice", "user", "active", "1"]
        assert {len(row) for row in rows} == {8}
        assert last_event(app, Action.ACCOUNTS_SEARCHED).actor_kind is ActorKind.COMMAND_LINE

    def test_it_can_be_narrowed(self, app: Flask, cast: Cast) -> None:
        run(app, "account", "block", "bobby")
        assert cast.ada.email in run(app, "account", "list", "--role", "admin").stdout
        blocked = run(app, "account", "list", "--status", "blocked").stdout.splitlines()
        assert [line.split("\t")[2] for line in blocked] == ["bobby"]
        assert run(app, "account", "list", "--status", "locked").stdout == ""


class TestTrouble:
    def test_a_database_without_tables_is_one_line(
        self, database: Database, databases: Databases, instance: Path
    ) -> None:
        with databases.empty(database.kind) as empty:
            result = subprocess.run(
                [sys.executable, "-m", "flask", "--app", "wsgi", "account", "list"],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", **settings_for(empty.url, instance)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        assert result.returncode == 1
        assert "flask db upgrade" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1

    @pytest.mark.sqlite_only(reason="the server that is away is not the test's own")
    def test_a_database_that_is_away_is_one_line(self, database: Database, make_app: MakeApp) -> None:
        app = make_app(PORTAL_DATABASE_URL="postgresql+psycopg://nobody:hush-hush@127.0.0.1:1/none")
        line = refused(run(app, "account", "list"))
        assert "can't be used" in line
        assert "hush-hush" not in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("account", "set-role", "alice"), "Missing argument"),
        (("account", "set-role", "alice", "king"), "king"),
        (("account", "open", "alice"), "open"),
        (("key", "revoke", "nonsense"), "nonsense"),
        (("key", "list", "--all"), "--all"),
        (("jobs", "run", "--twice"), "--twice"),
        (("selfcheck", "everything"), "everything"),
    ],
)
def test_what_is_typed_wrong_is_told_in_one_line(app: Flask, words: tuple[str, ...], says: str) -> None:
    line = refused(run(app, *words), code=2)

    assert says in line
    assert f"{words[0]} " in line
    assert "--help" in line


def test_a_group_alone_shows_its_help(app: Flask) -> None:
    result = run(app, "account")

    assert result.exit_code == 2
    assert "set-role" in result.output


@pytest.mark.parametrize(
    "words", [("account", "block", "alice", "--reason", "bad \udcff"), ("account", "unblock", "alic\udcff")]
)
def test_words_that_are_no_text_are_refused(app: Flask, cast: Cast, words: tuple[str, ...]) -> None:
    assert "isn't valid UTF-8" in refused(run(app, *words))
    assert account_of(app, cast.alice.email).status == AccountStatus.ACTIVE


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), UnicodeEncodeError("ascii", "ö", 0, 1, "no")]
)
def test_a_list_that_can_not_be_written_is_told(
    app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_cells: object) -> None:
        raise error

    monkeypatch.setattr(accounts, "row", fail)

    assert "Can't write the output" in refused(run(app, "account", "list"))
