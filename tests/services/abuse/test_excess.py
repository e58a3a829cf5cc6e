"""Excess use: who is warned, told and revoked for how many calls, once, with the figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask

from portal import clock as time
from portal import jobs
from portal.models import Action, ApiKey, ExcessLevel, RevocationReason
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.abuse import excess
from portal.services.abuse.excess import ExcessPolicy
from portal.services.calls.rates import Rates
from portal.services.core import audit
from portal.services.core.ids import uuid7
from portal.services.core.transaction import transaction
from portal.services.keys import queries as key_queries
from tests.conftest import MakeApp, MakeKey
from tests.support.cast import Cast
from tests.support.clock import Clock
from tests.support.mailbox import Mailbox

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RATES = {role.value: Rates(100, 1000) for role in Role}
GENTLE, STRICT = ExcessPolicy(80, 0, RATES), ExcessPolicy(80, 50, RATES)
"""Revoking from 50 refusals on is what makes it strict."""

Use = Callable[..., None]


@pytest.fixture
def clock(clock: Clock) -> Clock:
    clock.to(NOON)
    return clock


@pytest.fixture
def use(app: Flask, clock: Clock) -> Use:
    """Let a key be used, through the collector as the doors do."""

    def use(key_id: str, *, calls: int = 0, refused: int = 0, reason: str = "tooManyRequests") -> None:
        collector = runtime_of(app).usage
        for _ in range(calls):
            collector.note_call(key_id, "192.0.2.1", time.now_ms())
        for _ in range(refused):
            collector.note_refusal(key_id, time.now_ms(), reason)
        collector.flush()

    return use


@pytest.fixture
def look(app: Flask) -> Callable[[ExcessPolicy], set[ExcessLevel]]:
    def look(policy: ExcessPolicy) -> set[ExcessLevel]:
        with app.app_context():
            return {step for step, number in excess.look(policy).items() if number}

    return look


Look = Callable[[ExcessPolicy], set[ExcessLevel]]


@pytest.mark.parametrize(
    ("calls", "refused", "reason", "policy", "taken"),
    [
        (799, 0, "", STRICT, set()),
        (800, 0, "", STRICT, {ExcessLevel.WARNED}),
        (800, 0, "", STRICT._replace(warn=0), set()),
        (1, 49, "tooManyRequests", STRICT, {ExcessLevel.THROTTLED}),
        (1, 50, "tooManyRequests", STRICT, {ExcessLevel.THROTTLED, ExcessLevel.REVOKED}),
        (1, 50, "tooManyRequests", GENTLE, {ExcessLevel.THROTTLED}),
        (1, 50, "apikeyExpired", STRICT, set()),
    ],
)
def test_each_rung_is_reached_at_its_figure(
    cast: Cast, make_key: MakeKey, use: Use, look: Look, calls: int, refused: int, reason: str,
    policy: ExcessPolicy, taken: set[ExcessLevel],
) -> None:  # fmt: skip
    use(make_key(cast.alice).id, calls=calls, refused=refused, reason=reason)
    assert look(policy) == taken


def test_a_rung_is_taken_once_a_day_and_again_the_next(
    cast: Cast, make_key: MakeKey, use: Use, look: Look, clock: Clock, mailbox: Mailbox
) -> None:
    key_id = make_key(cast.alice).id
    mailbox.all()
    use(key_id, calls=800)
    assert look(STRICT) == {ExcessLevel.WARNED}
    use(key_id, calls=200, refused=3)
    assert look(STRICT) == {ExcessLevel.THROTTLED}
    use(key_id, refused=3)
    assert look(STRICT) == set()
    clock.to(NOON + timedelta(hours=12))
    assert look(STRICT) == set()
    use(key_id, refused=1)
    assert look(STRICT) == {ExcessLevel.THROTTLED}

    subjects = [mail.subject for mail in mailbox.all() if re.search("call|limit", mail.subject)]
    assert subjects == ["A key is close to its daily limit", *["Some of your calls are being refused"] * 2]
    assert mailbox.last(to=cast.alice.email).path("/account/usage-limits")


def test_the_keys_own_lower_limit_counts(
    app: Flask, cast: Cast, make_key: MakeKey, use: Use, look: Look
) -> None:
    created = UUID(make_key(cast.alice).id)
    with app.app_context(), transaction() as session:
        big = session.get_one(ApiKey, created)
        facts = {column: getattr(big, column) for column in ("account_id", "level", "digest", "pepper_id")}
        life = {"created_at": big.created_at, "expires_at": big.expires_at}
        little = ApiKey(id=uuid7(), name="little", calls_per_day=10, **facts, **life)
        session.add(little)
        little_id = str(little.id)
    use(str(created), calls=799)
    use(little_id, calls=7)
    assert look(GENTLE) == set()
    use(little_id, calls=1)
    assert look(GENTLE) == {ExcessLevel.WARNED}


def test_all_keys_are_revoked_with_the_figures_in_record_and_mail(
    app: Flask, cast: Cast, make_key: MakeKey, use: Use, look: Look, mailbox: Mailbox
) -> None:
    loud, quiet, bobs = (make_key(who, name=name).id for who, name in (
        (cast.alice, "loud"), (cast.alice, "quiet"), (cast.bob, "ci")))  # fmt: skip
    use(loud, calls=7, refused=1234)
    look(STRICT)

    with app.app_context():
        for key_id in (loud, quiet):
            assert (
                key_queries.get_key(cast.alice.account_id, UUID(key_id)).revoked_reason
                is RevocationReason.EXCESSIVE
            )
        assert key_queries.get_key(cast.bob.account_id, UUID(bobs)).is_live(time.utcnow())
        acts = {event.action: event.details for event in audit.list_events(account_id=cast.alice.account_id)}
        assert acts[Action.KEYS_REVOKED] == {"cause": "excessive", "keys": 2}
        assert acts[Action.EXCESS_REVOKED] == {
            "calls": 7,
            "refused": 1234,
            "rung": 50,
            "revoked": 2,
            "by_key": [{"key": loud, "name": "loud", "calls": 7, "limit": 1000, "refused": 1234}],
        }
        assert acts[Action.EXCESS_THROTTLED]["refused"] == 1234
    mail = mailbox.last(to=cast.alice.email)
    assert mail.subject == "All your keys were revoked: too many calls"
    assert "1,234 calls above a limit were refused today. From 50 on" in " ".join(mail.text.split())
    assert "loud: 7 of 1,000 calls, 1,234 above a limit" in mail.text


def test_a_new_key_begins_at_nothing_on_the_same_day(
    cast: Cast, make_key: MakeKey, use: Use, look: Look
) -> None:
    use(make_key(cast.alice).id, refused=50)
    assert ExcessLevel.REVOKED in look(STRICT)
    fresh = make_key(cast.alice, name="fresh").id
    use(fresh, refused=49)
    assert look(STRICT) == set()
    use(fresh, refused=1)
    assert look(STRICT) == {ExcessLevel.REVOKED}


def test_of_two_at_once_one_takes_the_rung_and_no_key_slips_through(
    app: Flask, cast: Cast, make_key: MakeKey, use: Use, mailbox: Mailbox
) -> None:
    use(make_key(cast.alice).id, refused=50)

    def escalate(_worker: int) -> int:
        with app.app_context():
            return len(excess.escalate(cast.alice.account_id, STRICT))

    def make(_worker: int) -> str:
        return make_key(cast.alice, level=1).id

    with ThreadPoolExecutor(8) as pool:
        climbs, made = pool.map(escalate, range(4)), pool.map(make, range(4))
        assert sorted(climbs) == [0, 0, 0, 2]
        ids = set(made)
    with app.app_context():
        [event] = audit.list_events(action=Action.KEYS_REVOKED)
        created = [each.id for each in audit.list_events(action=Action.KEY_CREATED) if each.id < event.id]
        ended = [key for key in key_queries.list_keys(cast.alice.account_id).items if key.revoked_at]
    assert len(ended) == len(created) == event.details["keys"]
    assert len(ids) == 4
    assert len([mail for mail in mailbox.all() if mail.subject.startswith("All your keys")]) == 1


def test_the_jobs_look_once_a_minute(
    make_app: MakeApp, cast: Cast, make_key: MakeKey, use: Use, clock: Clock, mailbox: Mailbox
) -> None:
    app = make_app(PORTAL_EXCESS_REVOKE="5")
    key_id = make_key(cast.alice).id

    def look() -> None:
        with app.app_context():
            jobs.EXCESS.do_if_due()

    look()
    use(key_id, refused=5)
    look()
    assert not any("revoked" in mail.subject for mail in mailbox.all())
    clock.forward(seconds=61)
    look()
    assert mailbox.last(to=cast.alice.email).subject.startswith("All your keys were revoked")


@pytest.mark.sqlite_only(reason="settings are the same anywhere")
def test_nothing_is_revoked_unless_an_operator_wants_it(make_app: MakeApp) -> None:
    assert excess.policy_of(make_app().config["PORTAL"])[:2] == (80, 0)
    assert excess.policy_of(make_app(PORTAL_EXCESS_REVOKE="7").config["PORTAL"]).revoke == 7
    off = make_app(PORTAL_EXCESS_REVOKE="7", PORTAL_LIMITS_ENABLED="false")
    assert excess.policy_of(off.config["PORTAL"])[:2] == (0, 0)
