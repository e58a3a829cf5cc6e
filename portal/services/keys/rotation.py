"""Rotation: a successor takes a key's place, after an overlap in which both work.

``docs/decisions/0009-rotation.md`` says why it is as it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db
from portal.models import Account, Action, ApiKey, KeyUsage, MailKind, RevocationReason
from portal.permissions import WRITE_ACCOUNT, Role
from portal.services.auth.admission import account_id_of, admit
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import AlreadyRotated, InvalidInput, NotFound
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.core.upsert import insert_into
from portal.services.keys import conditions, creation, quotas, revocation
from portal.services.keys.issuing import KeySpec, issue, refuse_second
from portal.services.keys.queries import find_successor, owned
from portal.services.mail import outbox
from portal.services.ratelimits import questions

OVERLAPS = (timedelta(0), timedelta(hours=1), timedelta(hours=24), timedelta(days=7))
AT_ONCE = OVERLAPS[0]
ROTATED_OUT = frozenset({None, RevocationReason.REPLACED, RevocationReason.OWNER})
"""Ends after which a use of the old secret is news; after the others its owner knows why."""
IN_A_ROUND = 500


def rotate_key(actor: Actor, key_id: UUID, *, overlap: timedelta = AT_ONCE) -> tuple[ApiKey, str]:
    """Make a successor with the same settings and a new secret; return it with that secret.

    The old key works on for ``overlap``, one of :data:`OVERLAPS`, and never past its own
    expiry; without one it is revoked at once. A key that has ended gets a successor too.
    Raises NotFound for a key that is not there or not the actor's, AlreadyRotated for one
    that has a successor, InvalidInput; else as :func:`portal.services.keys.creation.create_key`.
    """
    if overlap not in OVERLAPS:
        raise InvalidInput("overlapInvalid", "overlap")
    questions.require(questions.may_issue_key(account_id_of(actor)))
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT)
        refuse_second(session, actor, account)
        old = session.scalars(owned(account.id, key_id)).one_or_none()
        if old is None:
            raise NotFound
        successor = find_successor(old)
        if successor is not None:
            raise AlreadyRotated(successor.id)
        now = clock.utcnow()
        was_live = old.is_live(now)
        if was_live and overlap:
            quotas.refuse_one_more_overlap(account)
        wanted = _wanted_like(old, account.role, now)
        new, secret = issue(session, actor, account, wanted, replaces=old)
        if was_live:
            old.retires_at = retirement(old, overlap, new.created_at)
        _tell_rotated(session, actor, account, old, new)
        if was_live and overlap == AT_ONCE:
            revocation.revoke_without_mail(session, actor, old, RevocationReason.REPLACED)
    return new, secret


def retirement(key: ApiKey, overlap: timedelta, now: datetime) -> datetime:
    """Until when a key works that is rotated now: the overlap is cut to its expiry."""
    return min(now + overlap, key.expires_at)


def note_reuse(actor: Actor, key_id: UUID) -> bool:
    """Record, and mail to the owner, that the secret of a key was used after its successor took over.

    To be called, in an app context and outside a transaction, when a holder of the secret was
    refused with ``REVOKED`` and the key has a ``retires_at``; ``actor`` is nobody, with the
    address. It happens once for a key, ever, whoever calls it how often: returns whether this
    was the time. A key that ended otherwise is let be.
    """
    known = db.session.get(ApiKey, key_id)
    if known is None or (known.usage and known.usage.reused_at) or not _is_rotated_out(known, clock.utcnow()):
        return False  # a look only: whoever comes again and again holds up no writer
    with transaction() as session:
        key = session.get(ApiKey, key_id)
        account = get_account_for_update(session, key.account_id) if key else None
        if key is None or account is None or not _is_rotated_out(key, clock.utcnow()):
            return False
        if not _mark_reused(session, key_id):
            return False
        successor = find_successor(key)
        audit.log_event(
            session, actor, Action.KEY_REUSED, account_id=account.id, key_id=key.id, name=key.name
        )
        outbox.enqueue_to(
            session,
            account,
            MailKind.KEY_REUSED,
            name=key.name,
            key=str(key.id),
            successor=str(successor.id) if successor else None,
            ended_at=clock.iso(min(filter(None, (key.retires_at, key.revoked_at, key.expires_at)))),
            source=actor.ip_address,
        )
    return True


def retire_due() -> int:
    """Mark the keys whose overlap is over as revoked, and tell how many; for the jobs.

    Nothing rests on it: a key is refused from its retirement on. Lists and figures of other
    tools read more easily so.
    """
    due = and_(ApiKey.revoked_at.is_(None), ApiKey.retires_at <= clock.utcnow())
    owners = db.session.scalars(select(ApiKey.account_id).where(due).distinct().limit(IN_A_ROUND)).all()
    marked = 0
    for account_id in owners:
        with transaction() as session:
            get_account_for_update(session, account_id)
            marked += revocation.stamp_retired(session, account_id)
    return marked


def _wanted_like(old: ApiKey, role: Role, now: datetime) -> KeySpec:
    """The settings of the successor; what may no longer be is left to the rules."""
    life = min(old.expires_at - old.created_at, quotas.longest_life(role))
    return KeySpec(old.name, old.level, life, conditions.like(old, now), old.kind)


def _is_rotated_out(key: ApiKey, now: datetime) -> bool:
    """Whether its place was taken and its overlap is over; another end came before otherwise."""
    return key.retires_at is not None and key.revoked_reason in ROTATED_OUT and key.is_revoked(now)


def _mark_reused(session: Session, key_id: UUID) -> bool:
    """Set the mark in one statement; False when somebody set it before."""
    table = KeyUsage.__table__
    statement = insert_into(session.connection(), KeyUsage).values(
        key_id=key_id, calls=0, refused=0, reused_at=clock.utcnow()
    )
    marked = session.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.key_id],
            set_={"reused_at": statement.excluded.reused_at},
            where=table.c.reused_at.is_(None),
        ).returning(table.c.key_id)
    )
    return marked.one_or_none() is not None


def _tell_rotated(session: Session, actor: Actor, account: Account, old: ApiKey, new: ApiKey) -> None:
    retires_at = clock.iso(old.retires_at) if old.retires_at else None
    facts = creation.log_created(session, actor, new)
    audit.log_event(
        session,
        actor,
        Action.KEY_ROTATED,
        account_id=account.id,
        key_id=old.id,
        name=old.name,
        successor=str(new.id),
        retires_at=retires_at,
    )
    outbox.enqueue_to(
        session,
        account,
        MailKind.KEY_ROTATED,
        name=new.name,
        key=str(new.id),
        old_key=str(old.id),
        expires_at=facts["expires_at"],
        retires_at=retires_at,
        works_on=old.retires_at is not None and old.retires_at > new.created_at,
        made_by_key=str(actor.key_id) if actor.key_id else None,
        source=actor.ip_address,
    )
