"""How an account comes to be.

What a stranger asks for is only written down; whether the address is known is looked up
by the jobs that send the mail. So the answer, and the time it takes, tell nothing.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db, settings
from portal.models import (
    Account,
    AccountStatus,
    Action,
    Consent,
    MailKind,
    OutboxMail,
    SessionKind,
    TokenPurpose,
    UserSession,
)
from portal.permissions import Role
from portal.services.accounts.consent import clean_consent, give_consent
from portal.services.accounts.fields import clean_language, clean_reachable, first_username
from portal.services.auth import passwords, sessions
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.emails import email_key
from portal.services.core.errors import BeingSetUp, InvalidInput, TokenInvalid
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.mail import outbox, tokens
from portal.services.mail.outbox import MailContent
from portal.services.ratelimits import questions


def request_sign_up(actor: Actor, email: str, language: str) -> str:
    """Write down that somebody wants an account; the mail that follows says how to go on.

    Returns the address as it is kept. Raises InvalidInput, and BeingSetUp before there is an admin.
    """
    if is_being_set_up():
        raise BeingSetUp
    email, language = clean_reachable(email), clean_language(language)
    may_send = questions.may_mail_sign_up(actor.ip_address or "", email)
    with transaction() as session:
        if may_send:
            outbox.enqueue(session, MailKind.SIGN_UP, account_id=None, recipient=email, language=language)
        audit.log_event(session, actor, Action.ACCOUNT_SIGN_UP_REQUESTED)
    return email


def prepare_sign_up_mail(session: Session, mail: OutboxMail) -> MailContent | None:
    """Choose the mail that answers a sign-up: the link to confirm, or word that it is taken.

    None when it was ended meanwhile. Once it has made an account it makes no second one: that
    one may have been forgotten, or have another address by now.
    """
    created_before = mail.account_id is not None
    account = session.scalars(
        select(Account).where(Account.lemail == email_key(mail.recipient)).with_for_update()
    ).one_or_none()
    if account is None and created_before:
        return None
    if account is None:
        account = _make(session, mail.recipient, mail.language, Role.USER)
        audit.log_event(session, Actor.system(), Action.ACCOUNT_CREATED, account_id=account.id)
    elif outbox.hold(session, mail, account.id) is None:
        return None
    mail.account_id = account.id
    mail.recipient = account.email or mail.recipient  # as it was given first, not as it was typed
    if account.status is not AccountStatus.INACTIVE:
        return MailContent("taken", {})
    token = tokens.mint(session, TokenPurpose.CONFIRM, account_id=account.id, email=account.email)
    return MailContent("confirm", {"token": token})


def confirm(
    actor: Actor, token: str, *, consent: int, password: str | None, kind: SessionKind | None
) -> tuple[UserSession, str] | None:
    """Prove the address, give consent, set the password, and start the first session.

    Without a ``kind`` none is started, where somebody else is signed in.

    Raises InvalidInput when consent or password won't do (the link stays good), and
    TokenInvalid when the link is wrong, used or too old.
    """
    given = clean_consent(consent)
    found = tokens.find(token, TokenPurpose.CONFIRM)
    if found is None or found.account_id is None:
        raise TokenInvalid
    password_hash = None
    if password is not None:
        passwords.check_password(password, second_factor=False, context=[settings.name, found.email or ""])
        password_hash = passwords.hash_password(password)
    with transaction() as session:
        redeemed = tokens.redeem(session, token, TokenPurpose.CONFIRM)
        account = get_account_for_update(session, redeemed.account_id or 0)
        if account is None or account.status is not AccountStatus.INACTIVE:
            raise TokenInvalid
        account.status = AccountStatus.ACTIVE
        account.password_hash = password_hash
        account.updated_at = clock.utcnow()
        give_consent(session, actor, account, given)
        audit.log_event(session, actor, Action.ACCOUNT_CONFIRMED, account_id=account.id)
        return sessions.start(session, actor, account, kind) if kind else None


def create_account(actor: Actor, email: str, *, role: Role, password: str, language: str = "en") -> Account:
    """Make an active account whose consent is entered with it, as operators do on the command line.

    Raises InvalidInput, also for an address that is taken.
    """
    email = clean_reachable(email)
    passwords.check_password(password, second_factor=False, context=[settings.name, email])
    password_hash = passwords.hash_password(password)
    try:
        with transaction() as session:
            account = _make(session, email, clean_language(language), role)
            _activate(session, actor, account, password_hash)
    except IntegrityError as error:
        raise InvalidInput("emailTaken", "email") from error
    return account


def is_being_set_up() -> bool:
    """Whether there is no admin yet. Once there is one there always is, since the last one stays."""
    admins = select(Account.id).where(Account.role == Role.ADMIN, Account.status == AccountStatus.ACTIVE)
    return db.session.scalar(admins.limit(1)) is None


def first_admin_link() -> str | None:
    """A one-time link that makes the first admin; None when there is one already."""
    with transaction() as session:
        if not is_being_set_up():
            return None
        token = tokens.mint(session, TokenPurpose.FIRST_ADMIN, account_id=None, email=None)
    return f"{settings.base_url}/setup/{token}"


def create_first_admin(
    actor: Actor,
    token: str,
    *,
    email: str,
    password: str,
    consent: int,
    kind: SessionKind | None = SessionKind.BROWSER,
) -> tuple[UserSession, str] | None:
    """Make the first admin with the one-time link, and sign them in, unless ``kind`` is None.

    Raises InvalidInput (the link stays good), also for an address that is taken, and
    TokenInvalid, also when somebody was first.
    """
    given, email = clean_consent(consent), clean_reachable(email)
    if tokens.find(token, TokenPurpose.FIRST_ADMIN) is None:
        raise TokenInvalid
    passwords.check_password(password, second_factor=False, context=[settings.name, email])
    password_hash = passwords.hash_password(password)
    try:
        with transaction() as session:
            tokens.redeem(session, token, TokenPurpose.FIRST_ADMIN)
            if not is_being_set_up():
                raise TokenInvalid
            account = _make(session, email, "en", Role.ADMIN)
            _activate(session, actor, account, password_hash, given)
            return sessions.start(session, actor, account, kind) if kind else None
    except IntegrityError as error:
        raise InvalidInput("emailTaken", "email") from error


def _make(session: Session, email: str, language: str, role: Role) -> Account:
    now, username = clock.utcnow(), first_username()
    account = Account(
        email=email,
        lemail=email_key(email),
        username=username,
        lusername=username.lower(),
        language=language,
        role=role,
        status=AccountStatus.INACTIVE,
        created_at=now,
        updated_at=now,
    )
    session.add(account)
    session.flush()
    return account


def _activate(
    session: Session,
    actor: Actor,
    account: Account,
    password_hash: str,
    consent: Consent = Consent.PROCESSING,
) -> None:
    account.status = AccountStatus.ACTIVE
    account.password_hash = password_hash
    give_consent(session, actor, account, consent)
    audit.log_event(session, actor, Action.ACCOUNT_CREATED, account_id=account.id, role=account.role.value)
