"""Who am I? The door that services ask most."""

from __future__ import annotations

import json
from functools import lru_cache

from flask import Response
from flask.typing import ResponseReturnValue

from portal import clock
from portal.api.answers import KEPT_ANSWERS, answer
from portal.api.auth import actor, caller
from portal.api.schemas import AccountAnswer, AccountFacts
from portal.http.headers import JSON_TYPE
from portal.services.accounts import profile
from portal.services.verify.key_record import VerifiedKey


def show_account() -> ResponseReturnValue:
    """Tell whose JWT it is."""
    return answer(AccountAnswer(account=AccountFacts.model_validate(profile.get_account(actor()))))


def show_key() -> ResponseReturnValue:
    """Tell what the key is, with the level that counts."""
    me = caller()
    assert me.key is not None
    return Response(key_body(me.key, me.level), content_type=JSON_TYPE)


def key_body(key: VerifiedKey, level: int) -> bytes:
    """The answer of :func:`show_key`, which is asked for most; ``level`` is the one that counts."""
    return _written(key.id, level, key.account_id, key.name, (key.created_at, key.expires_at))


@lru_cache(KEPT_ANSWERS)
def _written(key_id: str, level: int, account_id: int, name: str, life: tuple[int, int]) -> bytes:
    """Write the answer. It can be kept: nothing in it ever changes for these arguments."""
    facts = {
        "key": key_id,
        "level": level,
        "name": name,
        "createdAt": clock.iso(clock.from_ms(life[0])),
        "expiresAt": clock.iso(clock.from_ms(life[1])),
        "userId": account_id,
    }
    wire = {"result": "success", "apikey": facts}
    return json.dumps(wire, ensure_ascii=False, separators=(",", ":")).encode()
