"""The one decision (rules 2, 3, 5 and 7; rows 25, 28 and 29)."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from time import perf_counter
from uuid import uuid4

import pytest
from flask import Flask
from pydantic import Secret
from sqlalchemy import event, make_url

from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.core import ids
from portal.services.core.actor import Actor
from portal.services.core.outcomes import Outcome
from portal.services.keys import secrets
from portal.services.operators import actions
from portal.services.verify import sqlite_reader
from portal.services.verify import verifier as verify_verifier
from portal.services.verify.key_record import VerifiedKey
from portal.services.verify.verifier import UNKNOWN, Verifier
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.databases import Database

OPERATOR = Actor.command_line()


@pytest.fixture
def verifier(app: Flask) -> Verifier:
    return runtime_of(app).verifier  # type: ignore[no-any-return]


def test_a_holder_is_let_in_at_the_keys_level(verifier: Verifier, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.sue, level=6)

    decision = verifier.decide(created.id, created.secret)

    assert (decision.outcome, decision.level) == (Outcome.GOOD, 6)
    assert decision.key
    assert decision.key.account_id == cast.sue.account_id


def test_the_key_is_found_in_any_case(verifier: Verifier, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)

    assert verifier.decide(created.id.upper(), created.secret).outcome is Outcome.GOOD


def test_a_key_expires_at_the_very_second(
    verifier: Verifier, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    clock.stop()
    created = make_key(cast.alice, days=1)

    clock.to(clock.now() + timedelta(days=1) - timedelta(milliseconds=1))
    assert verifier.decide(created.id, created.secret).outcome is Outcome.GOOD
    clock.to(clock.now() + timedelta(milliseconds=1))
    assert verifier.decide(created.id, created.secret).outcome is Outcome.EXPIRED


def test_the_level_that_counts_is_never_above_the_owners_role(
    app: Flask, verifier: Verifier, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = make_key(cast.sue, level=8)
    with app.app_context():
        actions.set_role(OPERATOR, cast.sue.account_id, Role.ADMIN)
    assert verifier.decide(created.id, created.secret).level == 8

    facts = verifier.decide(created.id, created.secret).key
    assert facts
    for role in Role:
        # The triggers forbid such a row; the decision doesn't rest on them.
        monkeypatch.setattr(verifier._reader, "find", lambda _digest, role=role: facts._replace(role=role))
        assert verifier.decide(created.id, created.secret).level == min(8, role.level)


def test_what_no_code_path_leaves_is_refused_all_the_same() -> None:
    """The triggers forbid these rows; the decision doesn't rest on them."""
    facts = VerifiedKey("", "", 4, b"", "", 1, 0, 10, None, "user", 1, 1)

    assert verify_verifier.outcome_of(facts, 9) is Outcome.GOOD
    assert verify_verifier.outcome_of(facts, 10) is Outcome.EXPIRED
    assert verify_verifier.outcome_of(facts._replace(consent=0), 9) is Outcome.CONSENT_LACKING
    assert verify_verifier.outcome_of(facts._replace(status=-1), 9) is Outcome.LOCKED
    assert verify_verifier.outcome_of(facts._replace(status=-2), 9) is Outcome.BLOCKED
    assert verify_verifier.outcome_of(facts._replace(status=0), 9) is Outcome.BLOCKED
    assert verify_verifier.outcome_of(facts._replace(revoked_at=1), 99) is Outcome.REVOKED


def test_a_stranger_learns_nothing(
    app: Flask, verifier: Verifier, cast: Cast, clock: Clock, make_key: MakeKey
) -> None:
    good, expired = make_key(cast.alice, days=30), make_key(cast.alice, days=1)
    revoked = make_key(cast.bob)
    clock.forward(days=2)
    with app.app_context():
        actions.block(OPERATOR, cast.bob.account_id, why="abuse")
    other = secrets.create_secret("chk")

    for key_id in (good.id, expired.id, revoked.id, str(uuid4()), "", "nonsense", good.id.replace("-", "")):
        assert verifier.decide(key_id, other) == UNKNOWN


def test_unknown_and_wrong_cost_the_same_time(verifier: Verifier, cast: Cast, make_key: MakeKey) -> None:
    created, other = make_key(cast.alice), secrets.create_secret("chk")
    stranger = str(ids.uuid7())

    def cost(key_id: str) -> float:
        begun = perf_counter()
        for _ in range(20):
            verifier.decide(key_id, other)
        return perf_counter() - begun

    pairs = [(cost(created.id), cost(stranger)) for _ in range(200)]

    known, unknown = (median(pair[side] for pair in pairs) for side in (0, 1))
    assert known == pytest.approx(unknown, rel=0.25)


def test_a_wrong_checksum_costs_no_look_at_the_database(
    verifier: Verifier, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = make_key(cast.alice)
    monkeypatch.setattr(verifier._reader, "find", lambda _digest: pytest.fail("asked the database"))

    assert (
        verifier.decide(created.id, created.secret[:-1] + ("0" if created.secret[-1] != "0" else "1"))
        == UNKNOWN
    )
    assert verifier.decide("' OR 1=1 --", created.secret) == UNKNOWN


def test_a_check_needs_no_orm(app: Flask, verifier: Verifier, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    seen: list[str] = []
    with app.app_context():
        from portal.extensions import db

        event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))

    verifier.decide(created.id, created.secret)

    assert seen == []


