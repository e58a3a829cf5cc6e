"""What owners say of themselves: name, bio, language."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db, settings
from portal.models import Account, Action
from portal.services.accounts import lookalikes
from portal.services.accounts.fields import clean_bio, clean_language, clean_username
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import Forbidden, InvalidInput


def get_account(actor: Actor) -> Account:
    """The actor's own account, as it is now. Raises Forbidden when there is none."""
    account = db.session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        raise Forbidden
    return account


def is_name_free(actor: Actor, username: str) -> bool:
    """Whether the actor could take a name that nobody has, not even they themselves.

    Raises InvalidInput for what can be no name, Forbidden when the actor has no account.
    """
    get_account(actor)
    name = clean_username(username)
    taken = db.session.scalar(select(Account.id).where(Account.lusername == name.lower()))
    return taken is None and not lookalikes.is_reserved(name, settings.name)


def clean_profile(*, username: str | None, bio: str | None, language: str | None) -> dict[str, str]:
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


def apply_update(session: Session, actor: Actor, account: Account, wanted: dict[str, str]) -> None:
    """Change a locked account in the caller's transaction.

    Its end raises IntegrityError when somebody has the name. Raises InvalidInput for a new name
    that reads like an office of the portal.
    """
    changed = [name for name, value in wanted.items() if getattr(account, name) != value]
    if "username" in changed and lookalikes.is_reserved(wanted["username"], settings.name):
        raise InvalidInput("usernameReserved", "username")
    for name in changed:
        setattr(account, name, wanted[name])
    if changed:
        account.updated_at = clock.utcnow()
        audit.log_event(
            session,
            actor,
            Action.ACCOUNT_UPDATED,
            account_id=account.id,
            fields=sorted(set(changed) - {"lusername"}),
        )
