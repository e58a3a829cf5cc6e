"""Passwords changed and forgotten; accounts locked by their owner, and opened again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db, settings
from portal.models import Account, AccountStatus, Action, MailKind, OutboxMail, RevocationReason, TokenPurpose
from portal.permissions import WRITE_ACCOUNT
from portal.services.accounts.admins import hold_admins, refuse_last_admin
from portal.services.accounts.fields import clean_reachable
from portal.services.auth import passwords, sessions
from portal.services.auth.admission import admit
from portal.services.auth.reauthentication import prove_owner, prove_password
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.emails import email_key
from portal.services.core.errors import AlreadySent, InvalidInput, TokenInvalid
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.keys import revocation
from portal.services.mail import outbox, pending, tokens
from portal.services.mail.outbox import MailContent
from portal.services.ratelimits import questions

CAN_BE_RESET = (AccountStatus.ACTIVE, AccountStatus.LOCKED)


def change_password(actor: Actor, new: str, *, current: str | None, end_others: bool = True) -> None:
    """Change the actor's password; the current one is asked for where there is one.

    The owner is told by mail. Raises InvalidInput.
    """
    prepared = prepare_change(actor, new, current=current)
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT, consent=False)
        apply_password(session, actor, account, prepared, end_others=end_others)


@dataclass(frozen=True, slots=True)
class PreparedChange:
    """A new password that passed the rules, hashed, if there is one, and the hash that was proven."""

    known_hash: str | None = field(repr=False)
    new_hash: str | None = field(repr=False)


def prepare_change(actor: Actor, new: str | None, *, current: str | None) -> PreparedChange:
    """Do what is slow about a proof and a new password, before the transaction. Raises InvalidInput."""
    known_hash = prove_owner(actor, current)
    account = db.session.get_one(Account, actor.account_id)
    return PreparedChange(known_hash, None if new is None else _checked_hash(account, new))


def apply_password(
    session: Session, actor: Actor, account: Account, prepared: PreparedChange, *, end_others: bool = True
) -> None:
    """Change the password of a locked account in the caller's transaction; what waits ends.

    Without a new one it only looks whether the proof still counts. Raises InvalidInput when the
    password was changed meanwhile.
    """
    if account.password_hash != prepared.known_hash:
        raise InvalidInput("passwordWrong", "current_password")
    if prepared.new_hash is None:
        return
    _set_password(session, actor, account, prepared.new_hash, Action.PASSWORD_CHANGED)
    if end_others:
        sessions.end_all(session, actor, account.id, but=actor.session_id)
    else:
        pending.end_everything(session, actor, account.id)


def request_reset(actor: Actor, email: str) -> None:
    """Write down that somebody forgot a password; whether the address is known is not told."""
    email = clean_reachable(email)
    may_send = questions.may_mail_reset(actor.ip_address or "", email)
    with transaction() as session:
        if may_send:
            outbox.enqueue(session, MailKind.RESET, account_id=None, recipient=email, language="en")
        audit.log_event(session, actor, Action.PASSWORD_RESET_REQUESTED)


def prepare_reset_mail(session: Session, mail: OutboxMail) -> MailContent | None:
    """Make the link of a reset; of a locked account it opens that too. None when there is nobody to tell."""
    known = session.scalars(
        select(Account.id).where(Account.lemail == email_key(mail.recipient))
    ).one_or_none()
    account = outbox.hold(session, mail, known)
    if account is None or account.status not in CAN_BE_RESET:
        return None
    mail.account_id, mail.language = account.id, account.language
    mail.recipient = account.email or mail.recipient  # as it was proven, not as it was typed
    token = tokens.mint(session, TokenPurpose.RESET, account_id=account.id, email=account.email)
    return MailContent("reset", {"token": token, "locked": account.status is AccountStatus.LOCKED})


def reset_password(actor: Actor, token: str, new: str) -> None:
    """Set a new password with a mailed link; every session ends, and nobody is signed in.

    An account that its owner had locked is open again; no key comes back.
    Raises InvalidInput (the link stays good) and TokenInvalid.
    """
    found = tokens.find(token, TokenPurpose.RESET)
    account = db.session.get(Account, found.account_id) if found else None
    if account is None:
        raise TokenInvalid
    new_hash = _checked_hash(account, new)
    with transaction() as session:
        redeemed = tokens.redeem(session, token, TokenPurpose.RESET)
        locked = get_account_for_update(session, account.id)
        if locked is None or locked.status not in CAN_BE_RESET or locked.email != redeemed.email:
            raise TokenInvalid
        _set_password(session, actor, locked, new_hash, Action.PASSWORD_RESET)
        sessions.end_all(session, actor, locked.id)
        if locked.status is AccountStatus.LOCKED:
            _open(session, actor, locked)


def lock(actor: Actor, password: str) -> None:
    """Lock the actor's own account: all keys are revoked, all sessions end.

    The way back is mailed. Raises InvalidInput for a wrong password, LastAdmin.
    """
    account_id = prove_password(actor, password)
    with transaction() as session:
        hold_admins(session, account_id)
        account = admit(session, actor, level=WRITE_ACCOUNT, consent=False)
        refuse_last_admin(session, account_id)
        revocation.revoke_all(session, actor, account, RevocationReason.LOCKED)
        sessions.end_all(session, actor, account.id)
        account.status, account.updated_at = AccountStatus.LOCKED, clock.utcnow()
        audit.log_event(session, actor, Action.ACCOUNT_LOCKED, account_id=account.id)
        outbox.enqueue_to(session, account, MailKind.LOCKED)


def request_unlock(actor: Actor, account_id: int) -> None:
    """Mail the way back once more, to somebody who gave the right password of a locked account.

    A form that is sent twice asks for one mail.
    """
    if not questions.may_mail_unlock(actor.ip_address or "", account_id):
        return
    with suppress(AlreadySent), transaction() as session:
        account = get_account_for_update(session, account_id)
        if account is not None and account.status is AccountStatus.LOCKED:
            audit.log_event(session, actor, Action.ACCOUNT_UNLOCK_REQUESTED, account_id=account.id)
            outbox.enqueue_to(session, account, MailKind.LOCKED)


def prepare_unlock_mail(session: Session, mail: OutboxMail) -> MailContent | None:
    """Make the link that opens a locked account; None when it is not locked any more."""
    account = outbox.hold(session, mail, mail.account_id)
    if account is None or account.status is not AccountStatus.LOCKED:
        return None
    token = tokens.mint(session, TokenPurpose.UNLOCK, account_id=account.id, email=account.email)
    return MailContent("locked", {"token": token})


def unlock(actor: Actor, token: str) -> Account:
    """Open a locked account with a mailed link. No key comes back. Raises TokenInvalid."""
    with transaction() as session:
        redeemed = tokens.redeem(session, token, TokenPurpose.UNLOCK)
        account = get_account_for_update(session, redeemed.account_id or 0)
        if account is None or account.status is not AccountStatus.LOCKED:
            raise TokenInvalid
        pending.end_everything(session, actor, account.id)
        _open(session, actor, account)
    return account


def _open(session: Session, actor: Actor, account: Account) -> None:
    account.status, account.updated_at = AccountStatus.ACTIVE, clock.utcnow()
    audit.log_event(session, actor, Action.ACCOUNT_UNLOCKED, account_id=account.id)


def _checked_hash(account: Account, new: str) -> str:
    passwords.check_password(
        new,
        second_factor=account.mfa_enabled,
        context=[settings.name, account.email or "", account.username],
    )
    return passwords.hash_password(new)


def _set_password(session: Session, actor: Actor, account: Account, new_hash: str, action: Action) -> None:
    account.password_hash, account.updated_at = new_hash, clock.utcnow()
    audit.log_event(session, actor, action, account_id=account.id)
    outbox.enqueue_to(session, account, MailKind.PASSWORD_CHANGED, source=actor.ip_address)
