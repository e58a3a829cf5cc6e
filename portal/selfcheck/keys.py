"""What a key is: fixed, with an end, and within its owner's rights."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, LargeBinary, String, Uuid, insert, update

from portal import clock
from portal.models.types import StrEnumType, UtcDateTime
from portal.permissions import LONGEST_LIFE, Role
from portal.selfcheck.answers import EXPIRED, GOOD, LEVEL, code, hold, hold_answer
from portal.selfcheck.scratch import CAP
from portal.selfcheck.stage import DAY, KEYS, NAME, CreatedKey, Person, Stage
from portal.services.keys import creation, revocation

MAY_CHANGE = {"revoked_at", "revoked_reason", "retires_at"}
"""How a key ends; that they can't be taken back is a promise of its own."""
TOO_MANY = 4


def immutable(stage: Stage) -> None:
    """Try to change each column of a key with SQL, to delete it, and to change it through the doors."""
    owner, other = stage.person(), stage.person()
    created, second = stage.key(owner), stage.key(owner)
    row = stage.row(created)
    others = {"account_id": other.account_id, "made_by_key_id": second.uuid, "replaces_id": second.uuid}
    for column in [each for each in KEYS.columns if each.name not in MAY_CHANGE]:
        value = others.get(column.name) or _another(column, row[column.name])
        changed = update(KEYS).where(KEYS.c.id == created.uuid).values({column.name: value})
        hold(stage.is_refused(changed), f"the database let {column.name} be changed")
    _hold_kept(stage, created)
    token = stage.jwt(owner)
    for method in ("PUT", "PATCH", "POST"):
        answer = stage.call(method, f"/api/apikeys/{created.id}/jwt", headers=token, json={"level": 0})
        hold(answer.status_code == 405, f"{method} on a key was answered with {answer.status_code}")
    hold(stage.row(created) == row, "something of a key is not what it was")


def _hold_kept(stage: Stage, created: CreatedKey) -> None:
    """Hold that a key is not taken away, and so can't come again as another."""
    hold(
        stage.is_refused(KEYS.delete().where(KEYS.c.id == created.uuid)), "the database let a key be deleted"
    )
    if stage.scratch.engine.dialect.name == "sqlite":
        another = stage.row(created) | {"name": "another"}
        over = insert(KEYS).prefix_with("OR REPLACE").values(another)
        hold(stage.is_refused(over), "the database let a key be written over")
    else:
        hold(stage.is_refused("TRUNCATE api_keys CASCADE"), "the database let all keys be taken away")


def expiry(stage: Stage) -> None:
    """Use a key in the last millisecond of its life, and in the first after it."""
    created = stage.key(stage.person(), life=DAY)
    stage.clock.forward(days=1)
    stage.hold_check(created, EXPIRED, "at the second of its expiry a key")
    created = stage.key(stage.person(), life=DAY)
    stage.clock.forward(milliseconds=86_399_999)
    stage.hold_check(created, GOOD, "a millisecond before its expiry a key")
    stage.clock.forward(milliseconds=1)
    stage.hold_check(created, EXPIRED, "a millisecond later it")
    stage.clock.forward(hours=1)
    hold(stage.check(stage.key(stage.person())) == GOOD, "a new key was refused")
    with stage.set_back():
        stage.hold_check(created, EXPIRED, "with a clock that was set back it")


def longest_life(stage: Stage) -> None:
    """Ask for more than a year: of the rules, of the API, and of the database."""
    owner = stage.person()
    created = stage.key(owner, life=LONGEST_LIFE)
    longer = LONGEST_LIFE + timedelta(seconds=1)
    _hold_refused(stage, owner, "expiresInHigherThanMaximum", "a second more than a year", life=longer)
    row = stage.row(created)
    later = row["expires_at"] + timedelta(milliseconds=1)
    hold(stage.insert_refused(created, expires_at=later), "the database let a key live for more than a year")
    hold(stage.insert_refused(created, expires_at=row["created_at"]), "a key had no life at all")


def level_role(stage: Stage) -> None:
    """Ask for more than the role has: of the rules, of the API and of the database; lower the role."""
    for role in (Role.USER, Role.SUPPORT):
        owner, above = stage.person(role), role.level + 1
        created = stage.key(owner, level=role.level)
        _hold_refused(stage, owner, "keyLevelExceedsRoleLevel", f"level {above}", level=above)
        hold(stage.insert_refused(created, level=above), f"the database let a {role} have level {above}")
    owner = stage.person(Role.SUPPORT)
    stage.key(owner, level=0)
    fall = "UPDATE accounts SET role = 'user' WHERE id = :id"
    hold(stage.is_refused(fall, id=owner.account_id), "the database let the role of living keys fall")
    high = stage.key(owner, level=8)
    stage.write_unguarded(fall, id=owner.account_id)
    told = code(stage.call("GET", "/api/authorize?level=5", high))
    hold_answer(told, LEVEL, "a key above the role of its owner")


