"""The command that lists the audit log, as an operator types it."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from portal.models import Account, Action
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.operators import exports
from tests.cli.test_accounts import last_event, refused, run
from tests.conftest import MakeKey
from tests.support.cast import Cast


def acts(app: Flask, *words: str) -> list[list[str]]:
    return [line.split("\t") for line in run(app, "record", "list", *words).stdout.splitlines()]


def test_a_line_an_act_the_oldest_first(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    run(app, "key", "revoke", created.id, "--reason", "found\tin a\npaste")

    rows = acts(app)

    assert {len(row) for row in rows} == {11}
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)
    revoked = next(row for row in rows if row[2] == Action.KEY_REVOKED)
    assert revoked[3:9] == ["command-line", "-", "-", str(cast.alice.account_id), created.id, "-"]
    assert revoked[9] == "found in a paste"
    assert json.loads(revoked[10])["cause"] == "operator"
    assert created.secret not in str(rows)


def test_it_can_be_narrowed_and_the_look_is_recorded(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    make_key(cast.alice)
    make_key(cast.bob)

    of_bob = acts(app, cast.bob.email)
    created = acts(app, "--action", Action.KEY_CREATED.value)

    assert {row[6] for row in of_bob} == {str(cast.bob.account_id)}
    assert [row[2] for row in created] == ["key:created", "key:created"]
    assert last_event(app, Action.AUDIT_LOG_READ).account_id is None
    assert "nothing here" in refused(run(app, "record", "list", "nobody@example.org"))
    assert run(app, "record", "list", "--action", "no:such").exit_code == 2


def test_a_long_record_comes_whole(
    app: Flask, cast: Cast, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    for _ in range(5):
        make_key(cast.alice)

    assert len(acts(app, "--action", Action.KEY_CREATED.value)) == 5


def test_nothing_in_old_rows_acts_on_a_terminal(app: Flask, cast: Cast) -> None:
    acting = "a\x1b]0;owned\x07\x9b2J\u202eb"
    with app.app_context(), transaction() as session:
        told = {"account_id": cast.alice.account_id, "reason": acting}
        audit.log_event(session, Actor.command_line(), Action.KEY_CREATED, **told, name=acting)
        account = session.get_one(Account, cast.alice.account_id)
        account.email, account.lemail = "admin@ex\u0430mple.org", "admin@ex\u0430mple.org"

    act = acts(app, "--action", Action.KEY_CREATED.value)[0]

    assert act[9] == r"a\x1b]0;owned\x07\x9b2J\u202eb"
    assert json.loads(act[10])["name"] == acting
    assert "".join(act).isprintable()
    assert "admin@xn--exmple-4nf.org" in run(app, "account", "list").stdout
    assert r"\x1b[2J" in refused(run(app, "account", "list", "\x1b[2J"), code=2)
