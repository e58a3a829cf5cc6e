"""Each rule is broken once on purpose, and the self-check says so."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from uuid import UUID, uuid4

import pytest
from flask import Flask, g
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.http import request_guard
from portal.http.cookies import FormTokens
from portal.models import Account, ApiKey
from portal.selfcheck.scratch import Scratch
from portal.services.abuse import excess, leaks
from portal.services.auth import admission, sessions
from portal.services.calls.leases import UNLIMITED
from portal.services.calls.limits import CallLimits
from portal.services.core import audit
from portal.services.core.errors import InvalidInput
from portal.services.core.outcomes import Outcome
from portal.services.core.sent_forms import Form
from portal.services.keys import creation, issuing, networks, quotas, revocation, rotation, secrets
from portal.services.keys import queries as key_queries
from portal.services.mail import outbox, tokens
from portal.services.operators import actions
from portal.services.ratelimits import counters, questions
from portal.services.verify import doorkeeper
from portal.services.verify import verifier as verify_verifier
from portal.services.verify.key_record import VerifiedKey
from portal.services.verify.sqlite_reader import SqliteReader
from tests.cli.test_selfcheck import run, schemas, state
from tests.support.databases import Database

Break = Callable[[pytest.MonkeyPatch], None]


def without(trigger: str, table: str) -> Break:
    """Leave a guard out of the scratch database, as a wrong migration would."""

    def break_it(patch: pytest.MonkeyPatch) -> None:
        migrate = Scratch.migrate

        def migrated_wrongly(self: Scratch) -> None:
            migrate(self)
            on = "" if self.engine.dialect.name == "sqlite" else f" ON {table}"
            with self.engine.connect().execution_options(portal_writes=True) as connection:
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}{on}")
                connection.commit()

        patch.setattr(Scratch, "migrate", migrated_wrongly)

    return break_it


def lenient(*outcomes: Outcome) -> Break:
    """Let keys in that are refused for one of these reasons."""

    def break_it(patch: pytest.MonkeyPatch) -> None:
        strict = verify_verifier.outcome_of

        def let_in(*args: object) -> Outcome:
            told = strict(*args)  # type: ignore[arg-type]
            return Outcome.GOOD if told in outcomes else told

        patch.setattr(verify_verifier, "outcome_of", let_in)

    return break_it


def told_too_much(patch: pytest.MonkeyPatch) -> None:
    """Write the secret into the mail that tells of a new key."""
    issue = creation.issue

    def issue_and_tell(session: object, *args: object, **more: object) -> object:
        key, secret = issue(session, *args, **more)  # type: ignore[arg-type]
        account = args[1]
        outbox.enqueue_to(
            session, account, outbox.MailKind.KEYS_REVOKED, reason="owner", keys=1, names=[secret]
        )  # type: ignore[arg-type]
        return key, secret

    patch.setattr(creation, "issue", issue_and_tell)


def instead(*changes: tuple[object, str, object]) -> Break:
    """Put something else in the place of a part of the portal."""

    def break_it(patch: pytest.MonkeyPatch) -> None:
        for owner, name, other in changes:
            patch.setattr(owner, name, other)

    return break_it


def never_reading_again(reader: SqliteReader, digest: bytes) -> VerifiedKey | None:
    """Believe what was read once for ever."""
    return reader._kept.get(digest) or reader._read(reader._connection or reader._open(), digest)


def particular(
    verifier: verify_verifier.Verifier, _key_id: str, secret: str, address: str | None = None
) -> verify_verifier.Decision:
    """Tell what is wrong with a secret that is not well formed."""
    if not secrets.is_well_formed(secret, "chk"):
        raise InvalidInput("fieldInvalid", "secret")
    return verifier.decide_secret(secret, address)


def raw(token: str) -> bytes:
    """Keep of a mailed link what it is."""
    return token.encode()[:32].ljust(32)


def any_form(*_: object) -> None:
    """Let a form in without its token, past the form's own look at it too."""
    g.csrf_valid = True


def nothing(*_args: object, **_more: object) -> None:
    """Do nothing."""


def yes(*_args: object, **_more: object) -> bool:
    """Agree."""
    return True


def anybodys(_account_id: int, key_id: UUID) -> object:
    """A key, whosever it is."""
    return select(ApiKey).where(ApiKey.id == key_id)


def recorded_early(session: Session, *args: object, **more: object) -> None:
    """Write the audit log before the rest of the act is done."""
    log_event(session, *args, **more)  # type: ignore[arg-type]
    session.commit()