def _hold_refused(
    stage: Stage, owner: Person, expected: str, what: str, *, level: int = 1, life: timedelta = DAY
) -> None:
    """Hold that neither the rules nor the API make a key of more than may be."""
    wanted = {"name": NAME, "level": level, "expiresIn": int(life.total_seconds())}
    answer = stage.call("POST", "/api/apikeys/jwt", headers=stage.jwt(owner), json=wanted)
    for asked, told in (
        ("rules", stage.refusal(lambda: stage.key(owner, level=level, life=life))),
        ("API", answer.get_json().get("error", "")),
    ):
        hold(told == expected, f"the {asked} answered {what} with {told!r}")


def level_maker(stage: Stage) -> None:
    """Have a key make one above itself, and one that outlives it."""
    owner = stage.person(Role.SUPPORT)
    maker = stage.key(owner, level=4, life=DAY)
    wanted = {"name": "made with a key", "level": 5, "expiresIn": int(DAY.total_seconds())}
    answer = stage.call("POST", "/api/apikeys/key", maker, json=wanted)
    hold(answer.status_code == 400, f"a key made one above itself: {answer.status_code}")
    stage.clock.forward(hours=1)
    created, row = stage.row(stage.key_by(maker, level=4)), stage.row(maker)
    hold(created["expires_at"] == row["expires_at"], "a key outlives the key that made it")
    hold(created["made_by_key_id"] == maker.uuid, "nobody knows which key made it")
    hold(not stage.insert_refused(maker, made_by_key_id=maker.uuid), "the database refused what is in order")
    for change in ({"level": 5}, {"expires_at": row["expires_at"] + timedelta(milliseconds=1)}):
        refused = stage.insert_refused(maker, made_by_key_id=maker.uuid, **change)
        hold(refused, f"the database let a key exceed its maker in {next(iter(change))}")
    _hold_ends_with_maker(stage, owner, maker)


def _hold_ends_with_maker(stage: Stage, owner: Person, maker: CreatedKey) -> None:
    """Hold that what a key makes ends with it, also where it was rotated, and that a dead key makes none."""
    stage.rotate(owner, maker, timedelta(hours=1))
    created, retires_at = stage.row(stage.key_by(maker)), stage.row(maker)["retires_at"]
    hold(created["expires_at"] == retires_at, "a key outlives the retirement of the key that made it")
    like = {"made_by_key_id": maker.uuid, "retires_at": None}
    later = {"expires_at": retires_at + timedelta(milliseconds=1)}
    hold(stage.insert_refused(maker, **like, **later), "the database let a key outlive a retirement")
    stage.act(lambda: revocation.revoke_key(owner.actor, maker.uuid))
    like |= {"revoked_at": None, "revoked_reason": None, "expires_at": retires_at}
    hold(stage.insert_refused(maker, **like), "the database let a revoked key make another")


def capped(stage: Stage) -> None:
    """Make more keys at one moment than an account may have; one more; and more by rotation."""
    owner = stage.person()
    actor = owner.actor

    def make() -> CreatedKey:
        return CreatedKey.of(creation.create_key(actor, name="cap", level=1, life=DAY))

    created = [each for each in stage.together(*[make] * (CAP + TOO_MANY)) if isinstance(each, CreatedKey)]
    hold(len(created) == CAP, f"{CAP + TOO_MANY} at one moment made {len(created)} keys where {CAP} may be")
    stage.hold_refused(make, "tooManyKeys", "one more")
    ended = created[0]
    stage.act(lambda: revocation.revoke_key(owner.actor, ended.uuid))
    stage.act(make)
    successor = "a successor of a key that has ended"
    stage.hold_refused(lambda: stage.rotate(owner, ended), "tooManyKeys", successor)
    _hold_overlaps(stage)


def _hold_overlaps(stage: Stage) -> None:
    """Hold that keys which were rotated, and still work for a day, are no way around the number."""
    owner = stage.person()
    created = [stage.rotate(owner, stage.key(owner), DAY) for _ in range(CAP)]
    told = stage.refusal(lambda: stage.rotate(owner, created[0], DAY))
    hold(told == "tooManyKeys", f"{CAP} overlaps and one more were answered with {told!r}")


def _another(column: Column[Any], value: Any) -> Any:
    """A value that fits the column and is not the one that is there."""
    kind = column.type
    if isinstance(kind, StrEnumType):
        return next(each for each in kind.enum if each != value)
    if isinstance(kind, UtcDateTime):
        return clock.from_ms(0) if value is None else value - timedelta(seconds=1)
    if isinstance(kind, Uuid):
        return uuid4()
    if isinstance(kind, LargeBinary):
        return bytes(32)
    return f"{value}x" if isinstance(kind, String) else (value or 3600) - 1


CHECKS = {
    "immutable": immutable,
    "expiry": expiry,
    "longest-life": longest_life,
    "level-role": level_role,
    "level-maker": level_maker,
    "capped": capped,
}
