"""How a key ends: at once, for good, with everything that ends its owner's rights."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select, update

from portal import clock
from portal.models import Action, ApiKey, AuditEvent, Consent, MailKind, OutboxMail, Reason
from portal.permissions import Role
from portal.selfcheck.servers import Server, serving
from portal.selfcheck.stage import DAY, GOOD, NOBODY, OPERATOR, REVOKED, Made, Person, Stage, hold
from portal.services import keys, operators, profile, recovery, removal, rotation, secrets

ROUNDS = 3
MAKERS = 3
ABOVE = """
    SELECT count(*) FROM api_keys k JOIN accounts a ON a.id = k.account_id
    WHERE k.account_id = :id AND k.revoked_at IS NULL AND k.level > 4 AND a.role = 'user'"""


def at_once(stage: Stage) -> None:
    """Revoke what two server processes and two workers have just accepted, in each way that there is."""
    owner, one, other = stage.person(), stage.person(Role.SUPPORT), stage.person(Role.SUPPORT)
    admin = stage.key(stage.person(Role.ADMIN), level=9)
    with serving(stage.scratch.settings) as servers:
        first = servers[0]
        ways: dict[str, tuple[Person, Callable[[Made], object]]] = {
            "a DELETE": (owner, lambda made: first.call("DELETE", f"/api/apikeys/{made.id}/key", made)),
            "a revocation by RFC 7009": (
                owner,
                lambda made: first.call("POST", "/api/revoke", admin, form={"token": made.secret}),
            ),
            "a report of a leak": (
                owner,
                lambda made: stage.call("POST", "/api/leaks", json={"secrets": [made.secret]}),
            ),
            "a click of its owner": (
                owner,
                lambda made: stage.act(lambda: keys.revoke_key(owner.actor, made.uuid)),
            ),
            "an operator": (
                owner,
                lambda made: stage.act(lambda: operators.revoke_one(OPERATOR, made.uuid, why="-")),
            ),
            "a rotation": (
                owner,
                lambda made: stage.act(lambda: rotation.rotate_key(owner.actor, made.uuid)),
            ),
            "a role that fell": (
                one,
                lambda _: stage.act(lambda: operators.set_role(OPERATOR, one.account_id, Role.USER)),
            ),
            "a block": (
                other,
                lambda _: stage.act(lambda: operators.block(OPERATOR, other.account_id, why="-")),
            ),
        }
        for name, (whose, revoke) in ways.items():
            made = stage.key(whose)
            told = _everywhere(stage, servers, made)
            hold(told == {GOOD}, f"a new key was answered with {told}")
            revoke(made)
            told = _everywhere(stage, servers, made)
            hold(told == {REVOKED}, f"after {name} a key was answered with {told}")


def _everywhere(stage: Stage, servers: list[Server], made: Made) -> set[str]:
    """What each worker and each server process says of a key."""
    return {server.check(made) for server in servers} | {stage.check(made, worker=each) for each in (0, 1)}


def for_good(stage: Stage) -> None:
    """Take a revocation back with SQL, and make it another one."""
    owner = stage.person()
    made = stage.key(owner)
    stage.act(lambda: keys.revoke_key(owner.actor, made.uuid))
    later = clock.utcnow() + timedelta(seconds=1)
    for change in (
        {"revoked_at": None, "revoked_reason": None},
        {"revoked_at": later},
        {"revoked_reason": Reason.LEAKED},
    ):
        refused = stage.is_refused(update(ApiKey).where(ApiKey.id == made.uuid).values(change))
        hold(refused, f"the database let {' and '.join(change)} of a revoked key be changed")
    stage.act(lambda: keys.revoke_key(owner.actor, made.uuid))
    stage.clock.forward(days=30)
    told = stage.check(made)
    hold(told == REVOKED, f"a month later a revoked key was answered with {told}")


def role_falls(stage: Stage) -> None:
    """Lower a role, and raise it again."""
    _hold_ends(
        stage,
        lambda who: operators.set_role(OPERATOR, who.account_id, Role.USER),
        lambda who: operators.set_role(OPERATOR, who.account_id, Role.SUPPORT),
        past="role = 'user'",
    )


def role_moves(stage: Stage) -> None:
    """Raise a role, and move it to another one of the same level."""
    owner = stage.person()
    made = stage.key(owner)
    for role in (Role.TESTER, Role.USER, Role.SUPPORT):
        stage.act(lambda role=role: operators.set_role(OPERATOR, owner.account_id, role))  # type: ignore[misc]
        told = stage.check(made)
        hold(told == GOOD, f"after a move to the role {role} a key was answered with {told}")


def blocked(stage: Stage) -> None:
    """Block an account, and take the block away."""
    _hold_ends(
        stage,
        lambda who: operators.block(OPERATOR, who.account_id, why="a self-check"),
        lambda who: operators.unblock(OPERATOR, who.account_id, why="a self-check"),
        past="status = -2",
    )


def locked(stage: Stage) -> None:
    """Lock an account as its owner does, and open it with the link of the mail."""
    _hold_ends(
        stage,
        lambda who: recovery.lock(who.actor, who.password),
        lambda who: recovery.unlock(NOBODY, stage.link(who, "/unlock/")),
        past="status = -1",
    )


def consent_withdrawn(stage: Stage) -> None:
    """Withdraw consent, and give it again."""
    _hold_ends(
        stage,
        lambda who: profile.set_consent(who.actor, Consent.NONE),
        lambda who: profile.set_consent(who.actor, Consent.PROCESSING),
        past="consent = 0",
    )


def removed(stage: Stage) -> None:
    """Remove an account."""
    _hold_ends(
        stage,
        lambda who: removal.remove_account(who.actor, who.password),
        past="status = 0, removed_at = 1, email = NULL, lemail = NULL",
    )


def excessive(stage: Stage) -> None:
    """Revoke the keys of an account for excessive use, as operators do."""
    _hold_ends(stage, lambda who: operators.revoke_excessive(OPERATOR, who.account_id, why="a self-check"))


def race(stage: Stage) -> None:
    """Make keys of the highest level in several threads while another one lowers the role."""
    owner = stage.person(Role.SUPPORT)

    def make() -> object:
        return keys.create_key(owner.actor, name="race", level=8, life=DAY)

    for _ in range(ROUNDS):
        stage.together(
            *[make] * MAKERS,
            lambda: operators.set_role(OPERATOR, owner.account_id, Role.USER),
            *[make] * MAKERS,
        )
        left = stage.rows(ABOVE, id=owner.account_id)[0][0]
        hold(left == 0, f"{left} living keys were left above the role")
        stage.act(lambda: operators.set_role(OPERATOR, owner.account_id, Role.SUPPORT))


def rotated(stage: Stage) -> None:
    """Rotate a key: with an overlap, near its expiry, and four times at one moment."""
    owner = stage.person()
    old = stage.key(owner, life=timedelta(hours=30))
    new = _rotate(stage, owner, old, timedelta(hours=24))
    hold((stage.check(old), stage.check(new)) == (GOOD, GOOD), "during the overlap not both keys work")
    stage.clock.forward(hours=24)
    told = (stage.check(old), stage.check(new))
    hold(told == (REVOKED, GOOD), f"after the overlap the two keys were answered with {told}")
    for later in ("NULL", "retires_at + 1000", "expires_at"):
        moved = f"UPDATE api_keys SET retires_at = {later} WHERE retires_at > 0"  # noqa: S608  # ours
        hold(stage.is_refused(moved), f"the database let a retirement be moved to {later}")
    near = stage.key(owner, life=timedelta(hours=2))
    _rotate(stage, owner, near, timedelta(days=7))
    stage.clock.forward(hours=2)
    hold(stage.check(near) != GOOD, "an overlap let a key work on after its expiry")
    third = stage.key(owner)
    stage.together(*[lambda: rotation.rotate_key(owner.actor, third.uuid)] * 4)
    query = select(func.count()).select_from(ApiKey).where(ApiKey.replaces_id == third.uuid)
    made = stage.rows(query)[0][0]
    hold(made == 1, f"four rotations at one moment made {made} successors")


def leaked(stage: Stage) -> None:
    """Report a secret as a stranger, twice, beside one that is nobody's."""
    owner = stage.person()
    made, other = stage.key(owner), stage.key(owner)
    prefix = stage.scratch.worker().config["PORTAL"].key_prefix
    told = []
    for secret in (secrets.make_secret(prefix), made.secret, made.secret):
        answer = stage.call("POST", "/api/leaks", json={"secrets": [secret], "url": "https://example.org/x"})
        told.append((answer.status_code, answer.get_data()))
    hold(len(set(told)) == 1, "the answer tells whether a reported secret was one of ours")
    hold(stage.check(made, worker=1) == REVOKED, "a key whose secret was reported still works")
    hold(stage.check(other) == GOOD, "a key that was not reported was revoked too")
    _hold_line_ends(stage)
    for what, query in (
        (
            "records",
            select(func.count()).where(
                AuditEvent.key_id == made.uuid, AuditEvent.action == Action.KEY_REVOKED
            ),
        ),
        (
            "mails",
            select(func.count()).where(
                OutboxMail.account_id == owner.account_id, OutboxMail.kind == MailKind.KEYS_LEAKED
            ),
        ),
    ):
        found = stage.rows(query)[0][0]
        hold(found == 1, f"a leak that was reported twice left {found} {what}")


