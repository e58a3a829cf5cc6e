"""At once: whoever is asked, and whatever is under way, a key that was revoked is over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from portal.models import ActorKind
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.selfcheck.answers import GOOD, REVOKED, hold, hold_answer
from portal.selfcheck.ends import block, set_role
from portal.selfcheck.late import send_late
from portal.selfcheck.servers import Server, serving
from portal.selfcheck.stage import OPERATOR, CreatedKey, Person, Stage
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.keys import revocation, rotation
from portal.services.operators import actions

Way = Callable[[CreatedKey], object]


def at_once(stage: Stage) -> None:
    """Revoke what two server processes and two workers have just accepted, in each way that there is."""
    with serving(stage.scratch.settings) as servers:
        for name, (whose, revoke) in _ways(stage, servers[0]).items():
            created = stage.key(whose)
            told = _everywhere(stage, servers, created)
            hold_answer(told, {GOOD}, "a new key")
            revoke(created)
            told = _everywhere(stage, servers, created)
            hold_answer(told, {REVOKED}, f"after {name} a key")
    _hold_nothing_is_kept(stage)
    _hold_late_bodies(stage)


def _ways(stage: Stage, server: Server) -> dict[str, tuple[Person, Way]]:
    """In which ways a key is revoked, and whose is."""
    owner, one, other = stage.person(), stage.person(Role.SUPPORT), stage.person(Role.SUPPORT)
    admin = stage.key(stage.person(Role.ADMIN), level=9)

    def rule(whose: Person, act: Way) -> tuple[Person, Way]:
        return whose, lambda created: stage.act(lambda: act(created))

    return {
        "a DELETE": (owner, lambda created: server.call("DELETE", f"/api/apikeys/{created.id}/key", created)),
        "a revocation by RFC 7009": (
            owner,
            lambda created: server.call("POST", "/api/revoke", admin, form={"token": created.secret}),
        ),
        "a report of a leak": (
            owner,
            lambda created: stage.call("POST", "/api/leaks", json={"secrets": [created.secret]}),
        ),
        "a click of its owner": rule(owner, lambda created: revocation.revoke_key(owner.actor, created.uuid)),
        "an operator": rule(owner, lambda created: actions.revoke_one(OPERATOR, created.uuid, why="-")),
        "a rotation": rule(owner, lambda created: rotation.rotate_key(owner.actor, created.uuid)),
        "a role that fell": rule(one, lambda _: set_role(one, Role.USER)),
        "a block": rule(other, lambda _: block(other)),
    }


def _everywhere(stage: Stage, servers: list[Server], created: CreatedKey) -> set[str]:
    """What each worker and each server process says of a key."""
    return {server.check(created) for server in servers} | {
        stage.check(created, worker=each) for each in (0, 1)
    }


def _hold_nothing_is_kept(stage: Stage) -> None:
    """Hold that a worker whose connection was lost believes nothing that it knew before."""
    owner = stage.person()
    created, verifier = stage.key(owner), runtime_of(stage.scratch.worker(1)).verifier
    verifier.close()
    hold(stage.check(created, worker=1) == GOOD, "a new key was refused")
    verifier.close()
    stage.act(lambda: revocation.revoke_key(owner.actor, created.uuid))
    stage.hold_check(created, REVOKED, "over a connection that was opened again a revoked key", worker=1)


def _hold_late_bodies(stage: Stage) -> None:
    """Hold that a key which is revoked between the head of its request and the body does nothing."""
    admin = stage.person(Role.ADMIN)
    other = stage.key(stage.person())
    for method, path, body in (
        ("POST", "/api/apikeys/key", {"name": "late", "level": 1, "expiresIn": 60}),
        ("PATCH", "/api/account/key", {"bio": "late"}),
        ("POST", "/api/introspect/batch", {"tokens": [other.secret]}),
    ):
        created = stage.key(admin, level=9)
        revoke = partial(lambda created: revocation.revoke_key(admin.actor, created.uuid), created)
        told = send_late(stage, method, path, body, revoke, by=created)
        by = Actor(ActorKind.KEY, admin.account_id, key_id=created.uuid)
        refused = stage.refusal(partial(change_account, by, bio="late"))
        hold(refused == REVOKED, f"a door let a key in before it was revoked, and it acted: {refused!r}")
        hold(told == REVOKED, f"a key that was revoked before the body of its {method} {path} came: {told}")


CHECKS = {"at-once": at_once}
