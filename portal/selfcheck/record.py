"""The record: every act leaves its line, no line goes, and nothing is half done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import get_ident
from typing import Any

from sqlalchemy import Connection, event, select
from sqlalchemy.exc import OperationalError

from portal.extensions import Base
from portal.models import Account, Action, AuditEvent, Consent, Status
from portal.permissions import Role
from portal.selfcheck.stage import DAY, OPERATOR, Person, Stage, hold
from portal.services import keys, operators, profile, recovery, removal, rotation

MOST_STATEMENTS = 40
"""No use case here writes more often in one transaction."""
KEPT = ("accounts", "api_keys", "audit_events", "mail_tokens", "outbox", "sessions")
"""What is written for an act; what is counted by the way is not."""


def recorded(stage: Stage) -> None:
    """Do what can be done to a key and an account, and look for the line of each act."""
    owner = stage.person(Role.SUPPORT)
    made, old, third = stage.key(owner), stage.key(owner), stage.key(owner)
    who = owner.account_id
    acts: dict[Action, Callable[[], object]] = {
        Action.KEY_CREATED: lambda: keys.create_key(owner.actor, name="one more", level=1, life=DAY),
        Action.KEY_ROTATED: lambda: rotation.rotate_key(owner.actor, old.uuid),
        Action.KEY_REVOKED: lambda: keys.revoke_key(owner.actor, made.uuid),
        Action.ACCOUNT_UPDATED: lambda: profile.update_profile(owner.actor, bio="self-check"),
        Action.KEYS_REVOKED: lambda: operators.revoke_excessive(OPERATOR, who, why="why it was"),
        Action.ACCOUNT_ROLE_CHANGED: lambda: operators.set_role(OPERATOR, who, Role.USER),
        Action.ACCOUNT_BLOCKED: lambda: operators.block(OPERATOR, who, why="why it was"),
        Action.ACCOUNT_UNBLOCKED: lambda: operators.unblock(OPERATOR, who, why="why it was"),
        Action.CONSENT_WITHDRAWN: lambda: profile.set_consent(owner.actor, Consent.NONE),
        Action.CONSENT_GIVEN: lambda: profile.set_consent(owner.actor, Consent.PROCESSING),
        Action.ACCOUNT_LOCKED: lambda: recovery.lock(owner.actor, owner.password),
    }
    hold(stage.check(third) == "good", "a new key was refused")
    for action, act in acts.items():
        before = _events(stage, who, action)
        stage.act(act)
        after = _events(stage, who, action)
        hold(len(after) == len(before) + 1, f"{action} left {len(after) - len(before)} lines in the record")
        _hold_told(stage, action, after[-1])


def append_only(stage: Stage) -> None:
    """Change the record, and take lines out of it, with SQL."""
    stage.key(stage.person())
    everything = select(AuditEvent.__table__).order_by(AuditEvent.id)
    before = stage.rows(everything)
    statements = ["UPDATE audit_events SET reason = 'x'", "DELETE FROM audit_events"]
    if stage.scratch.engine.dialect.name == "postgresql":
        statements += ["TRUNCATE audit_events", "TRUNCATE audit_events CASCADE"]
    else:
        statements.append("INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events")
    for statement in statements:
        hold(stage.is_refused(statement), f"the database took: {statement}")
    hold(
        stage.rows(everything) == before,
        "the record is not what it was",
    )


def together(stage: Stage) -> None:
    """Do each act again and again while another one of its writes fails."""
    stage.scratch.close()
    owner = stage.person()
    made, old = stage.key(owner), stage.key(owner)
    acts: dict[str, Callable[[], object]] = {
        "making a key": lambda: keys.create_key(owner.actor, name="half", level=1, life=DAY),
        "rotating a key": lambda: rotation.rotate_key(owner.actor, old.uuid),
        "revoking a key": lambda: keys.revoke_key(owner.actor, made.uuid),
        "a block": lambda: operators.block(OPERATOR, owner.account_id, why="a self-check"),
        "a removal": lambda: removal.remove_account(owner.actor, owner.password),
    }
    for name, act in list(acts.items()):
        if name == "a removal":
            stage.act(lambda: operators.unblock(OPERATOR, owner.account_id, why="a self-check"))
            stage.act(lambda: owner.actor)  # the block has ended their session
        for failing in count(1):
            hold(failing < MOST_STATEMENTS, f"{name} can't be made to fail")
            before = _everything(stage)
            with _failing(stage, failing):
                try:
                    stage.act(act)
                    break
                except OperationalError:
                    pass
            hold(_everything(stage) == before, f"{name} was half done when its write {failing} failed")


def last_admin(stage: Stage) -> None:
    """Let two admins end each other at one moment, then the last one be ended alone."""
    one, two = stage.person(Role.ADMIN), stage.person(Role.ADMIN)
    for other in stage.rows(select(Account.id).where(Account.role == Role.ADMIN)):
        if other[0] not in {one.account_id, two.account_id}:
            stage.act(lambda other=other: operators.set_role(OPERATOR, other[0], Role.USER))  # type: ignore[misc]
    stage.together(
        lambda: operators.set_role(one.actor, two.account_id, Role.USER),
        lambda: operators.block(two.actor, one.account_id, why="a self-check"),
    )
    active = select(Account.id).where(Account.role == Role.ADMIN, Account.status == Status.ACTIVE)
    left = [row[0] for row in stage.rows(active)]
    hold(len(left) == 1, f"{len(left)} admins were left of two who ended each other")
    for name, act in _ends_of(one if left == [one.account_id] else two).items():
        told = stage.refusal(act)
        hold(told == "lastAdmin", f"{name} of the last admin was answered with {told!r}")


def _ends_of(admin: Person) -> dict[str, Callable[[], object]]:
    return {
        "a fall": lambda: operators.set_role(OPERATOR, admin.account_id, Role.SUPPORT),
        "a block": lambda: operators.block(OPERATOR, admin.account_id, why="a self-check"),
        "a lock": lambda: recovery.lock(admin.actor, admin.password),
        "a removal": lambda: removal.remove_account(admin.actor, admin.password),
    }


def _events(stage: Stage, account_id: int, action: Action) -> list[tuple[Any, ...]]:
    query = select(AuditEvent.actor_kind, AuditEvent.actor_account_id, AuditEvent.address, AuditEvent.reason)
    condition = (AuditEvent.account_id == account_id, AuditEvent.action == action)
    return stage.rows(query.where(*condition).order_by(AuditEvent.id))


def _hold_told(stage: Stage, action: Action, line: tuple[Any, ...]) -> None:
    """Hold that a line tells who acted and from where, and of an operator why."""
    kind, account_id, address, reason = line
    if kind == OPERATOR.kind:
        needs_none = action is Action.ACCOUNT_ROLE_CHANGED
        hold(needs_none or reason == "why it was", f"the record does not tell why: {action}")
        return
    hold(account_id is not None, f"the record does not tell who acted: {action}")
    hold(address == stage.address, f"the record does not tell from where: {action}")


def _everything(stage: Stage) -> dict[str, list[tuple[Any, ...]]]:
    return {table.name: sorted(stage.rows(select(table)), key=repr) for table in Base.metadata.sorted_tables}


@contextmanager
def _failing(stage: Stage, number: int) -> Iterator[None]:
    """Let the write of this number, counted from 1, fail in the block."""
    numbers, me = count(1), get_ident()

    def fail(_connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        writes = get_ident() == me and statement.lstrip()[:6].upper() in {"INSERT", "UPDATE", "DELETE"}
        if writes and next(numbers) == number:
            raise OperationalError(statement, None, OSError("a self-check"))

    event.listen(stage.scratch.engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(stage.scratch.engine, "before_cursor_execute", fail)


CHECKS = {
    "recorded": recorded,
    "append-only": append_only,
    "together": together,
    "last-admin": last_admin,
}
