"""Whether the peppers of the ring are those that the keys of this installation were made with.

A pepper that is missing, or another one under its id, refuses every key that needs it, and
looks like nothing at all from outside. So the database keeps a check value for each id, from
which the pepper can't be found: an HMAC of a constant. It is written when an id is first seen.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db
from portal.models import ApiKey, PepperCheck, key_states
from portal.services.core.transaction import transaction
from portal.services.core.upsert import insert_into

_CONSTANT = b"chatelaine: the pepper of this id"
Ring = Mapping[str, bytes]


class WrongPepper(Exception):
    """A pepper lacks, or is not the one that goes by its id; the message says what to do."""


class PepperUse(NamedTuple):
    """A pepper's id, what the ring has for it, and how many live keys need it."""

    pepper_id: str
    state: str
    keys: int


def check_value(pepper: bytes) -> bytes:
    """The 32 bytes that a pepper is known by."""
    return hmac.digest(pepper, _CONSTANT, "sha256")


def adopt(ring: Ring) -> None:
    """Write the check values of peppers that are seen for the first time; hold the ring to the others.

    Of two machines that start at once with two peppers under one id, the second one is told.
    Raises WrongPepper.
    """
    with transaction() as session:
        for pepper_id in ring:
            _write(session, ring, pepper_id)
    with db.engine.connect() as connection:
        require_ring(connection, ring)


def require_current(session: Session, ring: Ring) -> None:
    """Hold that new keys are made with the pepper that goes by its id, in the caller's transaction.

    Raises WrongPepper.
    """
    pepper_id = next(iter(ring))
    known = _known(session.connection())
    if pepper_id not in known:
        _write(session, ring, pepper_id)
        known = _known(session.connection())
    _refuse_contradicted(known, ring, pepper_id)


def require_ring(connection: Connection, ring: Ring, *, with_keys: bool = True) -> None:
    """Raise WrongPepper when the ring contradicts what is known, or lacks what a live key needs.

    ``with_keys`` looks at the keys too, which takes a while where there are many.
    """
    known = _known(connection)
    for pepper_id in ring:
        _refuse_contradicted(known, ring, pepper_id)
    if not with_keys:
        return
    lacking = connection.scalar(
        select(ApiKey.pepper_id)
        .where(key_states.live(clock.utcnow()), ApiKey.pepper_id.not_in(list(ring)))
        .limit(1)
    )
    if lacking is not None:
        raise WrongPepper(
            f"PORTAL_PEPPERS lacks {lacking}, which live keys need. Put it behind the first one, or, if it "
            f"is lost, revoke those keys: flask --app wsgi key revoke-pepper {lacking}."
        )


def list_uses(ring: Ring) -> list[PepperUse]:
    """Every pepper that is in the ring, known, or needed; the ring first, in its order."""
    with db.engine.connect() as connection:
        known = _known(connection)
        is_live = key_states.live(clock.utcnow())
        counted = select(ApiKey.pepper_id, func.count()).where(is_live).group_by(ApiKey.pepper_id)
        needed = {row[0]: int(row[1]) for row in connection.execute(counted)}
    ids = [*ring, *sorted({*known, *needed} - set(ring))]
    return [PepperUse(each, _state(ring, known, each), needed.get(each, 0)) for each in ids]


def _write(session: Session, ring: Ring, pepper_id: str) -> None:
    """Write a check value, unless there is one."""
    statement = insert_into(session.connection(), PepperCheck).values(
        pepper_id=pepper_id, check_value=check_value(ring[pepper_id]), created_at=clock.utcnow()
    )
    session.execute(statement.on_conflict_do_nothing())


def _known(connection: Connection) -> dict[str, bytes]:
    rows = connection.execute(select(PepperCheck.pepper_id, PepperCheck.check_value))
    return {pepper_id: bytes(value) for pepper_id, value in rows}


def _is_same(known: Mapping[str, bytes], ring: Ring, pepper_id: str) -> bool:
    """Whether nothing contradicts a pepper of the ring."""
    told = known.get(pepper_id)
    return told is None or hmac.compare_digest(told, check_value(ring[pepper_id]))


def _state(ring: Ring, known: Mapping[str, bytes], pepper_id: str) -> str:
    if pepper_id not in ring:
        return "lacking"
    if not _is_same(known, ring, pepper_id):
        return "contradicted"
    return "current" if pepper_id == next(iter(ring)) else "kept"


def _refuse_contradicted(known: Mapping[str, bytes], ring: Ring, pepper_id: str) -> None:
    if not _is_same(known, ring, pepper_id):
        raise WrongPepper(
            f"PORTAL_PEPPERS has another value for {pepper_id} than the one that keys of this installation "
            "were made with. Give it that value back, or give the new value an id of its own."
        )
