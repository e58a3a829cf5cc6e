"""Creating a key for the account of whoever asks.

A key is immutable, expires within a year and never exceeds its owner's role as it is at
the moment of creation; :mod:`portal.services.verify.verifier` holds the level at every check.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from portal import clock
from portal.models import Action, ApiKey, KeyKind, MailKind
from portal.permissions import WRITE_ACCOUNT
from portal.services.auth.admission import account_id_of, admit
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.transaction import transaction
from portal.services.keys.conditions import NONE, Conditions
from portal.services.keys.issuing import KeySpec, issue, refuse_second
from portal.services.mail import outbox
from portal.services.ratelimits import questions


def create_key(
    actor: Actor,
    *,
    name: str,
    level: int,
    life: timedelta | datetime,
    conditions: Conditions = NONE,
    kind: KeyKind = KeyKind.ACCOUNT,
) -> tuple[ApiKey, str]:
    """Make a key for the actor's account; return it with its secret, which exists only here.

    ``life`` is how long the key lives, or the moment of its end. A key made with a key ends no later
    than that key, and is bound to what that key is bound to, or to more. A service key has level 0. A
    form makes one key: a second use raises AlreadyCreated. Raises InvalidInput, TooManyKeys, Slowed,
    Forbidden for a service key that no admin asks for, and what
    :func:`portal.services.auth.admission.admit` raises.
    """
    questions.require(questions.may_issue_key(account_id_of(actor)))
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT)
        refuse_second(session, actor, account)
        wanted = KeySpec(name.strip(), level, life, conditions, kind)
        key, secret = issue(session, actor, account, wanted)
        outbox.enqueue_to(
            session,
            account,
            MailKind.KEY_CREATED,
            **log_created(session, actor, key),
            service=key.kind is KeyKind.SERVICE,
            key=str(key.id),
            made_by_key=str(actor.key_id) if actor.key_id else None,
            source=actor.ip_address,
        )
    return key, secret


def log_created(session: Session, actor: Actor, key: ApiKey) -> dict[str, Any]:
    """Record that a key was made, in the caller's transaction; return what a mail tells of it."""
    facts: dict[str, Any] = {"name": key.name, "level": key.level, "expires_at": clock.iso(key.expires_at)}
    told = facts | ({"kind": key.kind.value} if key.kind is KeyKind.SERVICE else {})
    audit.log_event(session, actor, Action.KEY_CREATED, account_id=key.account_id, key_id=key.id, **told)
    return facts
