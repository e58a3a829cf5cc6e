"""The promises that can be run: they hold here, and a rule that is broken is told."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from pydantic import SecretStr

from portal import clock as times
from portal.promises import PROMISES
from portal.selfcheck import installation
from portal.selfcheck import scratch as scratches
from portal.selfcheck.run import CHECKS
from portal.selfcheck.scratch import NAME
from portal.services.keys import revocation
from portal.services.system import selfcheck_results
from portal.version import running_version
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.past_guards import write_past_guards
from tests.test_assurance import names_in


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["selfcheck", *words])


def state(app: Flask) -> dict[str, tuple[bool, bool]]:
    """Of each promise that was run here: whether it held, and whether it ever did."""
    with app.app_context():
        return {
            name: (each.held, each.proved_at is not None)
            for name, each in selfcheck_results.list_proofs().items()
        }


@pytest.mark.parametrize("promise", PROMISES.values(), ids=list(PROMISES))
def test_each_promise_has_its_sentence_its_test_and_its_check(promise: object) -> None:
    id_, sentence, test = promise  # type: ignore[misc]  # a NamedTuple
    path, _colons, name = test.partition("::")

    assert len(id_) <= 40
    assert sentence.endswith(".")
    assert name in names_in(path)
    assert id_ in CHECKS.keys() | installation.CHECKS.keys()


def test_nothing_is_checked_that_is_not_promised() -> None:
    assert {*CHECKS, *installation.CHECKS} == set(PROMISES)


@pytest.mark.timeout(300)  # it starts four servers; on a busy machine that takes its time
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


def test_what_no_longer_holds_keeps_the_time_when_it_did(app: Flask, client: PageChecker) -> None:
    with app.app_context():
        selfcheck_results.note_run({"expiry": True, "race": True}, running_version())
        selfcheck_results.note_run({"expiry": False}, running_version())

    assert state(app) == {"expiry": (False, True), "race": (True, True)}
    page = client.get("/promises").text
    assert "One promise is broken here" in page
    assert page.count("Broken</span>") == 1
    assert page.count("Held</span>") == 1


@pytest.mark.parametrize("change", ["version = '0.0.1'", "revision = '0001'", "version = NULL"])
def test_a_proof_of_another_version_or_other_tables_is_out_of_date(
    app: Flask, client: PageChecker, database: Database, change: str
) -> None:
    with app.app_context():
        selfcheck_results.note_run(dict.fromkeys(PROMISES, True), running_version())
    assert "Every promise held" in client.get("/promises").text

    database.execute(f"UPDATE promise_proofs SET {change} WHERE promise = 'expiry'")

    page = client.get("/promises").text
    assert "Every promise held" not in page
    assert page.count("Out of date</span>") == 1


def test_a_proof_of_last_week_is_out_of_date(app: Flask, client: PageChecker, clock: Clock) -> None:
    with app.app_context():
        selfcheck_results.note_run(dict.fromkeys(PROMISES, True), running_version())
    clock.forward(days=6, hours=23)
    assert "Every promise held" in client.get("/promises").text

    clock.forward(hours=1)

    assert client.get("/promises").text.count("Out of date</span>") == len(PROMISES)


def test_no_proof_counts_where_a_guard_is_gone(make_app: MakeApp, database: Database) -> None:
    app = make_app()
    with app.app_context():
        selfcheck_results.note_run(dict.fromkeys(PROMISES, True), running_version())
    database.execute(
        f"DROP TRIGGER api_keys_revoked{' ON api_keys' if database.kind == 'postgresql' else ''}"
    )

    page = app.test_client().get("/promises").text

    assert "The database is not as it must be" in page
    assert "Held</span>" not in page
    assert "Every promise held" not in page


REVIVED = "UPDATE api_keys SET revoked_at = NULL, revoked_reason = NULL"


def test_it_looks_at_this_installation(
    app: Flask, cast: Cast, make_key: MakeKey, make_app: MakeApp, database: Database
) -> None:
    created = make_key(cast.alice)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(created.id))
    make_key(cast.alice)
    assert run(app, "guarded", "unbroken", "peppers").exit_code == 0

    write_past_guards(database, REVIVED)
    other = make_app(PORTAL_PEPPERS="p2:Hd7TqLw2Xv6NcKe4PyHb9JsMd5Ug3Fq2")
    told = run(other, "guarded", "unbroken", "peppers")
    database.execute(f"DROP TRIGGER accounts_keys{' ON accounts' if database.kind == 'postgresql' else ''}")

    assert [line.split()[0] for line in told.stdout.splitlines()[:3]] == ["ok", "BROKEN", "BROKEN"]
    assert "was revoked, as the audit log knows" in told.stderr
    assert "lacks p1" in told.stderr
    told = run(app, "guarded")
    assert (told.exit_code, told.stderr) == (1, "guarded: trigger accounts_keys is missing\n")


def test_the_page_tells_what_was_never_tried(app: Flask, client: PageChecker) -> None:
    page = client.get("/promises").text

    assert "Not everything is proved here now" in page
    assert page.count("Not tried</span>") == len(PROMISES)
    assert all(promise.test in page for promise in PROMISES.values())


def test_a_new_installation_says_that_it_will_be_tried_soon(make_app: MakeApp) -> None:
    """Where the jobs do it, which they don't in the tests."""
    page = make_app(PORTAL_SELFCHECK_AFTER="60").test_client().get("/promises").text

    assert "tries its promises soon" in page
    assert "Not everything is proved here now" not in page


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
    assert "Can't save the results" in result.stderr
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


