"""What a key opens: what its level reaches and nothing above; a service key one door."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from uuid import uuid4

from sqlalchemy import insert

from portal.models import KeyKind
from portal.permissions import Role
from portal.selfcheck.answers import GOOD, LEVEL, code, hold, hold_answer
from portal.selfcheck.stage import KEYS, CreatedKey, Stage
from portal.services.keys.conditions import Conditions

NOTE = "for the self-check alone"
KEYS_OF = "/api/apikeys/key"


def levels(stage: Stage) -> None:
    """Ask forward auth, the API and the figures for more than a key's level."""
    _hold_forward_auth(stage)
    owner = stage.person()
    low, reading = stage.key(owner, level=0), stage.key(owner, level=2)
    high = stage.key(owner, level=4, conditions=Conditions(note=NOTE))
    hold(high.id not in stage.call("GET", KEYS_OF, low).text, "a key of level 0 sees the others of its owner")
    hold(NOTE not in stage.call("GET", KEYS_OF, reading).text, "a key of level 2 reads private notes")
    hold(NOTE in stage.call("GET", KEYS_OF, high).text, "a key of level 4 reads no private notes")
    told = code(stage.call("DELETE", f"/api/apikeys/{high.id}/key", low))
    hold_answer(told, LEVEL, "a key of level 0 that removed another")
    status = stage.call("GET", "/metrics", high).status_code
    hold(status == HTTPStatus.FORBIDDEN, f"the figures were shown to a key of level 4: {status}")
    _hold_revocations(stage, high)


def _hold_forward_auth(stage: Stage) -> None:
    for level in (0, 3, 4):
        created = stage.key(stage.person(), level=level)
        for asked in range(10):
            told = code(stage.call("GET", f"/api/authorize?level={asked}", created))
            expected = GOOD if asked <= level else LEVEL
            hold(told == expected, f"forward auth at level {asked} answered a key of {level} with {told}")
        told = code(stage.call("GET", f"/api/authorize/level/{level + 1}/x?level=0", created))
        hold_answer(told, LEVEL, f"behind a prefix for level {level + 1} a key of {level}")
        told = code(stage.call("POST", "/api/introspect", created, data={"token": created.secret}))
        hold(told == LEVEL, f"a key of level {level} was let introspect the keys of others: {told}")


def _hold_revocations(stage: Stage, others: CreatedKey) -> None:
    """Hold that a key revokes what is somebody else's from level 8 on, whoever its owner is."""
    admin, bystander = stage.person(Role.ADMIN), stage.key(stage.person())
    askers = {f"an admin's key of level {level}": stage.key(admin, level=level) for level in (4, 7)}
    for name, asker in {**askers, "a user's key": bystander}.items():
        told = code(stage.call("POST", "/api/revoke", asker, data={"token": others.secret}))
        hold_answer(told, LEVEL, f"{name} that revoked the key of somebody else")
    hold(stage.check(others) == GOOD, "a key was revoked by somebody else's, whose level is too low")


def service_keys(stage: Stage) -> None:
    """Have everybody make a service key; bring one to every door."""
    admin = stage.person(Role.ADMIN)
    for role in (Role.USER, Role.SUPPORT):
        owner = stage.person(role)
        asking = partial(stage.key, owner, level=0, kind=KeyKind.SERVICE)
        stage.hold_refused(asking, LEVEL, f"a {role} who asked for a service key")
        row = stage.row(stage.key(owner, level=0)) | {"id": uuid4(), "kind": KeyKind.SERVICE}
        hold(stage.is_refused(insert(KEYS).values(row)), f"the database let a {role} have a service key")
    created, other = stage.key(admin, level=0, kind=KeyKind.SERVICE), stage.key(stage.person())
    answer = stage.call("POST", "/api/introspect", created, data={"token": other.secret})
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
        told = code(stage.call(method, path, created))
        hold(told == LEVEL, f"{method} {path} answered a service key with {told}")
    gone = stage.call("DELETE", f"/api/apikeys/{created.id}/key", created).status_code
    hold(gone == HTTPStatus.NO_CONTENT, f"a service key that removed itself was answered with {gone}")
    for path in ("/api/introspect", "/api/introspect/batch"):
        told = code(stage.call("POST", path, other, data={"token": other.secret}))
        hold(told == LEVEL, f"{path} answered a key that is for no service with {told}")


CHECKS = {"levels": levels, "service-keys": service_keys}
