"""What was asked for and waits for its mail to be answered: links, and a change of email.

It was asked for with the proof of that time. So it ends when that proof may be somebody
else's: whoever takes an account back ends all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db
from portal.models import Account, Action, MailKind, MailToken, OutboxMail, TokenPurpose
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.mail import tokens

ENDED = "What it was for was ended before it was sent."

WITH_LINK = (MailKind.SIGN_UP, MailKind.RESET, MailKind.LOCKED, MailKind.EMAIL_CONFIRM, MailKind.EMAIL_ASKED)
"""The mails that get a token when they are sent."""


@dataclass(frozen=True, slots=True)
class PendingEmail:
    """A new email that counts once it is confirmed; ``until`` is None while its mail waits.

    ``refused`` says that its mail could not be delivered.
    """

    email: str
    until: datetime | None
    refused: bool = False


def find_email(account_id: int) -> PendingEmail | None:
    """The change of email that waits, if one does. It looks the same for a taken one."""
    its = OutboxMail.account_id == account_id, OutboxMail.kind == MailKind.EMAIL_CONFIRM
    mails = select(OutboxMail).where(*its).order_by(OutboxMail.id.desc()).limit(1)
    waits = db.session.scalar(mails.where(OutboxMail.sent_at.is_(None)))
    if waits is not None:
        return PendingEmail(waits.recipient, None)
    token = db.session.scalar(
        select(MailToken)
        .where(
            MailToken.account_id == account_id,
            MailToken.purpose == TokenPurpose.EMAIL,
            MailToken.used_at.is_(None),
            MailToken.expires_at > clock.utcnow(),
        )
        .order_by(MailToken.created_at.desc())
        .limit(1)
    )
    if token is None:
        return None
    last = db.session.scalar(mails)
    refused = last is not None and last.refused_at is not None
    return PendingEmail(token.email or "", token.expires_at, refused)


def drop_email(session: Session, actor: Actor, account_id: int) -> bool:
    """Drop the pending change of email of a locked account; False when there is none."""
    was_pending = find_email(account_id) is not None
    tokens.invalidate(session, account_id, TokenPurpose.EMAIL)
    _end_mails(session, OutboxMail.account_id == account_id, MailKind.EMAIL_CONFIRM)
    if was_pending:
        audit.log_event(session, actor, Action.ACCOUNT_EMAIL_CHANGE_CANCELLED, account_id=account_id)
    return was_pending


def end_everything(session: Session, actor: Actor, account_id: int) -> None:
    """End every link, every unsent mail with a link and the pending change of a locked account."""
    drop_email(session, actor, account_id)
    tokens.invalidate(session, account_id)
    account = session.get_one(Account, account_id)
    its = [OutboxMail.account_id == account_id]
    if account.lemail is not None:  # what strangers asked for does not know its account yet
        its += [OutboxMail.recipient == account.email, func.lower(OutboxMail.recipient) == account.lemail]
    _end_mails(session, or_(*its), *WITH_LINK)


def _end_mails(session: Session, whose: ColumnElement[bool], *kinds: MailKind) -> None:
    """Have mails never sent. Whoever is about to send one holds the account first, and looks again."""
    session.execute(
        update(OutboxMail)
        .where(whose, OutboxMail.kind.in_(kinds), OutboxMail.sent_at.is_(None))
        .values(sent_at=clock.utcnow(), leased_until=None, last_error=ENDED, params={})
        .execution_options(synchronize_session=False)
    )