def test_a_scratch_database_that_is_not_empty_is_not_touched(
    app: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a pooler leaves the search path out, so that the schema is the installation's own."""
    monkeypatch.setattr(scratches, "_database", lambda *_, **__: nullcontext(database.url))
    before = database.rows()

    result = run(app, "expiry")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "not empty" in result.stderr
    assert database.rows() == before


@pytest.mark.postgresql_only(reason="SQLite has no schemas; its folder is the system's to clean")
def test_what_a_killed_run_left_is_removed_and_what_another_run_uses_is_not(
    make_app: MakeApp, database: Database
) -> None:
    app = make_app(PORTAL_DATABASE_URL=f"{database.url}?options=-csearch_path%3Dpublic")
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
        object.__setattr__(settings, "database_url", SecretStr(database.url.replace("portal@", "narrow@", 1)))
        result = run(app, "expiry")
    finally:
        database.execute("DROP OWNED BY narrow")
        database.execute("DROP ROLE narrow")

    assert result.exit_code == 1
    assert "GRANT CREATE ON DATABASE" in result.stderr


def test_a_clock_in_hand_stands_still_and_goes_forward_only() -> None:
    with times.freeze() as hands:
        before = times.now_ms()
        hands.forward(days=400, milliseconds=1)
        assert times.now_ms() == before + 400 * 86_400_000 + 1
        with pytest.raises(ValueError, match="backwards"):
            hands.forward(seconds=-1)
        with pytest.raises(RuntimeError), times.freeze():
            pass
        assert times.now_ms() > before

    assert times.now_ms() - before < 3_600_000


def test_a_clock_in_hand_can_be_as_after_it_was_set_back() -> None:
    with times.freeze() as hands:
        before = times.now_ms()
        hands.forward(days=2)
        with hands.set_back():
            assert times.now_ms() - before < 3_600_000
            times.seen(before + 86_400_000)
            assert times.now_ms() >= before + 86_400_000 - times.LEEWAY_MS
        assert times.now_ms() == before + 2 * 86_400_000

    assert times.now_ms() - before < 3_600_000, "what was seen meanwhile is forgotten"


def test_it_takes_the_address_and_the_prefix_of_the_installation_and_no_switch(make_app: MakeApp) -> None:
    app = make_app(
        PORTAL_BASE_URL="https://keys.example.org",
        PORTAL_KEY_PREFIX="acme_x",
        PORTAL_KEYS_PER_ACCOUNT="1",
        PORTAL_LONGEST_LIFE="1",
    )

    done = run(app, "secret-once", "forged-forms", "other-hosts", "longest-life")

    assert (done.exit_code, done.stderr) == (0, "")