def _hold_line_ends(stage: Stage) -> None:
    """Hold that a report ends what came of a key before it: its successor, and what was created with it."""
    owner = stage.person()
    stolen = stage.key(owner, life=2 * DAY)
    wanted = {"name": "self-check", "level": 1, "expiresIn": 3600}
    told = stage.call("POST", "/api/apikeys/key", stolen, json=wanted).get_json()["apikey"]
    created = Made(told["key"], told["secret"])
    successor = _rotate(stage, owner, stolen, timedelta(0))
    stage.call("POST", "/api/leaks", json={"secrets": [stolen.secret]})
    for name, made in (("a successor", successor), ("a key that was created with it", created)):
        seen = stage.check(made, worker=1)
        hold(seen == REVOKED, f"{name} of a secret that was reported was answered with {seen}")


def _rotate(stage: Stage, owner: Person, old: Made, overlap: timedelta) -> Made:
    def rotate() -> Made:
        key, secret = rotation.rotate_key(owner.actor, old.uuid, overlap=overlap)
        return Made(str(key.id), secret)

    return stage.act(rotate)


def _hold_ends(
    stage: Stage,
    cause: Callable[[Person], object],
    undo: Callable[[Person], object] | None = None,
    *,
    past: str = "",
) -> None:
    """Hold that a cause revokes all keys of an account, of no other, and that undoing it revives none.

    ``past`` brings the cause about by SQL alone, which leaves the keys as they are.
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
    if undo is not None:
        stage.act(lambda: undo(owner))
        _hold_revoked(stage, hers, "after it was undone")


def _hold_revoked(stage: Stage, hers: list[Made], when: str) -> None:
    for made in hers:
        told = {stage.check(made, worker=worker) for worker in (0, 1)}
        hold(told == {REVOKED}, f"{when} a key was answered with {told}")


CHECKS = {
    "at-once": at_once,
    "for-good": for_good,
    "role-falls": role_falls,
    "role-moves": role_moves,
    "blocked": blocked,
    "locked": locked,
    "consent-withdrawn": consent_withdrawn,
    "removed": removed,
    "excessive": excessive,
    "leaked": leaked,
    "rotated": rotated,
    "race": race,
}