log_event = audit.log_event
IN_THE_DATABASE: dict[str, tuple[Break, str]] = {
    "immutable": (without("api_keys_immutable", "api_keys"), "let id be changed"),
    "level-role": (without("api_keys_owner", "api_keys"), "the database let a user have level 5"),
    "level-maker": (
        without("api_keys_maker", "api_keys"),
        "let a key exceed its maker in level",
    ),
    "for-good": (without("api_keys_revoked", "api_keys"), "of a revoked key be changed"),
    "append-only": (without("audit_events_kept", "audit_events"), "DELETE FROM audit_events"),
    "secret-once": (told_too_much, "a secret stands in the table outbox"),
}
OUTSIDE: dict[str, tuple[Break, str]] = {
    "expiry": (lenient(Outcome.EXPIRED), "at the second of its expiry a key was answered with good"),
    "longest-life": (instead((issuing, "check_spec", nothing)), ""),
    "capped": (
        instead((quotas, "refuse_one_more", nothing)),
        "14 at one moment made 14 keys where 10 may be",
    ),
    "one-key": (
        instead((creation, "refuse_second", nothing), (Form, "number_for", lambda *_: uuid4())),
        "a double click lost the secret, or showed another one",
    ),
    "at-once": (
        instead((SqliteReader, "find", never_reading_again)),
        "after a DELETE a key was answered with",
    ),
    "role-falls": (instead((revocation, "revoke_all", nothing)), "its keys must be revoked first"),
    "blocked": (lenient(Outcome.REVOKED), "afterwards a key was answered with"),
    "leaked": (instead((leaks, "_revoke", nothing)), "still works"),
    "rotated": (
        instead((rotation, "retirement", lambda key, _overlap, _now: key.expires_at)),
        "after the overlap the two keys were answered with",
    ),
    "alike": (lenient(Outcome.REVOKED), "answered good where apikeyRevoked is right"),
    "bound": (instead((networks, "allows", yes)), "answered good where addressNotAllowed is right"),
    "levels": (
        instead((doorkeeper, "_reaches", yes)),
        "at level 1 answered a key of 0 with good",
    ),
    "exact": (instead((CallLimits, "take", lambda *_: UNLIMITED)), "of 80 calls 80 passed, where 40 may"),
    "service-keys": (instead((doorkeeper, "_reaches", yes)), "/api/whoami/key answered a service key"),
    "excess-ladder": (
        instead((excess.revocation, "revoke_all", nothing)),
        "end at 5: answered with good",
    ),
    "sessions": (instead((sessions, "end_all", nothing)), "after a block was undone a session went on"),
    "links": (instead((tokens, "hash_token", raw)), "a secret stands in the table mail_tokens"),
    "look-alike": (instead((verify_verifier.Verifier, "decide", particular)), "answered in another way"),
    "harmless": (
        instead((questions, "count_failed_key_check", lambda _: counters.YES)),
        "failed checks was not slowed",
    ),
    "anothers": (instead((key_queries, "owned", anybodys)), "is there"),
    "forged-forms": (instead((FormTokens, "protect", any_form)), "without its token was answered with"),
    "other-hosts": (instead((request_guard, "is_own_authority", yes)), "was served to another host"),
    "recorded": (instead((audit, "log_event", nothing)), "left 0 lines in the record"),
    "together": (instead((audit, "log_event", recorded_early)), "making a key was half done when its write"),
    "last-admin": (instead((actions, "refuse_last_admin", nothing)), " admin"),
}


@pytest.mark.parametrize("name", IN_THE_DATABASE)
def test_a_rule_that_the_database_no_longer_holds_is_told(
    app: Flask, monkeypatch: pytest.MonkeyPatch, database: Database, name: str
) -> None:
    hold_told(app, monkeypatch, name, *IN_THE_DATABASE[name])
    assert schemas(database) == []


@pytest.mark.sqlite_only(reason="what the portal itself does wrong, it does on both databases")
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_rule_that_the_portal_no_longer_holds_is_told(
    app: Flask, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    hold_told(app, monkeypatch, name, *OUTSIDE[name])


def hold_told(app: Flask, patch: pytest.MonkeyPatch, name: str, break_it: Break, why: str) -> None:
    with patch.context() as broken:
        break_it(broken)
        result = run(app, name)

    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].split()[:2] == ["BROKEN", name]
    assert result.stderr.startswith(f"{name}: ")
    assert why in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 1
    assert state(app) == {name: (False, False)}


@pytest.mark.postgresql_only(reason="SQLite lets one write at a time, whatever is forgotten")
def test_a_race_that_nobody_holds_is_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(session: Session, account_id: int) -> Account | None:
        return session.get(Account, account_id, populate_existing=True)

    def slow(*_: object) -> None:
        sleep(0.5)  # the role falls, and what was read of it is believed

    def break_it(patch: pytest.MonkeyPatch) -> None:
        for trigger, table in (("api_keys_owner", "api_keys"), ("accounts_keys", "accounts")):
            without(trigger, table)(patch)
        patch.setattr(admission, "get_account_for_update", unlocked)
        patch.setattr(creation, "refuse_second", slow)

    hold_told(app, monkeypatch, "race", break_it, "were left above the role")
