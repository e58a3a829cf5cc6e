"""A new email of an account: asked for, stopped, and proven."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import clock
from portal.models import Account, AccountStatus, Action, MailKind, OutboxMail, TokenPurpose
from portal.permissions import WRITE_ACCOUNT
from portal.services.auth.admission import admit
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.emails import email_key
from portal.services.core.errors import TokenInvalid
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.mail import outbox, pending, tokens
from portal.services.mail.outbox import MailContent
from portal.services.mail.pending import drop_email


def cancel_email(actor: Actor) -> bool:
    """Drop the actor's own pending change of email; False when there is none."""
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT)
        return drop_email(session, actor, account.id)


def stop_email(actor: Actor, token: str) -> None:
    """Drop a pending change of email with the link that the old one got.

    It does nothing else. Raises TokenInvalid, also when no change is pending any more.
    """
    with transaction() as session:
        redeemed = tokens.redeem(session, token, TokenPurpose.EMAIL_STOP)
        if not drop_email(session, actor, redeemed.account_id or 0):
            raise TokenInvalid


def prepare_asked_mail(session: Session, mail: OutboxMail) -> MailContent | None:
    """Tell the old email that another one was asked for, with the link that stops it."""
    account = outbox.hold(session, mail, mail.account_id)
    if account is None or account.status is not AccountStatus.ACTIVE or account.email != mail.recipient:
        return None
    token = tokens.mint(session, TokenPurpose.EMAIL_STOP, account_id=account.id, email=account.email)
    return MailContent("email-asked", {"token": token, "name": account.username, **mail.params})


def apply_email_change(session: Session, actor: Actor, account: Account, email: str) -> None:
    """Write down a new, clean email for a locked account in the caller's transaction.

    It takes the place of one that waits. The old one is told first, and can stop it.
    """
    pending.drop_email(session, actor, account.id)
    outbox.enqueue_to(session, account, MailKind.EMAIL_ASKED, email=email, source=actor.ip_address)
    outbox.enqueue(
        session, MailKind.EMAIL_CONFIRM, account_id=account.id, recipient=email, language=account.language
    )
    audit.log_event(session, actor, Action.ACCOUNT_EMAIL_CHANGE_REQUESTED, account_id=account.id)


def prepare_email_mail(session: Session, mail: OutboxMail) -> MailContent | None:
    """Make the link that proves a new address.

    None when somebody else has it already, or when the account was shut meanwhile. The change
    waits on all the same where it is taken, so that the profile tells nobody who has an account.
    """
    account = outbox.hold(session, mail, mail.account_id)
    if account is None or account.status is not AccountStatus.ACTIVE:
        return None
    tokens.invalidate(session, account.id, TokenPurpose.EMAIL)
    token = tokens.mint(session, TokenPurpose.EMAIL, account_id=account.id, email=mail.recipient)
    taken = session.scalars(
        select(Account.id).where(Account.lemail == email_key(mail.recipient))
    ).one_or_none()
    if taken not in (None, account.id):
        return None
    return MailContent("email-confirm", {"token": token, "name": account.username})


def confirm_email(actor: Actor, token: str) -> Account:
    """Make the proven address the account's; the old one is told. Raises TokenInvalid."""
    try:
        with transaction() as session:
            redeemed = tokens.redeem(session, token, TokenPurpose.EMAIL)
            account = get_account_for_update(session, redeemed.account_id or 0)
            if account is None or account.status is not AccountStatus.ACTIVE or not redeemed.email:
                raise TokenInvalid
            outbox.enqueue_to(session, account, MailKind.EMAIL_CHANGED, email=redeemed.email)
            account.email = redeemed.email
            account.lemail = email_key(redeemed.email)
            account.updated_at = clock.utcnow()
            pending.end_everything(session, actor, account.id)
            audit.log_event(session, actor, Action.ACCOUNT_EMAIL_CHANGED, account_id=account.id)
    except IntegrityError as error:
        raise TokenInvalid from error
    return account
