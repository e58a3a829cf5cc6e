"""All keys, for good, at once, in the transaction of the cause (rules 4 and 5, row 28)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask

from portal.models import AccountStatus, Action, ActorKind, Consent, RevocationReason
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.accounts import profile, recovery, removal
from portal.services.accounts.update import change_account
from portal.services.auth import logins
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import Forbidden, LastAdmin, NotFound
from portal.services.keys import queries as key_queries
from portal.services.keys import revocation
from portal.services.operators import actions
from portal.services.ratelimits.questions import count_failed_key_check
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey, Person
from tests.support.mailbox import Mailbox

OPERATOR = Actor.command_line()
Cause = Callable[[Person], object]

CAUSES: dict[RevocationReason, Cause] = {
    RevocationReason.ROLE_LOWERED: lambda who: actions.set_role(OPERATOR, who.account_id, Role.USER),
    RevocationReason.BLOCKED: lambda who: actions.block(OPERATOR, who.account_id, why="abuse"),
    RevocationReason.LOCKED: lambda who: recovery.lock(who.actor, who.password),
    RevocationReason.CONSENT_WITHDRAWN: lambda who: change_account(who.actor, consent=Consent.NONE),
    RevocationReason.ACCOUNT_REMOVED: lambda who: removal.remove_account(who.actor, who.password),
    RevocationReason.EXCESSIVE: lambda who: actions.revoke_excessive(
        OPERATOR, who.account_id, why="9000 calls"
    ),
}


def outcomes(app: Flask, created: list[CreatedKey]) -> set[str]:
    return {runtime_of(app).verifier.decide(key.id, key.secret).outcome.value for key in created}


@pytest.mark.parametrize("reason", CAUSES)
def test_each_cause_revokes_all_keys_of_the_account_and_no_other(
    app: Flask, cast: Cast, make_key: MakeKey, reason: RevocationReason
) -> None:
    hers = [make_key(cast.sue, level=level) for level in (0, 4, 8)]
    others = [make_key(cast.alice), make_key(cast.ada, level=9)]
    assert outcomes(app, hers + others) == {"good"}

    with app.app_context():
        CAUSES[reason](cast.sue)
        reasons = {key_queries.get_key(cast.sue.account_id, UUID(key.id)).revoked_reason for key in hers}

    assert reasons == {reason}
    assert outcomes(app, hers) == {"apikeyRevoked"}
    assert outcomes(app, others) == {"good"}


@pytest.mark.parametrize("reason", CAUSES)
def test_the_record_tells_which_keys_a_cause_revoked(
    app: Flask, cast: Cast, make_key: MakeKey, reason: RevocationReason
) -> None:
    hers = {make_key(cast.sue, name=f"number {number}").id: f"number {number}" for number in range(3)}
    make_key(cast.alice)

    with app.app_context():
        CAUSES[reason](cast.sue)
        told = audit.list_events(action=Action.KEY_REVOKED)
        [summary] = audit.list_events(action=Action.KEYS_REVOKED)

    assert {str(event.key_id): event.details["name"] for event in told} == hers
    assert {event.details["cause"] for event in told} == {reason.value}
    for event in told:
        assert (event.account_id, event.actor_kind, event.reason) == (
            cast.sue.account_id, summary.actor_kind, summary.reason,
        )  # fmt: skip
    assert summary.details["keys"] == len(hers)


def test_undoing_the_cause_brings_no_key_back(
    app: Flask, cast: Cast, make_key: MakeKey, mailbox: Mailbox
) -> None:
    undo: dict[RevocationReason, Cause] = {
        RevocationReason.ROLE_LOWERED: lambda who: actions.set_role(OPERATOR, who.account_id, Role.SUPPORT),
        RevocationReason.BLOCKED: lambda who: actions.unblock(OPERATOR, who.account_id, why="a mistake"),
        RevocationReason.LOCKED: lambda _who: recovery.unlock(
            OPERATOR, mailbox.last().link("/unlock/").rpartition("/")[2]
        ),
        RevocationReason.CONSENT_WITHDRAWN: lambda who: change_account(who.actor, consent=Consent.PROCESSING),
    }
    dead = []
    for reason, act in undo.items():
        dead.append(make_key(cast.sue))
        with app.app_context():
            CAUSES[reason](cast.sue)
        with app.app_context():
            act(cast.sue)
        with app.app_context():
            account = profile.get_account(cast.sue.actor)
            assert (account.status, account.role, account.consent) == (AccountStatus.ACTIVE, Role.SUPPORT, 1)

    assert outcomes(app, dead) == {"apikeyRevoked"}
    assert outcomes(app, [make_key(cast.sue)]) == {"good"}


@pytest.mark.parametrize("role", [Role.TESTER, Role.CURATOR, Role.ADMIN, Role.USER])
def test_a_sideways_or_upward_move_revokes_nothing(
    app: Flask, cast: Cast, make_key: MakeKey, role: Role
) -> None:
    created = make_key(cast.alice)

    with app.app_context():
        actions.set_role(OPERATOR, cast.alice.account_id, role)

    assert outcomes(app, [created]) == {"good"}


def test_less_consent_that_is_still_consent_revokes_nothing(
    app: Flask, cast: Cast, make_key: MakeKey
) -> None:
    created = make_key(cast.alice)

    with app.app_context():
        change_account(cast.alice.actor, consent=Consent.OPEN_DATA)
        change_account(cast.alice.actor, consent=Consent.PROCESSING)

    assert outcomes(app, [created]) == {"good"}


def test_the_owner_is_told_why(app: Flask, cast: Cast, make_key: MakeKey, mailbox: Mailbox) -> None:
    make_key(cast.sue)
    make_key(cast.sue)
    with app.app_context():
        CAUSES[RevocationReason.EXCESSIVE](cast.sue)

    mail = mailbox.last(to=cast.sue.email)

    assert "2 keys were revoked" in mail.subject
    assert "Too many calls" in mail.text


def test_a_stranger_causes_no_revocation_and_no_lock(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    created = make_key(cast.alice)
    wrong = make_key(cast.bob).secret
    with app.app_context():
        for _ in range(200):
            assert runtime_of(app).verifier.decide(created.id, wrong).outcome == "authenticationFailed"
            count_failed_key_check("203.0.113.9")
        account = logins.find_by_login(cast.alice.email)

    assert account
    assert account.status == AccountStatus.ACTIVE
    assert outcomes(app, [created]) == {"good"}


@pytest.mark.parametrize(
    "act",
    [
        lambda who: actions.set_role(OPERATOR, who.account_id, Role.USER),
        lambda who: actions.block(OPERATOR, who.account_id, why="x"),
        lambda who: recovery.lock(who.actor, who.password),
        lambda who: removal.remove_account(who.actor, who.password),
    ],
)
def test_the_last_admin_is_safe(app: Flask, cast: Cast, make_key: MakeKey, act: Cause) -> None:
    created = make_key(cast.ada, level=9)

    with app.app_context(), pytest.raises(LastAdmin):
        act(cast.ada)

    assert outcomes(app, [created]) == {"good"}


def test_selected_keys_end_together_each_with_its_event_and_one_mail(
    app: Flask, cast: Cast, make_key: MakeKey, mailbox: Mailbox
) -> None:
    hers = [make_key(cast.alice, name=name) for name in ("one", "two", "three")]
    other = make_key(cast.bob)
    ids = [UUID(key.id) for key in hers[:2]]

    with app.app_context():
        assert revocation.revoke_selected(cast.alice.actor, [*ids, ids[0]]) == 2
        told = audit.list_events(account_id=cast.alice.account_id, action=Action.KEY_REVOKED)
        assert {event.key_id for event in told} == set(ids)
        assert len({event.request_id for event in told}) <= 1
        assert revocation.revoke_selected(cast.alice.actor, ids) == 0, "a second time changes nothing"
        assert len(audit.list_events(action=Action.KEY_REVOKED)) == 2

    assert outcomes(app, hers[:2]) == {"apikeyRevoked"}
    assert outcomes(app, [hers[2], other]) == {"good"}
    mail = mailbox.last(to=cast.alice.email)
    assert "one" in mail.text
    assert "two" in mail.text


@pytest.mark.parametrize("which", ["somebody else's", "none that there is"])
def test_with_one_that_is_not_theirs_none_of_the_selected_ends(
    app: Flask, cast: Cast, make_key: MakeKey, which: str
) -> None:
    hers, his = make_key(cast.alice), make_key(cast.bob)
    foreign = his.id if which == "somebody else's" else "0192f3c1-0000-7000-8000-000000000000"

    with app.app_context(), pytest.raises(NotFound):
        revocation.revoke_selected(cast.alice.actor, [UUID(hers.id), UUID(foreign)])

    assert outcomes(app, [hers, his]) == {"good"}


def test_a_key_needs_the_level_to_revoke_several(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    reader, other = make_key(cast.alice, level=3), make_key(cast.alice)
    actor = Actor(ActorKind.KEY, cast.alice.account_id, key_id=UUID(reader.id))

    with app.app_context(), pytest.raises(Forbidden):
        revocation.revoke_selected(actor, [UUID(other.id)])

    assert outcomes(app, [other]) == {"good"}
