"""The commands about keys, as an operator types them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import Flask

from portal.extensions import db
from portal.models import Action, ActorKind, ApiKey, RevocationReason
from portal.services.core import audit
from portal.services.keys import creation
from portal.services.keys.conditions import Conditions
from tests.cli.test_accounts import last_event, refused, run
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock


def test_a_line_a_key_with_tabs_between(app: Flask, cast: Cast, make_key: MakeKey, clock: Clock) -> None:
    mine, other = make_key(cast.alice, name="ci", level=2, days=7), make_key(cast.bob, name="site")
    clock.forward(days=8)
    rows = [line.split("\t") for line in run(app, "key", "list").stdout.splitlines()]
    assert [row[:5] for row in rows] == [
        [mine.id, cast.alice.email, "ci", "2", "expired"],
        [other.id, cast.bob.email, "site", "4", "live"],
    ]
    assert {len(row) for row in rows} == {10}
    assert last_event(app, Action.ACCOUNTS_SEARCHED).actor_kind is ActorKind.COMMAND_LINE


def test_it_can_be_narrowed_to_one_account(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    make_key(cast.alice)
    other = make_key(cast.bob)
    result = run(app, "key", "list", cast.bob.email)
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [other.id]
    assert last_event(app, Action.ACCOUNT_READ).account_id == cast.bob.account_id
    assert "nothing here" in refused(run(app, "key", "list", "nobody@example.org"))


def test_no_secret_is_listed(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    assert created.secret not in run(app, "key", "list").output


def test_revoking_is_for_good_and_keeps_the_reason(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    result = run(app, "key", "revoke", created.id, "--reason", "found in a paste")
    assert (result.exit_code, result.stdout.split("\t")[0]) == (0, created.id)
    with app.app_context():
        key = db.session.get(ApiKey, UUID(created.id))
        assert key
        assert key.revoked_reason is RevocationReason.OPERATOR
    assert last_event(app, Action.KEY_REVOKED).reason == "found in a paste"
    assert "revoked:operator" in run(app, "key", "list").stdout
    assert run(app, "key", "revoke", created.id).exit_code == 0
    with app.app_context():
        assert len(audit.list_events(action=Action.KEY_REVOKED)) == 1


def test_an_unknown_key_is_refused(app: Flask) -> None:
    assert "nothing here" in refused(run(app, "key", "revoke", "0192f3c1-0000-7000-8000-000000000000"))
    assert run(app, "key", "revoke", "no-uuid").exit_code == 2


def test_all_keys_of_an_account_are_revoked_for_excess(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    for _ in range(2):
        make_key(cast.alice)
    other = make_key(cast.bob)

    result = run(app, "key", "revoke-all", cast.alice.email, "--reason", "a million calls")

    assert (result.exit_code, result.stdout) == (0, f"{cast.alice.email}\t2\n")
    states = {
        line.split("\t")[0]: line.split("\t")[4] for line in run(app, "key", "list").stdout.splitlines()
    }
    assert states.pop(other.id) == "live"
    assert set(states.values()) == {"revoked:excessive"}
    event = last_event(app, Action.KEYS_REVOKED)
    assert (event.reason, event.actor_kind) == ("a million calls", ActorKind.COMMAND_LINE)
    again = run(app, "key", "revoke-all", str(cast.alice.account_id))
    assert (again.exit_code, again.stdout) == (0, f"{cast.alice.email}\t0\n")
    assert "nothing here" in refused(run(app, "key", "revoke-all", "nobody@example.org"))


def test_a_key_that_waits_or_rested_says_so(app: Flask, cast: Cast, clock: Clock) -> None:
    bound = Conditions(not_before=clock.now() + timedelta(days=5)), Conditions(max_idle=86_400)
    with app.app_context():
        for each in bound:
            creation.create_key(
                cast.alice.actor, name="ci", level=1, life=timedelta(days=30), conditions=each
            )
    clock.forward(days=2)

    rows = [line.split("\t") for line in run(app, "key", "list").stdout.splitlines()]

    assert [row[4] for row in rows] == ["pending", "expired:unused"]
