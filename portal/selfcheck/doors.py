"""The doors: whichever a caller comes to, the answer is the same, and each call is counted once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select
from werkzeug.test import TestResponse

from portal import clock
from portal.models import KeyKind, MailKind, OutboxMail
from portal.permissions import Role
from portal.selfcheck.stage import (
    DAY,
    EXPIRED,
    GOOD,
    KEYS,
    LEVEL,
    REVOKED,
    UNKNOWN,
    Made,
    Stage,
    code,
    hold,
)
from portal.services import keys, secrets
from portal.services.conditions import Conditions
from portal.services.excess import climb, ladder

HOME, ABROAD = "192.0.2.10", "203.0.113.9"
NOT_YET, ADDRESS, THROTTLED = "apikeyNotYetValid", "addressNotAllowed", "tooManyRequests"
INACTIVE = "inactive"
LIMIT = 40
HOUR_MS = 3_600_000
RUNG = 5
"""Refusals in a day at which all keys of an account end, where an operator wants that."""
CALLERS = 4
"""Threads that call at once, half of them at each of two workers."""


def alike(stage: Stage) -> None:
    """Bring keys in every state to every door."""
    owner, asking = stage.person(), stage.key(stage.person(Role.ADMIN), level=6, life=2 * DAY)
    expired, living = stage.key(owner), stage.key(owner, life=2 * DAY)
    stage.clock.forward(days=1)
    revoked, blocked = stage.key(owner), stage.key(stage.person())
    stage.act(lambda: keys.revoke_key(owner.actor, revoked.uuid))
    prefix = stage.scratch.worker().config["PORTAL"].key_prefix
    for made, expected in (
        (living, GOOD),
        (expired, EXPIRED),
        (revoked, REVOKED),
        (Made(blocked.id, secrets.make_secret(prefix)), UNKNOWN),
    ):
        _hold_alike(stage, asking, made, HOME, expected)


def bound(stage: Stage) -> None:
    """Use keys from elsewhere, too early, and after too long a rest, at every door."""
    owner, asking = stage.person(), stage.key(stage.person(Role.ADMIN), level=6)
    within = stage.key(owner, conditions=Conditions(networks="192.0.2.0/24 2001:db8::/32"))
    without = stage.key(owner, conditions=Conditions(networks="!203.0.113.0/24"))
    hour = timedelta(hours=1)
    early = stage.key(owner, conditions=Conditions(not_before=clock.utcnow() + hour))
    resting = stage.key(owner, conditions=Conditions(max_idle=3600))
    for made, address, expected in (
        (within, HOME, GOOD),
        (within, "2001:db8::7", GOOD),
        (within, ABROAD, ADDRESS),
        (without, HOME, GOOD),
        (without, ABROAD, ADDRESS),
        (early, HOME, NOT_YET),
    ):
        _hold_alike(stage, asking, made, address, expected)
    answer = stage.call("POST", "/api/introspect", asking, address=HOME, data={"token": within.secret})
    hold(not answer.get_json()["active"], "the address of the service that asks was taken for the visitor's")
    stage.clock.forward(hours=1)
    _hold_alike(stage, asking, early, HOME, GOOD)
    _hold_alike(stage, asking, resting, HOME, EXPIRED)


def levels(stage: Stage) -> None:
    """Ask forward auth, and the API itself, for more than a key's level."""
    for level in (0, 3, 4):
        made = stage.key(stage.person(), level=level)
        for asked in range(10):
            told = code(stage.call("GET", f"/api/authorize?level={asked}", made))
            expected = GOOD if asked <= level else LEVEL
            hold(told == expected, f"forward auth at level {asked} answered a key of {level} with {told}")
        told = code(stage.call("POST", "/api/introspect", made, data={"token": made.secret}))
        hold(told == LEVEL, f"a key of level {level} was let introspect the keys of others: {told}")


