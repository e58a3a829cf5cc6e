"""Several changes of one's own account at once: all of them, or none."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.exc import IntegrityError

from portal.models import Account, Consent
from portal.permissions import WRITE_ACCOUNT
from portal.services.accounts import consent as account_consent
from portal.services.accounts import email_change, profile, recovery
from portal.services.accounts.fields import clean_reachable
from portal.services.auth.admission import admit
from portal.services.core.actor import Actor
from portal.services.core.errors import InvalidInput
from portal.services.core.transaction import transaction


@dataclass(frozen=True, slots=True)
class Changes:
    """What shall change; None is what shall stay."""

    username: str | None = None
    bio: str | None = None
    language: str | None = None
    consent: int | None = None
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    current_password: str | None = field(default=None, repr=False)


def change_account(actor: Actor, changes: Changes) -> Account:
    """Change the actor's own account in one transaction, after everything was checked.

    The address changes when its mail is answered. Without consent nothing can be changed
    unless consent is among the changes. Raises InvalidInput, Slowed, and what
    :func:`portal.services.auth.admission.admit` raises.
    """
    wanted = profile.clean_wishes(username=changes.username, bio=changes.bio, language=changes.language)
    if changes.consent is not None and changes.consent not in tuple(Consent):
        raise InvalidInput("consentRequired", "consent")
    email = None if changes.email is None else clean_reachable(changes.email)
    prepared = None
    if changes.password is not None or email is not None:
        prepared = recovery.prepare_change(actor, changes.password, current=changes.current_password)
    if email is not None:
        email_change.refuse_too_many_addresses(actor, email)
    try:
        with transaction() as session:
            account = admit(session, actor, level=WRITE_ACCOUNT, consent=changes.consent is None)
            profile.update_in(session, actor, account, wanted)
            session.flush()
            if prepared is not None:
                recovery.change_password_in(session, actor, account, prepared)
            if email is not None:
                email_change.request_email_in(session, actor, account, email)
            if changes.consent is not None:
                account_consent.set_consent_in(session, actor, account, Consent(changes.consent))
    except IntegrityError as error:
        raise InvalidInput("usernameTaken", "username") from error
    return account
