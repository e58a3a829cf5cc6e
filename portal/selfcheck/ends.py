"""How a key ends: at once, for good, with everything that ends its owner's rights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import update

from portal import clock
from portal.models import ApiKey, Consent, RevocationReason
from portal.permissions import Role
from portal.selfcheck.stage import DAY, GOOD, NOBODY, OPERATOR, REVOKED, Made, Person, Stage, hold
from portal.services.accounts import consent, recovery, removal
from portal.services.keys import creation, revocation
from portal.services.operators import actions

ROUNDS = 3
MAKERS = 3
ABOVE = """
    SELECT count(*) FROM api_keys k JOIN accounts a ON a.id = k.account_id
    WHERE k.account_id = :id AND k.revoked_at IS NULL AND k.level > 4 AND a.role = 'user'"""


def for_good(stage: Stage) -> None:
    """Take a revocation back with SQL, and make it another one."""
    owner = stage.person()
    made = stage.key(owner)
    stage.act(lambda: revocation.revoke_key(owner.actor, made.uuid))
    later = clock.utcnow() + timedelta(seconds=1)
    for change in (
        {"revoked_at": None, "revoked_reason": None},
        {"revoked_at": later},
        {"revoked_reason": RevocationReason.LEAKED},
    ):
        refused = stage.is_refused(update(ApiKey).where(ApiKey.id == made.uuid).values(change))
        hold(refused, f"the database let {' and '.join(change)} of a revoked key be changed")
    stage.act(lambda: revocation.revoke_key(owner.actor, made.uuid))
    stage.clock.forward(days=30)
    told = stage.check(made)
    hold(told == REVOKED, f"a month later a revoked key was answered with {told}")
    with stage.set_back():
        told = stage.check(made)
    hold(told == REVOKED, f"with a clock that was set back a revoked key was answered with {told}")


def role_falls(stage: Stage) -> None:
    """Lower a role, and raise it again."""
    _hold_ends(
        stage,
        lambda who: actions.set_role(OPERATOR, who.account_id, Role.USER),
        lambda who: actions.set_role(OPERATOR, who.account_id, Role.SUPPORT),
        past="role = 'user'",
    )


def role_moves(stage: Stage) -> None:
    """Raise a role, and move it to another one of the same level."""
    owner = stage.person()
    made = stage.key(owner)
    for role in (Role.TESTER, Role.USER, Role.SUPPORT):
        stage.act(lambda role=role: actions.set_role(OPERATOR, owner.account_id, role))  # type: ignore[misc]
        told = stage.check(made)
        hold(told == GOOD, f"after a move to the role {role} a key was answered with {told}")


def blocked(stage: Stage) -> None:
    """Block an account, and take the block away."""
    _hold_ends(
        stage,
        lambda who: actions.block(OPERATOR, who.account_id, why="a self-check"),
        lambda who: actions.unblock(OPERATOR, who.account_id, why="a self-check"),
        past="status = -2",
        shuts=True,
    )


def locked(stage: Stage) -> None:
    """Lock an account as its owner does, and open it with the link of the mail."""
    _hold_ends(
        stage,
        lambda who: recovery.lock(who.actor, who.password),
        lambda who: recovery.unlock(NOBODY, stage.link(who.email, "/unlock/")),
        past="status = -1",
        shuts=True,
    )


def consent_withdrawn(stage: Stage) -> None:
    """Withdraw consent, and give it again."""
    _hold_ends(
        stage,
        lambda who: consent.set_consent(who.actor, Consent.NONE),
        lambda who: consent.set_consent(who.actor, Consent.PROCESSING),
        past="consent = 0",
        shuts=True,
    )


def removed(stage: Stage) -> None:
    """Remove an account."""
    _hold_ends(
        stage,
        lambda who: removal.remove_account(who.actor, who.password),
        past="status = 0, removed_at = 1, email = NULL, lemail = NULL",
        shuts=True,
    )


def excessive(stage: Stage) -> None:
    """Revoke the keys of an account for excessive use, as operators do."""
    _hold_ends(stage, lambda who: actions.revoke_excessive(OPERATOR, who.account_id, why="a self-check"))


def race(stage: Stage) -> None:
    """Make keys of the highest level in several threads while another one lowers the role."""
    owner = stage.person(Role.SUPPORT)

    for _ in range(ROUNDS):
        make = partial(creation.create_key, owner.actor, name="race", level=8, life=DAY)
        stage.together(
            *[make] * MAKERS,
            lambda: actions.set_role(OPERATOR, owner.account_id, Role.USER),
            *[make] * MAKERS,
        )
        left = stage.rows(ABOVE, id=owner.account_id)[0][0]
        hold(left == 0, f"{left} living keys were left above the role")
        stage.act(lambda: actions.set_role(OPERATOR, owner.account_id, Role.SUPPORT))


def _hold_ends(
    stage: Stage,
    cause: Callable[[Person], object],
    undo: Callable[[Person], object] | None = None,
    *,
    past: str = "",
    shuts: bool = False,
) -> None:
    """Hold that a cause revokes all keys of an account, of no other, and that undoing it revives none.

    ``past`` brings the cause about by SQL alone, which leaves the keys as they are. What ``shuts``
    an account lets it have no new key either.
    """
    owner, other = stage.person(Role.SUPPORT), stage.person()
    hers, others = [stage.key(owner, level=level) for level in (0, 8)], stage.key(other)
    for made in (*hers, others):
        hold(stage.check(made, worker=1) == GOOD, "a new key was refused")
    if past:
        alone = f"UPDATE accounts SET {past} WHERE id = :id"  # noqa: S608  # ours
        hold(stage.is_refused(alone, id=owner.account_id), f"the database took {past} beside living keys")
    stage.act(lambda: cause(owner))
    _hold_revoked(stage, hers, "afterwards")
    hold(stage.check(others, worker=1) == GOOD, "a key of another account was revoked too")
    if shuts:
        told = stage.refusal(lambda: stage.key(owner, level=0))
        hold(told, "a new key was made afterwards")
        alive = {"revoked_at": None, "revoked_reason": None}
        hold(stage.insert_refused(hers[0], **alive), "the database took a new key afterwards")
        _hold_refused_all_the_same(stage, past)
    if undo is not None:
        stage.act(lambda: undo(owner))
        _hold_revoked(stage, hers, "after it was undone")


def _hold_refused_all_the_same(stage: Stage, past: str) -> None:
    """Hold that no door lets a key in whose account was shut past all guards, so that it lives."""
    owner = stage.person()
    made = stage.key(owner)
    hold(stage.check(made, worker=1) == GOOD, "a new key was refused")
    with stage.unguarded("accounts_keys", "accounts"):
        stage.write(f"UPDATE accounts SET {past} WHERE id = :id", id=owner.account_id)  # noqa: S608  # ours
    hold(stage.check(made, worker=1) != GOOD, f"beside {past} a living key was let in")


def _hold_revoked(stage: Stage, hers: list[Made], when: str) -> None:
    for made in hers:
        told = {stage.check(made, worker=worker) for worker in (0, 1)}
        hold(told == {REVOKED}, f"{when} a key was answered with {told}")


CHECKS = {
    "for-good": for_good,
    "role-falls": role_falls,
    "role-moves": role_moves,
    "blocked": blocked,
    "locked": locked,
    "consent-withdrawn": consent_withdrawn,
    "removed": removed,
    "excessive": excessive,
    "race": race,
}
