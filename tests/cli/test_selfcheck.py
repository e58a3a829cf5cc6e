"""The promises that can be run: they hold here, and a rule that is broken is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from flask_wtf import CSRFProtect
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock as times
from portal.http import gate
from portal.models import ApiKey
from portal.promises import PROMISES
from portal.selfcheck import scratch as scratches
from portal.selfcheck.run import CHECKS
from portal.selfcheck.scratch import NAME, Scratch
from portal.services import (
    audit,
    doorkeeper,
    excess,
    issuing,
    key_lists,
    keys,
    leaks,
    limits,
    networks,
    operators,
    outbox,
    proofs,
    rotation,
    secrets,
    verification,
)
from portal.services.call_leases import UNLIMITED
from portal.services.call_limits import CallLimits
from portal.services.verification import Outcome
from tests.support.client import PageChecker
from tests.support.databases import Database
from tests.test_assurance import names_in

Break = Callable[[pytest.MonkeyPatch], None]


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["selfcheck", *words])


def state(app: Flask) -> dict[str, tuple[bool, bool]]:
    """Of each promise that was run here: whether it held, and whether it ever did."""
    with app.app_context():
        return {name: (each.held, each.proved_at is not None) for name, each in proofs.list_proofs().items()}


@pytest.mark.parametrize("promise", PROMISES.values(), ids=list(PROMISES))
def test_each_promise_has_its_sentence_its_test_and_its_check(promise: object) -> None:
    id_, sentence, test = promise  # type: ignore[misc]  # a NamedTuple
    path, _colons, name = test.partition("::")

    assert len(id_) <= 40
    assert sentence.endswith(".")
    assert name in names_in(path)
    assert id_ in CHECKS


def test_nothing_is_checked_that_is_not_promised() -> None:
    assert set(CHECKS) == set(PROMISES)


def test_every_promise_holds_and_nothing_of_the_installation_is_touched(
    app: Flask, database: Database, instance: Path
) -> None:
    tables, files = database.rows(), sorted(instance.rglob("*"))
    before = times.now_ms()

    result = run(app)

    assert (result.exit_code, result.stderr) == (0, ""), result.output
    lines = result.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", name] for name in PROMISES]
    assert lines[-1].startswith(f"{len(PROMISES)} of {len(PROMISES)} promises held, in ")
    assert state(app) == dict.fromkeys(PROMISES, (True, True))
    assert database.rows() | {"promise_proofs": []} == tables
    assert [path for path in sorted(instance.rglob("*")) if path not in files] == []
    assert schemas(database) == []
    assert times.now_ms() - before < 3_600_000, "the clock runs on as before"


def schemas(database: Database) -> list[str]:
    if database.kind == "sqlite":
        return []
    rows = database.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE :name", name=f"{NAME}%")
    return [row[0] for row in rows]


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
        strict = verification.outcome_of

        def let_in(*args: object) -> Outcome:
            told = strict(*args)  # type: ignore[arg-type]
            return Outcome.GOOD if told in outcomes else told

        patch.setattr(verification, "outcome_of", let_in)

    return break_it


def told_too_much(patch: pytest.MonkeyPatch) -> None:
    """Write the secret into the mail that tells of a new key."""
    issue = keys.issue

    def issue_and_tell(session: object, *args: object, **more: object) -> object:
        key, secret = issue(session, *args, **more)  # type: ignore[arg-type]
        account = args[1]
        outbox.enqueue_to(
            session, account, outbox.MailKind.KEYS_REVOKED, reason="owner", keys=1, names=[secret]
        )  # type: ignore[arg-type]
        return key, secret

    patch.setattr(keys, "issue", issue_and_tell)


def instead(*changes: tuple[object, str, object]) -> Break:
    """Put something else in the place of a part of the portal."""

    def break_it(patch: pytest.MonkeyPatch) -> None:
        for owner, name, other in changes:
            patch.setattr(owner, name, other)

    return break_it


def nothing(*_args: object, **_more: object) -> None:
    """Do nothing."""


def yes(*_args: object, **_more: object) -> bool:
    """Agree."""
    return True


def anybodys(_account_id: int, key_id: UUID) -> object:
    """A key, whosever it is."""
    return select(ApiKey).where(ApiKey.id == key_id)


def recorded_early(session: Session, *args: object, **more: object) -> None:
    """Write the record before the rest of the act is done."""
    record(session, *args, **more)  # type: ignore[arg-type]
    session.commit()


record = audit.record
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
    "longest-life": (instead((issuing, "check_wanted", nothing)), ""),
    "one-key": (instead((keys, "refuse_second", nothing)), ""),
    "at-once": (
        instead((verification.SqliteReader, "kept", lambda self, asked: self._kept.get(asked))),
        "after a DELETE a key was answered with",
    ),
    "role-falls": (instead((keys, "revoke_all", nothing)), "its keys must be revoked first"),
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
        instead((excess.keys, "revoke_all", nothing)),
        "end at 5: answered with good",
    ),
    "look-alike": (instead((secrets, "matches", yes)), "answered in another way"),
    "harmless": (instead((limits, "failed_key_check", lambda _: limits.YES)), "failed checks was not slowed"),
    "anothers": (instead((key_lists, "owned", anybodys)), "is there"),
    "forged-forms": (instead((CSRFProtect, "protect", nothing)), "without its token was answered with"),
    "other-hosts": (instead((gate, "is_own_authority", yes)), "was served to another host"),
    "recorded": (instead((audit, "record", nothing)), "left 0 lines in the record"),
    "together": (instead((audit, "record", recorded_early)), "making a key was half done when its write"),
    "last-admin": (instead((operators, "refuse_last_admin", nothing)), " admin"),
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


def test_what_no_longer_holds_keeps_the_time_when_it_did(app: Flask, client: PageChecker) -> None:
    with app.app_context():
        proofs.note_run({"expiry": True, "race": True})
        proofs.note_run({"expiry": False})

    assert state(app) == {"expiry": (False, True), "race": (True, True)}
    page = client.get("/promises").text
    assert "One promise is broken here" in page
    assert page.count("Broken</span>") == 1


def test_the_page_tells_what_was_never_tried(app: Flask, client: PageChecker) -> None:
    page = client.get("/promises").text

    assert "Not everything is proved here yet" in page
    assert page.count("Not tried</span>") == len(PROMISES)
    assert all(promise.test in page for promise in PROMISES.values())


def test_a_program_reads_it_as_json(app: Flask) -> None:
    told = json.loads(run(app, "expiry", "longest-life", "--json").stdout)

    assert told["held"]
    assert [(each["id"], each["held"]) for each in told["promises"]] == [
        ("expiry", True),
        ("longest-life", True),
    ]


def test_it_says_so_when_the_result_can_not_be_kept(app: Flask, database: Database) -> None:
    database.execute("DROP TABLE promise_proofs")

    result = run(app, "expiry")

    assert result.exit_code == 1
    assert result.stdout.startswith("ok")
    assert "could not be kept" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nothing_is_left_when_somebody_ends_it(
    app: Flask, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(_stage: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(CHECKS, "expiry", interrupted)
    monkeypatch.setattr(scratches.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    assert run(app, "expiry").exit_code == 1
    assert list((tmp_path / "temporary").iterdir()) == []
    assert schemas(database) == []
    assert state(app) == {}


@pytest.mark.postgresql_only(reason="SQLite has no schemas; its folder is the system's to clean")
def test_what_a_killed_run_left_is_removed_and_what_another_run_uses_is_not(
    app: Flask, database: Database
) -> None:
    left, used, other = f"{NAME}{'0' * 16}", f"{NAME}{'1' * 16}", f"{NAME}of_somebody_else"
    for name in (left, used, other):
        database.execute(f"CREATE SCHEMA {name}")
    database.execute(f"CREATE TABLE {left}.accounts (id int)")
    with database.connect() as connection:
        lock = f"SELECT pg_advisory_lock({scratches.LOCK}, hashtext('{used}'))"
        connection.exec_driver_sql(lock)
        assert run(app, "expiry").exit_code == 0

    assert sorted(schemas(database)) == sorted([used, other])
    for name in (used, other):
        database.execute(f"DROP SCHEMA {name}")


@pytest.mark.postgresql_only(reason="SQLite knows no rights")
def test_without_the_right_to_make_a_schema_it_says_which(app: Flask, database: Database) -> None:
    database.execute("CREATE ROLE narrow LOGIN")
    database.execute("GRANT USAGE ON SCHEMA public TO narrow")
    try:
        settings = app.config["PORTAL"]
        object.__setattr__(settings, "database_url", database.url.replace("portal@", "narrow@", 1))
        result = run(app, "expiry")
    finally:
        database.execute("DROP OWNED BY narrow")
        database.execute("DROP ROLE narrow")

    assert result.exit_code == 1
    assert "GRANT CREATE ON DATABASE" in result.stderr


def test_a_clock_in_hand_stands_still_and_goes_forward_only() -> None:
    with times.taken_in_hand() as hands:
        before = times.now_ms()
        hands.forward(days=400, milliseconds=1)
        assert times.now_ms() == before + 400 * 86_400_000 + 1
        with pytest.raises(ValueError, match="backwards"):
            hands.forward(seconds=-1)
        with pytest.raises(RuntimeError), times.taken_in_hand():
            pass
        assert times.now_ms() > before

    assert times.now_ms() - before < 3_600_000
