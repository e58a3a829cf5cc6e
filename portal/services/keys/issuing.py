"""How a key comes to be, in the caller's transaction: what may be asked for, and the row itself.

Whoever makes a key (a form, the API, a rotation) holds the lock of its account meanwhile, so
that no rule about the account races.
"""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import settings
from portal.models import Account, ApiKey, Environment, KeyKind, SentForm
from portal.models.key import NAME_LENGTH
from portal.permissions import ADMINISTER, HIGHEST_LEVEL, WRITE_ACCOUNT
from portal.services.auth.admission import admit
from portal.services.core import free_text, ids, sent_forms
from portal.services.core.actor import Actor
from portal.services.core.errors import AlreadyCreated, Forbidden, InvalidInput, NotFound
from portal.services.core.sent_forms import Form
from portal.services.core.transaction import transaction
from portal.services.keys import conditions, peppers, quotas, secrets
from portal.services.keys.conditions import Conditions
from portal.services.keys.queries import owned

NO_ACCESS = 0
"""The level that a service key is kept with; at the doors it has none."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What a new key shall be: name, level, how long it lives or until when, and what it is bound to."""

    name: str
    level: int
    life: timedelta | datetime
    conditions: Conditions = conditions.NONE
    kind: KeyKind = KeyKind.ACCOUNT

    def end(self, now: datetime) -> datetime:
        """When a key ends that is issued now."""
        return self.life if isinstance(self.life, datetime) else now + self.life


@dataclass(frozen=True, slots=True)
class Bounds:
    """How high and how long a key may be that this actor makes now; ``maker`` is the key that asks."""

    level: int
    until: datetime
    maker: ApiKey | None = None


def refuse_second(session: Session, actor: Actor, account: Account) -> None:
    """Raise AlreadyCreated when the actor's form has made its key, however long ago."""
    created = _created_by(session, actor.form, account) if actor.form else None
    if created is not None:
        raise AlreadyCreated(created.id)


def issue_again(actor: Actor) -> tuple[ApiKey, str]:
    """The key that the actor's form has made a moment ago, with its secret, for ten seconds.

    Nothing keeps the secret: it is made again of the form's bits, in the same session only, while
    :mod:`portal.services.core.sent_forms` knows the form. The first answer may have been lost, as by
    a double click. Raises AlreadyCreated when it is too late, when the session is another, and when
    the key ended meanwhile; NotFound when there is no such key; else as
    :func:`portal.services.auth.admission.admit`.
    """
    sent = sent_forms.find([actor.form]) if actor.form else None
    if sent is None:
        raise NotFound
    form, row = sent
    with transaction() as session:
        account = admit(session, actor, level=WRITE_ACCOUNT)
        key = _created_by(session, form, account)
        if key is None:
            raise NotFound
        secret = _secret(actor, row, key.environment)
        digest = secrets.digest(settings.peppers.get_secret_value().get(key.pepper_id, b""), secret)
        if not hmac.compare_digest(digest, key.digest) or not key.is_live(clock.utcnow()):
            raise AlreadyCreated(key.id)
    return key, secret


def _created_by(session: Session, form: Form, account: Account) -> ApiKey | None:
    number = form.number_for(account.id)
    return session.scalars(
        select(ApiKey).where(ApiKey.nonce == number, ApiKey.account_id == account.id)
    ).one_or_none()


def _secret(actor: Actor, sent: SentForm | None, environment: Environment | None) -> str:
    """A secret: of a form, always the same in a session; else a new one."""
    bits = None
    if actor.form is not None and sent is not None:
        bits = sent_forms.derive(actor.form, sent, "secret", actor.account_id, actor.session_id)
    return secrets.create_secret(
        settings.key_prefix, environment if settings.key_environments else None, bits
    )


def bounds_of(session: Session, actor: Actor, account: Account, now: datetime) -> Bounds:
    """The bounds of what the actor may make; raises Forbidden for a key that has ended.

    What a key makes never outlives it, and so not its retirement either.
    """
    if actor.key_id is None:
        return Bounds(account.role.level, now + quotas.longest_life(account.role))
    maker = session.scalars(owned(account.id, actor.key_id)).one()
    if not maker.is_live(now):
        raise Forbidden
    until = min(maker.expires_at, maker.retires_at or maker.expires_at)
    return Bounds(min(account.role.level, maker.level), until, maker)


