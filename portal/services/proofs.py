"""What this installation has proved: when each promise was last run here, and when it last held."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from portal import clock
from portal.extensions import db
from portal.models import PromiseProof
from portal.services.transaction import transaction


def list_proofs() -> dict[str, PromiseProof]:
    """The last run of each promise that was ever run here, by the promise's id."""
    return {proof.promise: proof for proof in db.session.scalars(select(PromiseProof))}


def note_run(held: Mapping[str, bool]) -> None:
    """Keep how a run ended, by the ids of the promises that it ran.

    What did not hold keeps the time at which it last did. It is no act on anything that
    people own, so the record has nothing of it.
    """
    now = clock.utcnow()
    with transaction() as session:
        for promise, did_hold in held.items():
            before = session.get(PromiseProof, promise)
            proved_at = now if did_hold else before.proved_at if before else None
            session.merge(PromiseProof(promise=promise, held=did_hold, ran_at=now, proved_at=proved_at))
