"""What this installation has proved: when each promise was last run here, and when it last held.

A proof is of the version and the tables that it was made with, and it ages: another version, a
migration or a week later it says nothing of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import select

from portal import clock
from portal.extensions import db
from portal.models import PromiseProof
from portal.models.guards import REVISION
from portal.services.core.transaction import transaction

LASTS = timedelta(days=7)


def list_proofs() -> dict[str, PromiseProof]:
    """The last run of each promise that was ever run here, by the promise's id."""
    return {proof.promise: proof for proof in db.session.scalars(select(PromiseProof))}


def is_of_now(proof: PromiseProof, version: str) -> bool:
    """Whether a run was of this version and these tables, and is no older than a week."""
    is_same = (proof.version, proof.revision) == (version, REVISION)
    return is_same and clock.utcnow() - proof.ran_at < LASTS


def is_tried(promises: Iterable[str], version: str) -> bool:
    """Whether each of these was run here by this version, on these tables, however it ended."""
    of_this = select(PromiseProof.promise).where(
        PromiseProof.version == version, PromiseProof.revision == REVISION
    )
    return set(promises) <= set(db.session.scalars(of_this))


def note_run(held: Mapping[str, bool], version: str) -> None:
    """Keep how a run of this version ended, by the ids of the promises that it ran.

    What did not hold keeps the time at which it last did. It is no act on anything that
    people own, so the audit log has nothing of it.
    """
    now = clock.utcnow()
    with transaction() as session:
        for promise, did_hold in held.items():
            before = session.get(PromiseProof, promise)
            session.merge(
                PromiseProof(
                    promise=promise,
                    held=did_hold,
                    ran_at=now,
                    proved_at=now if did_hold else before.proved_at if before else None,
                    version=version,
                    revision=REVISION,
                )
            )
