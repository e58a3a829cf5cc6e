"""The audit log: every act leaves its line, no line goes, and nothing is half done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from threading import get_ident
from typing import Any

from sqlalchemy import Connection, event, insert, select
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.extensions import Base
from portal.models import Account, AccountStatus, Action, ActorKind, AuditEvent, Consent
from portal.permissions import Role
from portal.selfcheck.answers import hold
from portal.selfcheck.ends import block, set_role, unblock
from portal.selfcheck.stage import DAY, KEYS, OPERATOR, Person, Stage
from portal.services.accounts import recovery, removal
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.keys import creation, revocation, rotation
from portal.services.operators import actions
from portal.services.operators import queries as operator_queries

Acts = tuple[Callable[[], object], Callable[[], object]]

MOST_STATEMENTS = 40
"""No use case here writes more often in one transaction."""
SHELL = Actor.command_line({"user": "self-check", "host": "self-check"})


def recorded(stage: Stage) -> None:
    """Do what can be done to a key and an account, and look for the line of each act."""
    owner = stage.person(Role.SUPPORT)
    created, old, third = stage.key(owner), stage.key(owner), stage.key(owner)
    who = owner.account_id
    acts: dict[Action, Callable[[], object]] = {
        Action.KEY_CREATED: lambda: creation.create_key(owner.actor, name="one more", level=1, life=DAY),
        Action.KEY_ROTATED: lambda: rotation.rotate_key(owner.actor, old.uuid),
        Action.KEY_REVOKED: lambda: revocation.revoke_key(owner.actor, created.uuid),
        Action.ACCOUNT_UPDATED: lambda: change_account(owner.actor, bio="self-check"),
        Action.KEYS_REVOKED: lambda: actions.revoke_excessive(SHELL, who, why="why it was"),
        Action.ACCOUNT_ROLE_CHANGED: lambda: actions.set_role(SHELL, who, Role.USER),
        Action.ACCOUNT_BLOCKED: lambda: actions.block(SHELL, who, why="why it was"),
        Action.ACCOUNT_UNBLOCKED: lambda: actions.unblock(SHELL, who, why="why it was"),
        Action.CONSENT_WITHDRAWN: lambda: change_account(owner.actor, consent=Consent.NONE),
        Action.CONSENT_GIVEN: lambda: change_account(owner.actor, consent=Consent.PROCESSING),
        Action.ACCOUNT_LOCKED: lambda: recovery.lock(owner.actor, owner.password),
    }
    hold(stage.check(third) == "good", "a new key was refused")
    for action, act in acts.items():
        before = _events(stage, who, action)
        stage.act(act)
        after = _events(stage, who, action)
        left = len(after) - len(before)
        hold(left == 1, f"{action.value} left {left} lines in the record")
        _hold_told(stage, action, after[-1])
    _hold_keys_named(stage, who)
    unsaid = "an operator who tells no reason"
    stage.hold_refused(lambda: actions.block(SHELL, who, why=" "), "reasonMissing", unsaid)
    _hold_key_acts(stage)


def _hold_keys_named(stage: Stage, account_id: int) -> None:
    """Hold that the audit log names each key that has ended, also of those that ended together."""
    ended = select(KEYS.c.id).where(KEYS.c.account_id == account_id, KEYS.c.revoked_at.is_not(None))
    named = select(AuditEvent.key_id).where(AuditEvent.action == Action.KEY_REVOKED)
    unnamed = {*stage.rows(ended)} - {*stage.rows(named)}
    hold(not unnamed, f"the record does not tell of {len(unnamed)} keys that they were revoked")


def _hold_key_acts(stage: Stage) -> None:
    """Hold that the audit log tells which key acted and on which; and who looked at an account."""
    owner, support = stage.person(), stage.person(Role.SUPPORT)
    created = stage.key(owner)
    told = stage.key_by(created)
    query = select(AuditEvent.actor_key_id, AuditEvent.key_id).where(
        AuditEvent.account_id == owner.account_id, AuditEvent.action == Action.KEY_CREATED
    )
    line = stage.rows(query.order_by(AuditEvent.id.desc()).limit(1))
    hold(line == [(created.uuid, told.uuid)], "the record does not tell which key acted, or on which")
    stage.act(lambda: operator_queries.read_account(support.actor, owner.account_id))
    looked = _events(stage, owner.account_id, Action.ACCOUNT_READ)
    hold([line[1] for line in looked] == [support.account_id], "the record does not tell who looked")


def append_only(stage: Stage) -> None:
    """Change the audit log, and take lines out of it, with SQL."""
    stage.key(stage.person())
    ended = {"action": Action.AUDIT_LOG_ENDED, "actor_kind": ActorKind.SYSTEM, "details": {"before": 10**12}}
    for at in (clock.from_ms(0), clock.utcnow() + 800 * DAY):  # as if the retention had said so
        stage.write(insert(AuditEvent).values(at=at, **ended))
    everything = select(AuditEvent.__table__).order_by(AuditEvent.id)
    before = stage.rows(everything)
    oldest = "DELETE FROM audit_events WHERE id = (SELECT min(id) FROM audit_events)"
    statements = ["UPDATE audit_events SET reason = 'x'", "DELETE FROM audit_events", oldest]
    if stage.scratch.engine.dialect.name == "postgresql":
        statements += ["TRUNCATE audit_events", "TRUNCATE audit_events CASCADE"]
    else:
        statements.append("INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events")
    for statement in statements:
        hold(stage.is_refused(statement), f"the database took: {statement}")
    hold(stage.rows(everything) == before, "the record is not what it was")


def together(stage: Stage) -> None:
    """Do each act again and again while another one of its writes fails."""
    stage.scratch.close()
    owner = stage.person()
    created, old = stage.key(owner), stage.key(owner)
    acts: dict[str, Callable[[], object]] = {
        "making a key": lambda: creation.create_key(owner.actor, name="half", level=1, life=DAY),
        "rotating a key": lambda: rotation.rotate_key(owner.actor, old.uuid),
        "revoking a key": lambda: revocation.revoke_key(owner.actor, created.uuid),
        "a block": lambda: block(owner),
        "a removal": lambda: removal.remove_account(owner.actor, owner.password),
    }
    for name, act in acts.items():
        if name == "a removal":
            stage.act(lambda: unblock(owner))
            stage.act(lambda: owner.actor)  # the block has ended their session
        before = _everything(stage)
        for failing in count(1):
            hold(failing < MOST_STATEMENTS, f"{name} can't be made to fail")
            with _failing(stage, failing):
                try:
                    stage.act(act)
                    break
                except OperationalError:
                    pass
            hold(_everything(stage) == before, f"{name} was half done when its write {failing} failed")


def last_admin(stage: Stage) -> None:
    """Let two admins end each other at one moment, and be ended at one; then the last one alone."""
    last = [_left_of_two(stage, way) for way in (_end_each_other, _are_ended, _are_ended)][-1]
    shut = stage.person(Role.ADMIN)
    stage.act(lambda: block(shut))
    ends: dict[str, Callable[[], object]] = {
        "a fall": lambda: set_role(last, Role.SUPPORT),
        "a block": lambda: block(last),
        "a lock": lambda: recovery.lock(last.actor, last.password),
        "a removal": lambda: removal.remove_account(last.actor, last.password),
    }
    for name, act in ends.items():
        stage.hold_refused(act, "lastAdmin", f"{name} of the last admin")


def _left_of_two(stage: Stage, way: Callable[[Person, Person], Acts]) -> Person:
    """Hold that of two admins, the only ones, who are ended at one moment one is left; return them."""
    one, two = stage.person(Role.ADMIN), stage.person(Role.ADMIN)
    admins = select(Account.id).where(Account.role == Role.ADMIN)
    for [other] in stage.rows(admins.where(Account.id.not_in([one.account_id, two.account_id]))):
        stage.act(partial(actions.set_role, OPERATOR, other, Role.USER))
    stage.together(*way(one, two))
    left = [row[0] for row in stage.rows(admins.where(Account.status == AccountStatus.ACTIVE))]
    hold(len(left) == 1, f"{len(left)} admins were left of two who were ended at one moment")
    return one if left == [one.account_id] else two


def _end_each_other(one: Person, two: Person) -> Acts:
    return (
        lambda: actions.set_role(one.actor, two.account_id, Role.USER),
        lambda: actions.block(two.actor, one.account_id, why="a self-check"),
    )


def _are_ended(one: Person, two: Person) -> Acts:
    return lambda: set_role(one, Role.USER), lambda: block(two)


def _events(stage: Stage, account_id: int, action: Action) -> list[tuple[Any, ...]]:
    told = (AuditEvent.actor_kind, AuditEvent.actor_account_id, AuditEvent.ip_address)
    query = select(*told, AuditEvent.reason, AuditEvent.details)
    condition = (AuditEvent.account_id == account_id, AuditEvent.action == action)
    return stage.rows(query.where(*condition).order_by(AuditEvent.id))


def _hold_told(stage: Stage, action: Action, line: tuple[Any, ...]) -> None:
    """Hold that a line tells who acted and from where, and of an operator why."""
    kind, account_id, ip_address, reason, details = line
    if kind == SHELL.kind:
        needs_none = action is Action.ACCOUNT_ROLE_CHANGED
        hold(needs_none or reason == "why it was", f"the record does not tell why: {action.value}")
        hold(details.items() >= SHELL.shell.items(), f"the record does not tell whose shell: {action.value}")
        return
    hold(account_id is not None, f"the record does not tell who acted: {action.value}")
    hold(ip_address == stage.ip_address, f"the record does not tell from where: {action.value}")


def _everything(stage: Stage) -> dict[str, list[tuple[Any, ...]]]:
    """Every row there is, but for the counts of tries, which stay when the act fails."""
    tables = [table for table in Base.metadata.sorted_tables if table.name != "limit_counters"]
    return {table.name: sorted(stage.rows(select(table)), key=repr) for table in tables}


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


CHECKS = {"recorded": recorded, "append-only": append_only, "together": together, "last-admin": last_admin}
