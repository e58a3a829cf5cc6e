"""How a key ends: at once, for good, with everything that ends its owner's rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import update

from portal import clock
from portal.models import ApiKey, Consent, RevocationReason
from portal.permissions import Role
from portal.selfcheck.answers import GOOD, REVOKED, hold, hold_answer
from portal.selfcheck.stage import DAY, NOBODY, OPERATOR, CreatedKey, Person, Stage
from portal.services.accounts import recovery, removal
from portal.services.accounts.update import change_account
from portal.services.keys import creation, revocation
from portal.services.operators import actions

Deed = Callable[[Stage, Person], object]

ROUNDS = 3
MAKERS = 3
ABOVE = """
    SELECT count(*) FROM api_keys k JOIN accounts a ON a.id = k.account_id
    WHERE k.account_id = :id AND k.revoked_at IS NULL AND k.level > 4 AND a.role = 'user'"""


def block(who: Person) -> object:
    """Block an account, as an operator does."""
    return actions.block(OPERATOR, who.account_id, why="a self-check")


def unblock(who: Person) -> object:
    """Take the block away."""
    return actions.unblock(OPERATOR, who.account_id, why="a self-check")


def set_role(who: Person, role: Role) -> object:
    """Give an account another role, as an operator does."""
    return actions.set_role(OPERATOR, who.account_id, role)


def for_good(stage: Stage) -> None:
    """Take a revocation back with SQL, and make it another one."""
    owner = stage.person()
    created = stage.key(owner)
    stage.act(lambda: revocation.revoke_key(owner.actor, created.uuid))
    later = clock.utcnow() + timedelta(seconds=1)
    for change in (
        {"revoked_at": None, "revoked_reason": None},
        {"revoked_at": later},
        {"revoked_reason": RevocationReason.LEAKED},
    ):
        refused = stage.is_refused(update(ApiKey).where(ApiKey.id == created.uuid).values(change))
        hold(refused, f"the database let {' and '.join(change)} of a revoked key be changed")
    stage.act(lambda: revocation.revoke_key(owner.actor, created.uuid))
    stage.clock.forward(days=30)
    stage.hold_check(created, REVOKED, "a month later a revoked key")
    with stage.set_back():
        stage.hold_check(created, REVOKED, "with a clock that was set back a revoked key")


def role_moves(stage: Stage) -> None:
    """Raise a role, and move it to another one of the same level."""
    owner = stage.person()
    created = stage.key(owner)
    for role in (Role.TESTER, Role.USER, Role.SUPPORT):
        stage.act(partial(set_role, owner, role))
        stage.hold_check(created, GOOD, f"after a move to the role {role} a key")


def race(stage: Stage) -> None:
    """Make keys of the highest level in several threads while another one lowers the role."""
    owner = stage.person(Role.SUPPORT)

    for _ in range(ROUNDS):
        make = partial(creation.create_key, owner.actor, name="race", level=8, life=DAY)
        stage.together(*[make] * MAKERS, partial(set_role, owner, Role.USER), *[make] * MAKERS)
        left = stage.rows(ABOVE, id=owner.account_id)[0][0]
        hold(left == 0, f"{left} living keys were left above the role")
        stage.act(partial(set_role, owner, Role.SUPPORT))


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that ends all keys of an account, and how it is taken back, if it can be.

    ``past`` brings it about by SQL alone, which leaves the keys as they are. What ``shuts`` an
    account lets it have no new key either.
    """

    act: Deed
    undo: Deed | None = None
    past: str = ""
    shuts: bool = False


CAUSES = {
    "role-falls": Cause(
        lambda _stage, who: set_role(who, Role.USER),
        lambda _stage, who: set_role(who, Role.SUPPORT),
        "role = 'user'",
    ),
    "blocked": Cause(
        lambda _stage, who: block(who), lambda _stage, who: unblock(who), "status = -2", shuts=True
    ),
    "locked": Cause(
        lambda _stage, who: recovery.lock(who.actor, who.password),
        lambda stage, who: recovery.unlock(NOBODY, stage.link(who.email, "/unlock/")),
        "status = -1",
        shuts=True,
    ),
    "consent-withdrawn": Cause(
        lambda _stage, who: change_account(who.actor, consent=Consent.NONE),
        lambda _stage, who: change_account(who.actor, consent=Consent.PROCESSING),
        "consent = 0",
        shuts=True,
    ),
    "removed": Cause(
        lambda _stage, who: removal.remove_account(who.actor, who.password),
        past="status = 0, removed_at = 1, email = NULL, lemail = NULL",
        shuts=True,
    ),
    "excessive": Cause(
        lambda _stage, who: actions.revoke_excessive(OPERATOR, who.account_id, why="a self-check")
    ),
}


def _hold_ends(stage: Stage, cause: Cause) -> None:
    """Hold that a cause revokes all keys of an account, of no other, and that undoing it revives none."""
    owner, other = stage.person(Role.SUPPORT), stage.person()
    hers, others = [stage.key(owner, level=level) for level in (0, 8)], stage.key(other)
    for created in (*hers, others):
        hold(stage.check(created, worker=1) == GOOD, "a new key was refused")
    if cause.past:
        alone = f"UPDATE accounts SET {cause.past} WHERE id = :id"  # noqa: S608  # ours
        refused = stage.is_refused(alone, id=owner.account_id)
        hold(refused, f"the database took {cause.past} beside living keys")
    stage.act(partial(cause.act, stage, owner))
    _hold_revoked(stage, hers, "afterwards")
    hold(stage.check(others, worker=1) == GOOD, "a key of another account was revoked too")
    if cause.shuts:
        told = stage.refusal(lambda: stage.key(owner, level=0))
        hold(told, "a new key was made afterwards")
        alive = {"revoked_at": None, "revoked_reason": None}
        hold(stage.insert_refused(hers[0], **alive), "the database took a new key afterwards")
        _hold_refused_all_the_same(stage, cause.past)
    if cause.undo is not None:
        stage.act(partial(cause.undo, stage, owner))
        _hold_revoked(stage, hers, "after it was undone")


def _hold_refused_all_the_same(stage: Stage, past: str) -> None:
    """Hold that no door lets a key in whose account was shut past all guards, so that it lives."""
    owner = stage.person()
    created = stage.key(owner)
    hold(stage.check(created, worker=1) == GOOD, "a new key was refused")
    stage.write_unguarded(f"UPDATE accounts SET {past} WHERE id = :id", id=owner.account_id)  # noqa: S608  # ours
    hold(stage.check(created, worker=1) != GOOD, f"beside {past} a living key was let in")


def _hold_revoked(stage: Stage, hers: list[CreatedKey], when: str) -> None:
    for created in hers:
        told = {stage.check(created, worker=worker) for worker in (0, 1)}
        hold_answer(told, {REVOKED}, f"{when} a key")


CHECKS = {"for-good": for_good, "role-moves": role_moves, "race": race} | {
    name: partial(_hold_ends, cause=cause) for name, cause in CAUSES.items()
}
