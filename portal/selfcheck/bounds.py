"""What a key is bound to: networks, audiences, a first moment, the longest rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from portal import clock
from portal.models import KeyKind
from portal.permissions import Role
from portal.selfcheck.answers import EXPIRED, GOOD, code, hold, hold_answer
from portal.selfcheck.doors import hold_alike, is_active
from portal.selfcheck.stage import DAY, CreatedKey, Stage
from portal.services.keys.conditions import Conditions

HOME, ABROAD = "192.0.2.10", "203.0.113.9"
NOT_YET, ADDRESS = "apikeyNotYetValid", "addressNotAllowed"
FOR_ORDERS = ("/api/authorize?audience=orders", "/api/authorize/audience=orders/level/0/v1")
WIDER = {"name": "wider", "level": 1, "expiresIn": 60, "audiences": ["orders", "billing"]}
PROXY, HEADER, OTHER = "198.51.100.7", "VisitorOfTheSelfCheck", "X-Real-Ip"


def bound(stage: Stage) -> None:
    """Use keys from elsewhere, at others' services, too early, and after too long a rest."""
    owner, asking = stage.person(), stage.key(stage.person(Role.ADMIN), level=6)
    within = stage.key(owner, conditions=Conditions(networks="192.0.2.0/24 2001:db8::/32"))
    without = stage.key(owner, conditions=Conditions(networks="!203.0.113.0/24"))
    hour = timedelta(hours=1)
    early = stage.key(owner, conditions=Conditions(not_before=clock.utcnow() + hour))
    resting = stage.key(owner, life=DAY, conditions=Conditions(max_idle=3600))
    for created, ip_address, expected in (
        (within, HOME, GOOD),
        (within, "2001:db8::7", GOOD),
        (within, ABROAD, ADDRESS),
        (without, f"::ffff:{HOME}", GOOD),
        (without, f"::ffff:{ABROAD}", ADDRESS),
        (early, HOME, NOT_YET),
    ):
        hold_alike(stage, asking, created, ip_address, expected)
    _hold_visitors(stage, asking, within)
    _hold_forgeries(stage, within)
    _hold_audiences(stage)
    stage.clock.forward(hours=1)
    hold_alike(stage, asking, early, HOME, GOOD)
    hold_alike(stage, asking, resting, HOME, EXPIRED)


def _hold_visitors(stage: Stage, asking: CreatedKey, within: CreatedKey) -> None:
    """Hold that a service which sits in the right network does not lend its address to its visitors."""
    ways: dict[str, dict[str, Any]] = {
        "/api/introspect": {"data": {"token": within.secret}},
        "/api/introspect?": {"data": {"token": within.secret}, "headers": {"Accept": "*/*;q=1"}},
        "/api/introspect/batch": {"json": {"tokens": [within.secret]}},
    }
    for path, more in ways.items():
        answer = stage.call("POST", path.rstrip("?"), asking, ip_address=HOME, **more)
        hold(not is_active(answer), f"{path} took the address of the service that asks for the visitor's")


def _hold_audiences(stage: Stage) -> None:
    """Hold that a service gets nothing out of a key that was made for another one."""
    owner, admin = stage.person(), stage.person(Role.ADMIN)
    orders, billing, free = (
        stage.key(owner, conditions=Conditions(audiences=names)) for names in ("orders", "billing", "")
    )
    service = stage.key(admin, level=0, kind=KeyKind.SERVICE, conditions=Conditions(audiences="orders"))
    for created, is_good in ((orders, True), (billing, False), (free, True)):
        one = stage.call("POST", "/api/introspect", service, data={"token": created.secret})
        many = stage.call("POST", "/api/introspect/batch", service, json={"tokens": [created.secret]})
        told = [is_active(one), is_active(many)]
        told += [stage.call("GET", path, created).status_code < 300 for path in FOR_ORDERS]
        hold(set(told) == {is_good}, f"a key was told good or not for another's service: {told}")
    wider = stage.call("POST", "/api/apikeys/key", orders, json=WIDER)
    hold(wider.status_code == 400, f"a key made one for another service: {wider.status_code}")


def _hold_forgeries(stage: Stage, within: CreatedKey) -> None:
    """Hold that nobody comes from elsewhere by saying so, with a proxy before the portal or without."""
    proxied = stage.scratch.other(PORTAL_TRUSTED_PROXIES=f"{PROXY}/32", PORTAL_PROXY_HEADER=HEADER)
    behind, direct = proxied.test_client(), stage.client()
    for name, client, ip_address, headers, expected in (
        ("through the proxy", behind, PROXY, {HEADER: HOME}, GOOD),
        ("through the proxy, from abroad", behind, PROXY, {HEADER: ABROAD}, ADDRESS),
        ("with a word of its own", behind, PROXY, {HEADER: f"{HOME}, {ABROAD}"}, ADDRESS),
        ("past the proxy", behind, ABROAD, {HEADER: HOME}, ADDRESS),
        ("through two hops", behind, PROXY, {HEADER: f"{HOME}, {PROXY}"}, GOOD),
        ("in another header", behind, PROXY, {HEADER: ABROAD, "X-Forwarded-For": HOME}, ADDRESS),
        ("with another header alone", behind, ABROAD, {"X-Forwarded-For": HOME}, ADDRESS),
        ("through a proxy that says nothing", behind, PROXY, {"X-Forwarded-For": HOME}, ADDRESS),
        ("where no proxy is", direct, ABROAD, {HEADER: HOME, "X-Forwarded-For": HOME}, ADDRESS),
        ("where no proxy is, by other names", direct, ABROAD, {OTHER: HOME, "Forwarded": HOME}, ADDRESS),
    ):
        answer = stage.call(
            "GET", "/api/whoami/key", within, client=client, ip_address=ip_address, headers=headers
        )
        hold_answer(code(answer), expected, f"who comes {name}")


CHECKS = {"bound": bound}