def check_spec(
    wanted: KeySpec, life: timedelta, highest: int, longest: timedelta, *, is_successor: bool = False
) -> None:
    """Hold what is asked for against the rules; raises InvalidInput with the contract's code.

    ``life`` is how long it would live, ``highest`` the highest level that may be given, ``longest`` the
    longest life. A successor has the name that it was given, also one from before a rule.
    """
    if not wanted.name:
        raise InvalidInput("nameMissing", "name")
    if len(wanted.name) > NAME_LENGTH:
        raise InvalidInput("nameTooLong", "name", maximum=NAME_LENGTH)
    if not is_successor:
        free_text.check(wanted.name, "nameNotPrintable", "name")
    if not 0 <= wanted.level <= HIGHEST_LEVEL:
        raise InvalidInput("invalidLevel", "level")
    if life <= timedelta(0):
        raise InvalidInput("expiresInNotNumeric", "expires")
    if life > longest:
        raise InvalidInput("expiresInHigherThanMaximum", "expires", days=longest.days)
    if wanted.level > highest:
        raise InvalidInput("keyLevelExceedsRoleLevel", "level", highest=highest)


def check_service(wanted: KeySpec, highest: int) -> None:
    """Raise Forbidden unless an admin asks, with a key of level 9 if with one; InvalidInput for a level.

    A service key opens introspection and nothing else, so it has no level of its own.
    """
    if highest < ADMINISTER:
        raise Forbidden
    if wanted.level != NO_ACCESS:
        raise InvalidInput("serviceKeyLevel", "level")


def issue(
    session: Session, actor: Actor, account: Account, wanted: KeySpec, *, replaces: ApiKey | None = None
) -> tuple[ApiKey, str]:
    """Make the key and its secret; the caller has locked the account, and writes record and mail."""
    now = clock.utcnow()
    bounds = bounds_of(session, actor, account, now)
    end, longest = wanted.end(now), quotas.longest_life(account.role)
    check_spec(wanted, end - now, bounds.level, longest, is_successor=replaces is not None)
    if wanted.kind is KeyKind.SERVICE:
        check_service(wanted, bounds.level)
    expires_at = min(end, bounds.until)
    bound_to = _checked(wanted, account, bounds, expires_at, is_successor=replaces is not None)
    if replaces is None or not replaces.is_live(now):
        quotas.refuse_one_more(account)
    peppers.require_current(session, settings.peppers.get_secret_value())
    form = actor.form
    sent = sent_forms.spend(session, form, actor.request_id or "") if form else None
    secret = _secret(actor, sent, bound_to.environment)
    key = ApiKey(
        id=ids.uuid7(),
        account_id=account.id,
        name=wanted.name,
        level=wanted.level,
        kind=wanted.kind,
        digest=secrets.digest(settings.peppers.get_secret_value()[settings.current_pepper], secret),
        pepper_id=settings.current_pepper,
        nonce=form.number_for(account.id) if form else None,
        made_by_key_id=actor.key_id,
        replaces_id=replaces.id if replaces else None,
        counted_with_id=(replaces.counted_with_id or replaces.id) if replaces else None,
        created_at=now,
        expires_at=expires_at,
        **asdict(bound_to),
    )
    session.add(key)
    session.flush()
    return key, secret


def _checked(
    wanted: KeySpec, account: Account, bounds: Bounds, expires_at: datetime, *, is_successor: bool
) -> Conditions:
    """The conditions of a new key, held against what it shall be.

    A successor has those of the key that it replaces, and no others.
    """
    bound_to = wanted.conditions
    if not is_successor:
        conditions.check(bound_to, account.role)
        bound_to = conditions.inherited(bound_to, bounds.maker) if bounds.maker else bound_to
    if bounds.maker:
        conditions.refuse_looser(bound_to, bounds.maker)
    if wanted.kind is KeyKind.SERVICE and " " in bound_to.audiences:
        raise InvalidInput("serviceAudience", "audiences")
    if bound_to.not_before is not None and bound_to.not_before >= expires_at:
        raise InvalidInput("notBeforeInvalid", "not_before")
    return bound_to
