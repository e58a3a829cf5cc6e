"""The doors: whichever a caller comes to, the answer is the same, and each call is counted once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from portal import clock
from portal.models import MailKind, OutboxMail
from portal.permissions import Role
from portal.selfcheck.answers import EXPIRED, GOOD, REVOKED, UNKNOWN, code, hold
from portal.selfcheck.servers import serving
from portal.selfcheck.stage import DAY, CreatedKey, Stage
from portal.services.abuse.excess import escalate, policy_of
from portal.services.keys import revocation
from portal.services.keys.conditions import Conditions

HOME = "192.0.2.10"
THROTTLED = "tooManyRequests"
INACTIVE = "inactive"
LIMIT = 40
HOUR_MS = 3_600_000
THRESHOLD = 5
"""Refusals in a day at which all keys of an account end, where an operator wants that."""
CALLERS = 4
"""Threads that call at once, half of them at each of two workers."""


def alike(stage: Stage) -> None:
    """Bring keys in every state to every door."""
    owner, asking = stage.person(), stage.key(stage.person(Role.ADMIN), level=6, life=2 * DAY)
    expired, living = stage.key(owner), stage.key(owner, life=2 * DAY)
    stage.clock.forward(days=1)
    revoked, blocked = stage.key(owner), stage.key(stage.person())
    stage.act(lambda: revocation.revoke_key(owner.actor, revoked.uuid))
    for created, expected in (
        (living, GOOD),
        (expired, EXPIRED),
        (revoked, REVOKED),
        (CreatedKey(blocked.id, stage.secret()), UNKNOWN),
    ):
        hold_alike(stage, asking, created, HOME, expected)


def exact(stage: Stage) -> None:
    """Call at two workers at once, more often than a key may; and as somebody without its secret."""
    created = stage.key(stage.person(), conditions=Conditions(calls_per_minute=LIMIT))
    for _ in range(5):
        stage.check(CreatedKey(created.id, stage.secret()))

    def call(worker: int) -> list[TestResponse]:
        return [stage.call("GET", "/api/authorize", created, worker=worker) for _ in range(LIMIT // 2)]

    stage.scratch.worker(1)
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = [one for many in pool.map(call, (number % 2 for number in range(CALLERS))) for one in many]
    passed = sum(answer.status_code == 204 for answer in answers)
    hold(passed == LIMIT, f"of {len(answers)} calls {passed} passed, where {LIMIT} may")
    refused = [answer for answer in answers if answer.status_code != 204]
    hold({code(answer) for answer in refused} == {THROTTLED}, "a call too many was refused in other words")
    wait = max(int(answer.headers.get("Retry-After", 0)) for answer in refused)
    hold(0 < wait <= 60, f"Retry-After says {wait} seconds of a minute")
    stage.clock.forward(seconds=wait)
    told = stage.check(created)
    hold(told == GOOD, f"who waits as long as told is answered with {told}")
    _hold_windows(stage)
    _hold_processes(stage)


def _hold_windows(stage: Stage) -> None:
    """Hold a limit for a day, and one for a minute after one of which much was left over."""
    _begin_hour(stage)
    limits = Conditions(calls_per_minute=LIMIT, calls_per_day=LIMIT + 2)
    created = stage.key(stage.person(), life=3 * DAY, conditions=limits)
    told = [stage.check(created) for _ in range(2)]
    hold(told == [GOOD] * 2, f"two calls of many were answered with {told}")
    stage.clock.forward(minutes=1)
    told = [stage.check(created) for _ in range(LIMIT + 1)]
    hold(told == [GOOD] * LIMIT + [THROTTLED], f"in the next minute {told.count(GOOD)} calls passed")
    stage.clock.forward(minutes=1)
    stage.hold_check(created, THROTTLED, "when those of the day are used up a call")
    stage.clock.forward(days=1)
    stage.hold_check(created, GOOD, "on the next day a call")


def _hold_processes(stage: Stage) -> None:
    """Hold a limit of a day over this process and a server, whose clock runs a few seconds behind."""
    _begin_hour(stage)
    stage.clock.forward(minutes=30)
    created = stage.key(stage.person(), conditions=Conditions(calls_per_day=LIMIT))
    passed = [stage.check(created)]
    stage.scratch.close()  # so that the moment is kept, and the server begins with it
    with serving(stage.scratch.settings, many=1) as servers:
        for _ in range(LIMIT):
            passed += [stage.check(created), servers[0].check(created)]
    many = passed.count(GOOD)
    hold(many == LIMIT, f"of the calls at two processes {many} passed, where {LIMIT} may")


def excess(stage: Stage) -> None:
    """Call far too often, and let the jobs look: as it is set, and with a threshold at which keys end."""
    _begin_hour(stage)
    owner = stage.person()
    created = stage.key(owner, conditions=Conditions(calls_per_minute=1))
    other = stage.key(stage.person())
    told = [stage.check(created) for _ in range(THRESHOLD + 1)]
    hold(told == [GOOD] + [THROTTLED] * THRESHOLD, f"calls above the limit were answered with {set(told)}")
    stage.scratch.close()
    policy = policy_of(stage.scratch.worker().config["PORTAL"])
    for threshold, expected in ((0, GOOD), (THRESHOLD + 1, GOOD), (THRESHOLD, REVOKED)):
        stage.act(partial(escalate, owner.account_id, policy._replace(revoke=threshold)))
        stage.clock.forward(minutes=1)
        told_now = stage.check(created)
        hold(
            told_now == expected,
            f"{THRESHOLD} refusals, keys end at {threshold or 'none'}: answered with {told_now}",
        )
    hold(stage.check(other) == GOOD, "a key of another account was revoked too")
    written = select(OutboxMail.params).where(
        OutboxMail.account_id == owner.account_id, OutboxMail.kind == MailKind.EXCESS
    )
    hold(any(row[0].get("refused") == THRESHOLD for row in stage.rows(written)), "no mail tells the figures")


def _begin_hour(stage: Stage) -> None:
    """Put the clock forward to the full hour, so that no day ends in the next minutes."""
    stage.clock.forward(milliseconds=HOUR_MS - clock.now_ms() % HOUR_MS)


def hold_alike(stage: Stage, asking: CreatedKey, created: CreatedKey, ip_address: str, expected: str) -> None:
    """Hold that every door gives a key this answer; introspection of a refusal only that it is one."""
    for door, told in _ask(stage, asking, created, ip_address).items():
        fits = told == expected or (told == INACTIVE and expected != GOOD and door.startswith("intro"))
        hold(fits, f"{door} answered {told} where {expected} is right")


def _ask(stage: Stage, asking: CreatedKey, created: CreatedKey, ip_address: str) -> dict[str, str]:
    """What each door says."""
    bearer = {"Authorization": f"Bearer {created.secret}"}

    def get(path: str, by: CreatedKey | None = created, **headers: str) -> str:
        return code(stage.call("GET", path, by, ip_address=ip_address, headers=headers))

    def introspect(path: str, **more: Any) -> str:
        answer = stage.call("POST", path, asking, **more)
        hold(answer.status_code == 200, f"{path} was answered with {answer.status_code}")
        return GOOD if is_active(answer) else INACTIVE

    pair, secret = (
        {"token": each, "address": ip_address} for each in (f"{created.id}:{created.secret}", created.secret)
    )
    told = {
        "whoami": get("/api/whoami/key"),
        "whoami, the long way": get("/api/whoami/key", Accept="*/*;q=1"),
        "the list of keys": get("/api/apikeys/key"),
        "forward auth": get("/api/authorize"),
        "forward auth behind a prefix": get("/api/authorize/level/0/v1/x?level=9"),
        "introspection of a pair": introspect("/api/introspect", data=pair),
        "introspection of a secret": introspect("/api/introspect", data=secret),
        "introspection of many": introspect("/api/introspect/batch", json={"tokens": [secret]}),
    }
    for path in ("/api/whoami/key", "/api/authorize"):
        told[f"{path}, bearer"] = get(path, None, **bearer)
    return told


def is_active(answer: TestResponse) -> bool:
    """What introspection says of a key, or of the first of many."""
    told = answer.get_json()
    return bool(told.get("tokens", [told])[0]["active"])


CHECKS = {"alike": alike, "exact": exact, "excess-ladder": excess}
