"""What is left to do when a pepper is lost: the keys that need it open nothing, so they end."""

from __future__ import annotations

from sqlalchemy import and_, select

from portal import clock
from portal.extensions import db
from portal.models import ApiKey, RevocationReason, key_states
from portal.services.core.actor import Actor
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.keys import revocation
from portal.services.operators.actions import clean_reason


def revoke_of_pepper(actor: Actor, pepper_id: str, *, why: str) -> int:
    """Revoke every live key that needs a pepper, and tell the owners; return how many there were.

    Raises InvalidInput without a reason that can be shown.
    """
    reason = clean_reason(why)
    meant = and_(key_states.live(clock.utcnow()), ApiKey.pepper_id == pepper_id)
    owners = db.session.scalars(select(ApiKey.account_id).where(meant).distinct()).all()
    revoked = 0
    for account_id in sorted(owners):
        with transaction() as session:
            account = get_account_for_update(session, account_id)
            if account is None:
                continue
            ended = revocation.revoke_each(
                session, actor, account_id, meant, RevocationReason.OPERATOR, why=reason
            )
            revoked += len(ended)
            if ended:
                revocation.tell_owner(session, account, RevocationReason.OPERATOR, keys=len(ended))
    return revoked
