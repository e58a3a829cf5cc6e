"""What owners say of themselves: name, bio, language, address, consent."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db
from portal.models import Account, Action, Consent, MailKind, OutboxMail, Purpose, Reason, Status
from portal.permissions import WRITE_ACCOUNT
from portal.services import lookalikes, waiting
from portal.services.auth import reauthentication
from portal.services.auth.admission import admit
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.emails import address_key
from portal.services.core.errors import Forbidden, InvalidInput, TokenInvalid
from portal.services.core.transaction import lock_account, transaction
from portal.services.fields import clean_bio, clean_language, clean_username
from portal.services.keys import revocation
from portal.services.mail import outbox, tokens
from portal.services.mail.outbox import Letter
from portal.services.ratelimits import questions
from portal.services.reach import clean_reachable
from portal.services.signup import give_consent


def get_account(actor: Actor) -> Account:
    """The actor's own account, as it is now. Raises Forbidden when there is none."""
    account = db.session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        raise Forbidden
    return account


def update_profile(
    actor: Actor,
    *,
    username: str | None = None,
    bio: str | None = None,
    language: str | None = None,
) -> Account:
    """Change what is given, keep what is not. Raises InvalidInput, also for a taken name."""
    wanted = clean_wishes(username=username, bio=bio, language=language)
    try:
        with transaction() as session:
            account = admit(session, actor, level=WRITE_ACCOUNT)
            update_in(session, actor, account, wanted)
    except IntegrityError as error:
        raise InvalidInput("usernameTaken", "username") from error
    return account


def is_name_free(actor: Actor, username: str) -> bool:
    """Whether the actor could take a name that nobody has, not even they themselves.

    Raises InvalidInput for what can be no name, Forbidden when the actor has no account.
    """
    get_account(actor)
    name = clean_username(username)
    taken = db.session.scalar(select(Account.id).where(Account.lusername == name.lower()))
    return taken is None and not lookalikes.is_reserved(name)


def clean_wishes(
    *, username: str | None = None, bio: str | None = None, language: str | None = None
) -> dict[str, str]:
    """What is given, as it will be kept, by the names of the columns. Raises InvalidInput."""
    wanted = {}
    if username is not None:
        wanted["username"] = clean_username(username)
        wanted["lusername"] = wanted["username"].lower()
    if bio is not None:
        wanted["bio"] = clean_bio(bio)
    if language is not None:
        wanted["language"] = clean_language(language)
    return wanted


def update_in(session: Session, actor: Actor, account: Account, wanted: dict[str, str]) -> None:
    """Change a locked account in the caller's transaction.

    Its end raises IntegrityError when somebody has the name. Raises InvalidInput for a new name
    that reads like an office of the portal.
    """
    changed = [name for name, value in wanted.items() if getattr(account, name) != value]
    if "username" in changed and lookalikes.is_reserved(wanted["username"]):
        raise InvalidInput("usernameReserved", "username")
    for name in changed:
        setattr(account, name, wanted[name])
    if changed:
        account.updated_at = clock.utcnow()
        audit.record(
            session,
            actor,
            Action.ACCOUNT_UPDATED,
            account_id=account.id,
            fields=sorted(set(changed) - {"lusername"}),
        )


def set_consent(actor: Actor, consent: int) -> Account:
    """Give, change or withdraw consent. Withdrawn, all keys are revoked, for good.

    Raises InvalidInput for a number that means nothing.
    """
    if consent not in tuple(Consent):
        raise InvalidInput("consentRequired", "consent")
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT, consent=False)
        set_consent_in(session, actor, account, Consent(consent))
    return account


def set_consent_in(session: Session, actor: Actor, account: Account, consent: Consent) -> None:
    """Give, change or withdraw the consent of a locked account in the caller's transaction."""
    if consent != Consent.NONE:
        if consent != account.consent or account.consent_version is None:
            give_consent(session, actor, account, consent)
    elif account.consent != Consent.NONE:
        revocation.revoke_all(session, actor, account, Reason.CONSENT_WITHDRAWN)
        account.consent = Consent.NONE
        audit.record(session, actor, Action.CONSENT_WITHDRAWN, account_id=account.id)
    account.updated_at = clock.utcnow()


def request_email_change(actor: Actor, email: str, *, current: str | None) -> str:
    """Write down a new address; it counts once the mail that goes there is answered.

    The old address is told, and can stop it. Raises InvalidInput, also without the current
    password where there is one, and Slowed.
    """
    email = clean_reachable(email)
    known_hash = reauthentication.prove_owner(actor, current)
    refuse_too_many_addresses(actor, email)
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT)
        reauthentication.refuse_other_password(account, known_hash)
        request_email_in(session, actor, account, email)
    return email


def refuse_too_many_addresses(actor: Actor, email: str) -> None:
    """Raise Slowed when an account asks for too many changes of address.

    To be asked when the owner has proven to be it, so that nobody else uses the tries up.
    """
    questions.require(questions.may_ask_for_address(actor.address or "", actor.account_id or 0, email))


def request_email_in(session: Session, actor: Actor, account: Account, email: str) -> None:
    """Write down a new, clean address for a locked account in the caller's transaction.

    It takes the place of one that waits. The old address is written to first.
    """
    waiting.drop_email(session, actor, account.id)
    outbox.enqueue_to(session, account, MailKind.EMAIL_ASKED, email=email, source=actor.address)
    outbox.enqueue(
        session,
        MailKind.EMAIL_CONFIRM,
        account_id=account.id,
        address=email,
        language=account.language,
    )
    audit.record(session, actor, Action.ACCOUNT_EMAIL_CHANGE_REQUESTED, account_id=account.id)


def prepare_email_mail(session: Session, mail: OutboxMail) -> Letter | None:
    """Make the link that proves a new address.

    None when somebody else has it already, or when the account was shut meanwhile. The change
    waits on all the same where it is taken, so that the profile tells nobody who has an account.
    """
    account = outbox.hold(session, mail, mail.account_id)
    if account is None or account.status != Status.ACTIVE:
        return None
    tokens.void(session, account.id, Purpose.EMAIL)
    token = tokens.mint(session, Purpose.EMAIL, account_id=account.id, address=mail.address)
    taken = session.scalars(
        select(Account.id).where(Account.lemail == address_key(mail.address))
    ).one_or_none()
    if taken not in (None, account.id):
        return None
    return Letter("email-confirm", {"token": token, "name": account.username})


def confirm_email(actor: Actor, token: str) -> Account:
    """Make the proven address the account's; the old one is told. Raises TokenInvalid."""
    try:
        with transaction() as session:
            redeemed = tokens.redeem(session, token, Purpose.EMAIL)
            account = lock_account(session, redeemed.account_id or 0)
            if account is None or account.status != Status.ACTIVE or not redeemed.address:
                raise TokenInvalid
            outbox.enqueue_to(session, account, MailKind.EMAIL_CHANGED, email=redeemed.address)
            account.email = redeemed.address
            account.lemail = address_key(redeemed.address)
            account.updated_at = clock.utcnow()
            waiting.end_everything(session, actor, account.id)
            audit.record(session, actor, Action.ACCOUNT_EMAIL_CHANGED, account_id=account.id)
    except IntegrityError as error:
        raise TokenInvalid from error
    return account
