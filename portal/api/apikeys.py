"""The caller's keys: made, listed, read, rotated, removed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import request
from flask.typing import ResponseReturnValue

from portal import clock
from portal.api import body
from portal.api import key_schemas as schemas
from portal.api.answers import answer, empty
from portal.api.auth import Caller, actor, caller
from portal.models import ApiKey, KeyKind
from portal.permissions import READ_ACCOUNT, WRITE_ACCOUNT, Role
from portal.services.core.errors import Forbidden, NotFound
from portal.services.keys import creation, quotas, revocation, rotation
from portal.services.keys import queries as key_queries
from portal.services.keys.issuing import KeySpec, check_spec
from portal.services.keys.queries import KeyStatus
from portal.services.verify.verifier import CANONICAL_UUID

UNREVOKED = (KeyStatus.LIVE, KeyStatus.EXPIRED)


def create() -> ResponseReturnValue:
    """Make a key. This answer is the only one that ever holds its secret."""
    found = body.read_object()
    basics = body.as_model(schemas.NewKeyBasics, found)
    name, level, life = basics.name, basics.level, timedelta(seconds=basics.expires_in)
    check_spec(KeySpec(name.strip(), level, life), life, caller().level, quotas.longest_life(_role(caller())))
    asked = body.as_model(schemas.NewKey, found)
    conditions, kind = asked.conditions(), KeyKind(asked.kind or KeyKind.ACCOUNT)
    key, secret = creation.create_key(
        actor(), name=name, level=level, life=life, conditions=conditions, kind=kind
    )
    return answer(schemas.NewApiKeyAnswer(apikey=schemas.new_key_facts(key, secret)), 201)


def index() -> ResponseReturnValue:
    """List keys, page by page, the oldest first; a key that may not read the account sees itself."""
    me, asked = caller(), body.as_model(schemas.KeyListQuery, request.args.to_dict())
    itself = UUID(me.key.id) if me.key is not None and me.level < READ_ACCOUNT else None
    statuses = UNREVOKED if asked.status is None else (asked.status,)
    found = key_queries.list_keys_after(
        me.account_id, statuses=statuses, after=asked.cursor, limit=asked.limit, only=itself
    )
    facts = schemas.OwnKeyFacts if me.level >= WRITE_ACCOUNT else schemas.BoundKeyFacts
    shown, rest = [facts.model_validate(key) for key in found.items], str(found.next) if found.next else None
    return answer(schemas.ApiKeysAnswer(apikeys=shown, next=rest))


def show(key: str) -> ResponseReturnValue:
    """Tell what a key is. One that is revoked is not there any more."""
    facts = schemas.OwnKeyFacts.model_validate(_living(caller(), key))
    return answer(schemas.OwnKeyAnswer(apikey=facts))


def rotate(key: str) -> ResponseReturnValue:
    """Make the successor of a key. This answer is the only one that ever holds its secret."""
    asked = body.read(schemas.Rotation, may_be_empty=True) if body.is_sent() else schemas.Rotation()
    overlap, key_id = timedelta(seconds=asked.overlap), _key_id(key)
    if key_id is None:
        raise NotFound
    old = key_queries.get_key(caller().account_id, key_id)
    if old.is_revoked(clock.utcnow()) and key_queries.find_successor(old) is None:
        raise NotFound
    new, secret = rotation.rotate_key(actor(), key_id, overlap=overlap)
    old = key_queries.get_key(caller().account_id, key_id)
    facts = schemas.new_key_facts(new, secret)
    return answer(schemas.RotatedAnswer(apikey=facts, replaces=key_id, retires_at=old.retires_at), 201)


def remove(key: str) -> ResponseReturnValue:
    """Revoke a key for good. Every key may remove itself; for others it takes the level."""
    me = caller()
    is_itself = me.key is not None and key.lower() == me.key.id
    if me.level < WRITE_ACCOUNT and not is_itself:
        raise Forbidden
    revocation.revoke_key(actor(), _living(me, key).id)
    return empty()


def _role(me: Caller) -> Role:
    """The role of the caller's account, as it is now."""
    if me.key is not None:
        return Role(me.key.role)
    assert me.signed is not None
    return me.signed.account.role


def _living(me: Caller, text: str) -> ApiKey:
    """The caller's key of this id, unless it is revoked. Raises NotFound."""
    key_id = _key_id(text)
    key = key_queries.find_key(me.account_id, key_id) if key_id else None
    if key is None or key.is_revoked(clock.utcnow()):
        raise NotFound
    return key


def _key_id(text: str) -> UUID | None:
    return UUID(text) if CANONICAL_UUID.fullmatch(text.lower()) else None