def exact(stage: Stage) -> None:
    """Call at two workers at once, more often than a key may; and as somebody without its secret."""
    limits = Conditions(calls_per_minute=LIMIT)
    made = stage.key(stage.person(), conditions=limits)
    wrong = Made(made.id, secrets.make_secret(stage.scratch.worker().config["PORTAL"].key_prefix))
    for _ in range(5):
        stage.check(wrong)

    def call(worker: int) -> list[TestResponse]:
        return [stage.call("GET", "/api/authorize", made, worker=worker) for _ in range(LIMIT // 2)]

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
    told = stage.check(made)
    hold(told == GOOD, f"who waits as long as told is answered with {told}")


def service_keys(stage: Stage) -> None:
    """Have everybody make a service key; bring one to every door."""
    admin = stage.person(Role.ADMIN)
    for role in (Role.USER, Role.SUPPORT):
        owner = stage.person(role)
        told = stage.refusal(lambda owner=owner: stage.key(owner, level=0, kind=KeyKind.SERVICE))  # type: ignore[misc]
        hold(told == LEVEL, f"a {role} who asked for a service key was answered with {told!r}")
        row = stage.row(stage.key(owner, level=0)) | {"id": uuid4(), "kind": KeyKind.SERVICE}
        hold(stage.is_refused(insert(KEYS).values(row)), f"the database let a {role} have a service key")
    made, other = stage.key(admin, level=0, kind=KeyKind.SERVICE), stage.key(stage.person())
    answer = stage.call("POST", "/api/introspect", made, data={"token": other.secret})
    hold(answer.get_json() and answer.get_json()["active"], "a service key can't introspect")
    for method, path in (
        ("GET", "/api/whoami/key"),
        ("GET", "/api/authorize"),
        ("GET", "/api/apikeys/key"),
        ("POST", "/api/apikeys/key"),
        ("GET", "/api/account/key"),
        ("POST", "/api/revoke"),
        ("DELETE", f"/api/apikeys/{other.id}/key"),
    ):
        told = code(stage.call(method, path, made))
        hold(told == LEVEL, f"{method} {path} answered a service key with {told}")
    gone = stage.call("DELETE", f"/api/apikeys/{made.id}/key", made).status_code
    hold(gone == HTTPStatus.NO_CONTENT, f"a service key that removed itself was answered with {gone}")
    for path in ("/api/introspect", "/api/introspect/batch"):
        told = code(stage.call("POST", path, other, data={"token": other.secret}))
        hold(told == LEVEL, f"{path} answered a key that is for no service with {told}")


def excess(stage: Stage) -> None:
    """Call far too often, and let the jobs look: as it is set, and with a rung at which keys end."""
    stage.clock.forward(milliseconds=HOUR_MS - clock.now_ms() % HOUR_MS)  # so that no day ends meanwhile
    owner = stage.person()
    made = stage.key(owner, conditions=Conditions(calls_per_minute=1))
    other = stage.key(stage.person())
    told = [stage.check(made) for _ in range(RUNG + 1)]
    hold(told == [GOOD] + [THROTTLED] * RUNG, f"calls above the limit were answered with {set(told)}")
    stage.scratch.close()
    rungs = ladder(stage.scratch.worker().config["PORTAL"])
    for rung, expected in ((0, GOOD), (RUNG + 1, GOOD), (RUNG, REVOKED)):
        stage.act(lambda rung=rung: climb(owner.account_id, rungs._replace(revoke=rung)))  # type: ignore[misc]
        stage.clock.forward(minutes=1)
        told = [stage.check(made)]
        hold(told == [expected], f"{RUNG} refusals, keys end at {rung or 'none'}: answered with {told[0]}")
    hold(stage.check(other) == GOOD, "a key of another account was revoked too")
    written = select(OutboxMail.params).where(
        OutboxMail.account_id == owner.account_id, OutboxMail.kind == MailKind.EXCESS
    )
    hold(any(row[0].get("refused") == RUNG for row in stage.rows(written)), "no mail tells the figures")


def _hold_alike(stage: Stage, asking: Made, made: Made, address: str, expected: str) -> None:
    """Hold that every door gives a key this answer; introspection of a refusal only that it is one."""
    for door, told in _ask(stage, asking, made, address).items():
        fits = told == expected or (told == INACTIVE and expected != GOOD and door.startswith("intro"))
        hold(fits, f"{door} answered {told} where {expected} is right")


def _ask(stage: Stage, asking: Made, made: Made, address: str) -> dict[str, str]:
    """What each door says."""
    bearer = {"Authorization": f"Bearer {made.secret}"}

    def get(path: str, by: Made | None = made, **headers: str) -> str:
        return code(stage.call("GET", path, by, address=address, headers=headers))

    def introspect(path: str, first: Callable[[TestResponse], bool], **more: Any) -> str:
        answer = stage.call("POST", path, asking, **more)
        hold(answer.status_code == 200, f"{path} was answered with {answer.status_code}")
        return GOOD if first(answer) else INACTIVE

    def active(answer: TestResponse) -> bool:
        return bool(answer.get_json()["active"])

    told = {
        "whoami": get("/api/whoami/key"),
        "whoami, the long way": get("/api/whoami/key", Accept="*/*;q=1"),
        "the list of keys": get("/api/apikeys/key"),
        "forward auth": get("/api/authorize"),
        "forward auth behind a prefix": get("/api/authorize/level/0/v1/x?level=9"),
        "introspection of a pair": introspect(
            "/api/introspect", active, data={"token": f"{made.id}:{made.secret}", "address": address}
        ),
        "introspection of a secret": introspect(
            "/api/introspect", active, data={"token": made.secret, "address": address}
        ),
        "introspection of many": introspect(
            "/api/introspect/batch",
            lambda answer: bool(answer.get_json()["tokens"][0]["active"]),
            json={"tokens": [{"token": made.secret, "address": address}]},
        ),
    }
    for path in ("/api/whoami/key", "/api/authorize"):
        told[f"{path}, bearer"] = get(path, None, **bearer)
    return told


CHECKS = {
    "alike": alike,
    "bound": bound,
    "levels": levels,
    "exact": exact,
    "service-keys": service_keys,
    "excess-ladder": excess,
}
