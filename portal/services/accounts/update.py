"""Changes of one's own account, one or several at once: all of them, or none."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from portal.models import Account, Consent
from portal.permissions import WRITE_ACCOUNT
from portal.services.accounts import email_change, profile, recovery
from portal.services.accounts.consent import apply_consent
from portal.services.accounts.fields import clean_reachable
from portal.services.auth.admission import admit
from portal.services.core.actor import Actor
from portal.services.core.errors import InvalidInput
from portal.services.core.transaction import transaction
from portal.services.ratelimits import questions


def change_account(
    actor: Actor,
    *,
    username: str | None = None,
    bio: str | None = None,
    language: str | None = None,
    consent: int | None = None,
    email: str | None = None,
    password: str | None = None,
    current_password: str | None = None,
) -> Account:
    """Change what is given of the actor's own account in one transaction, after everything was checked.

    The address changes when its mail is answered. Without consent nothing can be changed
    unless consent is among the changes. Raises InvalidInput, Slowed, and what
    :func:`portal.services.auth.admission.admit` raises.
    """
    wanted = profile.clean_profile(username=username, bio=bio, language=language)
    if consent is not None and consent not in tuple(Consent):
        raise InvalidInput("consentRequired", "consent")
    email = None if email is None else clean_reachable(email)
    proves = password is not None or email is not None
    prepared = recovery.prepare_change(actor, password, current=current_password) if proves else None
    if email is not None:
        # Only the owner, who has proven to be it, uses these tries up.
        questions.require(questions.may_change_email(actor.ip_address or "", actor.account_id or 0, email))
    try:
        with transaction() as session:
            account = admit(session, actor, level=WRITE_ACCOUNT, consent=consent is None)
            profile.apply_update(session, actor, account, wanted)
            session.flush()
            if prepared is not None:
                recovery.apply_password(session, actor, account, prepared)
            if email is not None:
                email_change.apply_email_change(session, actor, account, email)
            if consent is not None:
                apply_consent(session, actor, account, Consent(consent))
    except IntegrityError as error:
        raise InvalidInput("usernameTaken", "username") from error
    return account