def test_what_another_connection_does_counts_at_the_next_check(
    app: Flask, verifier: Verifier, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    created = make_key(cast.alice)
    for _ in range(3):
        assert verifier.decide(created.id, created.secret).outcome is Outcome.GOOD

    database.execute("UPDATE api_keys SET revoked_at = created_at + 1, revoked_reason = 'operator'")

    assert verifier.decide(created.id, created.secret).outcome is Outcome.REVOKED


def test_a_key_that_comes_to_be_is_known_at_once(verifier: Verifier, cast: Cast, make_key: MakeKey) -> None:
    first = make_key(cast.alice)
    assert verifier.decide(first.id, first.secret).outcome is Outcome.GOOD

    second = make_key(cast.alice)

    assert verifier.decide(second.id, second.secret).outcome is Outcome.GOOD


def test_peppers_are_a_ring(make_app: MakeApp, cast: Cast, make_key: MakeKey) -> None:
    old, new = "old:" + "q7Tz2LmXv9KcRb4HsWn8YpJd5GfUe3Aa", "new:" + "Vx3nB8kQw5ZtMf2LrCy7HsPj9DgEu4Ta"
    before = make_app(PORTAL_PEPPERS=old)
    with before.app_context():
        from portal.services.keys import creation

        key, secret = creation.create_key(cast.alice.actor, name="a", level=1, life=timedelta(days=1))
        key_id = str(key.id)

    def outcome(peppers: str) -> Outcome:
        return runtime_of(make_app(PORTAL_PEPPERS=peppers)).verifier.decide(key_id, secret).outcome

    assert outcome(old) is Outcome.GOOD
    assert outcome(f"{new},{old}") is Outcome.GOOD
    assert outcome(new) is Outcome.UNKNOWN


def test_a_pepper_counts_under_its_own_id_only(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    created, settings = make_key(cast.alice), app.config["PORTAL"]
    pepper = settings.peppers.get_secret_value()[settings.current_pepper]
    renamed = Verifier(settings.model_copy(update={"peppers": Secret({"other": pepper})}))

    assert renamed.decide(created.id, created.secret).outcome is Outcome.UNKNOWN
    renamed.close()


@pytest.mark.sqlite_only(reason="PostgreSQL keeps nothing in the process")
def test_a_connection_that_is_opened_again_has_kept_nothing(
    verifier: Verifier, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    created = make_key(cast.alice)
    assert verifier.decide(created.id, created.secret).outcome is Outcome.GOOD

    verifier.close()
    database.execute("UPDATE api_keys SET revoked_at = created_at + 1, revoked_reason = 'operator'")

    assert verifier.decide(created.id, created.secret).outcome is Outcome.REVOKED


@pytest.mark.postgresql_only(reason="SQLite's connection is a file; it does not go away")
def test_a_lost_connection_is_made_again(
    verifier: Verifier, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    created = make_key(cast.alice)
    assert verifier.decide(created.id, created.secret).outcome is Outcome.GOOD

    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    assert verifier.decide(created.id, created.secret).outcome is Outcome.GOOD


@pytest.mark.postgresql_only(reason="the URL of SQLite is the path of a file")
def test_the_options_of_a_database_url_are_passed_on(
    make_app: MakeApp, cast: Cast, make_key: MakeKey, database: Database
) -> None:
    created = make_key(cast.alice)
    url = make_url(database.url).update_query_dict({"options": "-c search_path=public -c jit=off"})
    app = make_app(PORTAL_DATABASE_URL=url.render_as_string(hide_password=False))

    assert runtime_of(app).verifier.decide(created.id, created.secret).outcome is Outcome.GOOD


@pytest.mark.sqlite_only(reason="PostgreSQL keeps nothing in the process")
def test_what_is_kept_in_memory_is_bounded(
    verifier: Verifier, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = [make_key(cast.alice) for _ in range(5)]
    monkeypatch.setattr(sqlite_reader, "CACHED_KEYS", 3)

    for each in (*created, *created):
        assert verifier.decide(each.id, each.secret).outcome is Outcome.GOOD

    assert len(verifier._reader._kept) <= 3  # type: ignore[union-attr]


def test_the_right_secret_of_another_key_opens_nothing(
    verifier: Verifier, cast: Cast, make_key: MakeKey
) -> None:
    one, two = make_key(cast.alice), make_key(cast.alice)

    assert verifier.decide(one.id, two.secret) == UNKNOWN
    found = verifier.decide_secret(two.secret).key
    assert found is not None
    assert found.id == two.id


def test_nothing_secret_is_in_a_repr(verifier: Verifier, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)

    decision = verifier.decide(created.id, created.secret)

    assert created.secret not in repr(decision)
    assert "digest" not in repr(decision)
