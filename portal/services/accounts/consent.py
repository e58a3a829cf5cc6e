"""Consent: given, changed and withdrawn."""

from __future__ import annotations

from sqlalchemy.orm import Session

from portal import clock
from portal.models import Account, Action, ActorKind, Consent, MailKind, RevocationReason
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import InvalidInput
from portal.services.keys import revocation
from portal.services.mail import outbox

CONSENT_VERSION = "2026-11"
"""The version of the sentences that an owner agrees to; kept with each consent."""


def apply_consent(session: Session, actor: Actor, account: Account, consent: Consent) -> None:
    """Give, change or withdraw the consent of a locked account in the caller's transaction.

    Withdrawn, all keys are revoked, for good, and the owner is told how to go on.
    """
    if consent is not Consent.NONE:
        if consent != account.consent or account.consent_version is None:
            give_consent(session, actor, account, consent)
    elif account.consent is not Consent.NONE:
        ended = revocation.revoke_all(session, actor, account, RevocationReason.CONSENT_WITHDRAWN, tell=False)
        account.consent = Consent.NONE
        audit.log_event(session, actor, Action.CONSENT_WITHDRAWN, account_id=account.id)
        outbox.enqueue_to(session, account, MailKind.CONSENT_WITHDRAWN, keys=ended)
    account.updated_at = clock.utcnow()


def clean_consent(value: int) -> Consent:
    """A consent that lets an account live; InvalidInput for none."""
    if value not in (Consent.PROCESSING, Consent.OPEN_DATA):
        raise InvalidInput("consentRequired", "consent")
    return Consent(value)


def give_consent(session: Session, actor: Actor, account: Account, consent: Consent) -> None:
    """Keep a consent with its version and time, in the caller's transaction.

    Of one that an operator enters on the command line there is no version: nobody was shown
    the sentences, and nobody agreed to them.
    """
    by_operator = actor.kind is ActorKind.COMMAND_LINE
    version = None if by_operator else CONSENT_VERSION
    account.consent = consent
    account.consent_version = version
    account.consent_at = clock.utcnow()
    action = Action.CONSENT_ENTERED if by_operator else Action.CONSENT_GIVEN
    audit.log_event(session, actor, action, account_id=account.id, consent=consent.value, version=version)
